"""How bulletins and their lives look on an officer's terminal; widths by letters, not by bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saphan_schemas.limits import DAY_MS
from saphan_schemas.messages import has_text, type_key
from saphan_schemas.width import fit

from saphan.cli.content_lines import ContentWords
from saphan.cli.recall_lines import reason_text
from saphan.cli.speech import language, note, say
from saphan.cli.stamps import label
from saphan.cli.stamps import stamp as stamp
from saphan.cli.struck import newest_first, standing_marks, struck
from saphan.cli.thread_lines import thread_part
from saphan.cli.waiting import OUTCOMES
from saphan.place_words import place_words

Json = dict[str, Any]
EVENT_CELLS = 30
AGENCY_CELLS = 10
HELD = frozenset({"handed_over", "unanswered"})
"""States of a delivery that its recipient has taken, and not answered."""


def note_stopped(found: Json) -> None:
    """Say that the node does not speak with its broker any more, if `found` says so."""
    stopped = found.get("stopped")
    if stopped:
        since = stamp(stopped["since"])
        note(say("note.node_stopped", since=since, why=stopped["message"], code=stopped["code"]))


def note_replaced(found: Json) -> None:
    """Say that what is about to be read is not the newest word, was taken back, or needs a second
    look, if a status says so."""
    if found.get("recalled"):
        note(say("note.recalled", why=reason_text(found["recalled"])))
    for one in found.get("replaced_by", ()):
        note(say("note.replaced", id=one[:16]))
    if found.get("suppressed"):
        note(say("note.suppressed"))


def inbox_line(row: Json) -> str:
    """One bulletin on one line: id, time, sender, type, marking, what is special about it."""
    marks = [say(f"urgency.{row['urgency']}")] if row["urgency"] != "routine" else []
    marks += [say("note.exercise")] if row["exercise"] else []
    marks += standing_marks(row)
    new = "*" if _unread(row) else " "
    cells = (
        f"{new} {row['id'][:16]}",
        stamp(row["received"]),
        fit(row["sender"], AGENCY_CELLS),
        struck(type_text(row["schema"]), row, 22),
        fit(f"TLP:{row['marking']['tlp'].upper()}", 16),
        ", ".join(marks),
    )
    return "  ".join(cells).rstrip()


def _unread(row: Json) -> bool:
    """Whether somebody has to read it yet: what was taken back or erased nobody can."""
    return not (row["read"] or row.get("recalled") or row.get("erased"))


def inbox_lines(rows: list[Json]) -> list[str]:
    """The list, and how many of it nobody has read."""
    unread = sum(map(_unread, rows))
    first = say("note.inbox_count", count=unread) if unread else say("note.inbox_empty")
    return [first, *(inbox_line(row) for row in newest_first(rows))]


def status_lines(found: Json) -> Iterator[str]:
    """A bulletin's life: what it is, where each delivery stands, every signed event."""
    yield from header_lines(found["header"], found["author"])
    for text in standing_marks(found):
        yield f"{label('label.standing')}{text}"
    for delivery in found["deliveries"]:
        code = f" ({delivery['code']})" if delivery["code"] else ""
        yield f"{label('label.status')}{delivery['recipient']}: {state_text(delivery)}{code}"
        if delivery.get("in_flight"):
            told = say(f"flight.{delivery['in_flight']}", recipient=delivery["recipient"])
            yield f"{label(None)}{told}"
        yield from _warning_lines(found, delivery)
    yield from thread_part(found)
    attached = found.get("attachments", ())
    if attached:
        here = sum(one["here"] for one in attached)
        length = sum(one["length"] for one in attached)
        text = say("note.attachments_here", here=here, count=len(attached), length=f"{length:,}")
        yield f"{label('label.attachments')}{text}"
    yield ""
    for event in found["timeline"]:
        yield event_line(event)
        if event.get("detail"):
            yield f"{'':21}{event['detail']}"
        if event.get("known"):
            yield f"{'':21}{known_text(event['known'])}"
    if any(event["event"] == "handover" for event in found["timeline"]):
        yield ""
        yield say("note.handover_limit")


def _warning_lines(found: Json, delivery: Json) -> Iterator[str]:
    """The newest warning of each deadline, while the delivery has no outcome."""
    if delivery["state"] in OUTCOMES:
        return
    newest = {
        one["deadline"]: one
        for one in found.get("warnings", ())
        if one["recipient"] == delivery["recipient"]
    }
    for deadline, one in newest.items():
        if deadline == "expires" and delivery["state"] in HELD:
            continue  # it was taken in time
        if deadline == "answer_by" and delivery["state"] == "unanswered":
            continue  # the log has said it
        text = say(f"warning.{deadline}", share=one["share"], recipient=one["recipient"])
        yield f"{label(None)}{text}"


def known_text(known: Json) -> str:
    """What a holder knew of a bulletin when it erased it: exports by kind, and its desks."""
    exports = ", ".join(
        f"{say(f'code.{kind}') if has_text(f'code.{kind}') else kind}: {count}"
        for kind, count in known["exports"].items()  # a newer program may know other kinds
    )
    return say("note.erased_known", exports=exports or say("note.erased_none"), **known["desks"])


def event_line(event: Json) -> str:
    """One signed event: when, what, by whom, under which proof."""
    code = f" ({event['code']})" if event["code"] else ""
    what = _event_text(event["event"]) + code
    place = place_words(event)
    proof = say("proof.logged", index=place)
    if event.get("proof", "witnessed") == "witnessed" and event["witnesses"]:
        proof = say("proof.witnessed", index=place, who=", ".join(event["witnesses"]))
    return f"{stamp(event['time'])}  {fit(what, EVENT_CELLS)}  {fit(event['issuer'], 10)}  {proof}"


def receipt_lines(found: Json) -> Iterator[str]:
    """What the broker answered to what was said again, line by line."""
    for one in found["receipts"]:
        if one["index"] is None:
            said = f"{one['message']} ({one['code']})"
        else:
            said = say("receipt.same" if one["same"] else "receipt.differs", index=one["index"])
        yield f"{fit(_event_text(one['event']), EVENT_CELLS)}  {one['recipient']}: {said}"


def header_lines(header: Json, author: str | None) -> Iterator[str]:
    """What stands outside the seal."""
    if header["exercise"]:
        yield say("note.exercise")
    yield f"{label('label.type')}{type_text(header['schema'])}"
    yield f"{label('label.from')}{header['sender']}"
    yield f"{label('label.to')}{', '.join(header['recipients'])}"
    yield f"{label('label.author')}{author or say('noun.system')}"
    marking = header["marking"]
    yield f"{label('label.marking')}TLP:{marking['tlp'].upper()} - {say('tlp.' + marking['tlp'])}"
    for code in marking["codes"]:
        yield f"{label(None)}{code} - {say('handling.' + code)}"
    yield f"{label('label.urgency')}{say('urgency.' + header['urgency'])}"
    yield f"{label('label.created')}{stamp(header['created'])} UTC"
    if header["answer_by"] is not None:
        yield f"{label('label.answer_by')}{stamp(header['answer_by'])} UTC"
    yield f"{label('label.expires')}{stamp(header['expires'])} UTC"
    yield f"{label('label.retain_until')}{stamp(header['retain_until'] * DAY_MS)[:10]}"


def bulletin_lines(found: Json) -> Iterator[str]:
    """An opened bulletin: header, then what it says, in the languages that its reader reads."""
    read = (*found.get("languages", ()), language())
    yield from header_lines(found["header"], found["author"])
    seconds = [str(one["handle"]) for one in found.get("authors", ())[1:]]
    if seconds:
        yield f"{label('label.second')}{', '.join(seconds)}"
    about = dict(found["content"]["about"])
    yield from _other_office(found["header"]["sender"], about)
    title = about.pop("title", None)
    if isinstance(title, dict) and title:
        known = [title[name] for name in read if title.get(name)]
        yield f"{label('label.title')}{known[0] if known else next(iter(title.values()))}"
    # What a reader looks for first, then the conditions it came under.
    first = {"reference": about.pop("reference", None), "summary": about.pop("summary", None)}
    words = ContentWords(found["header"]["schema"], language(), read)
    shown = {k: v for k, v in first.items() if v}
    body = found["content"]["body"]
    for part, pointer in ((shown, "/about"), (body, "/body"), (about, "/about")):
        yield ""
        yield from words.lines(part, pointer)
    if found.get("attachments"):
        yield ""
        yield from attachment_lines(found)


def _other_office(sender: str, about: Json) -> Iterator[str]:
    """The sender is proven; whatever office the content names is only said, and may be another."""
    office, stated = sender.upper().replace(".", "-"), about.get("originator")
    if isinstance(stated, str) and not f"{stated}-".startswith(f"{office}-"):
        yield f"{label(None)}{say('note.other_office', office=stated, sender=sender)}"


def attachment_lines(found: Json) -> Iterator[str]:
    """What is attached: number, name, size; how it is saved stands beside the first."""
    for one in found.get("attachments", ()):
        before = label("label.attachments" if one["number"] == 1 else None)
        yield f"{before}{one['number']}  {one['name']}  ({one['role']}, {one['length']:,} bytes)"


def type_text(schema: str) -> str:
    """A body type in words."""
    key = type_key(schema)
    return schema if key is None else say(key)


def state_text(delivery: Json) -> str:
    """Where a delivery stands, in words."""
    key = f"state.{delivery['state']}"
    if has_text(key):
        return say(key)
    state: str = delivery["state"]
    return _event_text("handover" if state == "handed_over" else state)


def _event_text(event: str) -> str:
    """An event in words; one of a newer node as it names it."""
    key = f"event.{event}"
    return say(key) if has_text(key) else event
