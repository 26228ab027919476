"""How threads look on an officer's terminal: what belongs together, and who owes what by when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saphan_schemas.codes import code_label
from saphan_schemas.messages import has_text, type_key

from saphan.cli.speech import language, say
from saphan.cli.stamps import label, stamp, stamp_in
from saphan.cli.struck import newest_first, struck

Json = dict[str, Any]
OPEN = frozenset({"waiting", "interim", "overdue"})
ID_SHOWN = 16


def thread_part(found: Json) -> Iterator[str]:
    """What a status says of the thread: what it names, what took its place, who owes an answer."""
    for place, one in enumerate(found.get("relations", ())):
        yield f"{label(None if place else 'label.thread')}{relation_text(one)}"
    for one in found.get("replaced_by", ()):
        yield f"{label('label.thread')}{say('thread.replaced_by', id=one[:ID_SHOWN])}"
    for owed in found.get("owed", ()):
        yield from owed_lines(owed)


def relation_text(one: Json) -> str:
    """What a bulletin names, and what is wrong with that."""
    text = say(f"relation.{one['kind']}", id=one["id"][:ID_SHOWN])
    if one["stands"] == "holds":
        return text
    return f"{text}; {say('stands.' + one['stands'])}"


def owed_lines(owed: Json) -> Iterator[str]:
    """How one of those who were asked stands; then each question, while any is open or differs."""
    yield f"{label('label.owed')}{owed_text(owed)}"
    clock = owed["clock"]
    if clock is not None and owed["since"] is not None and owed["state"] in OPEN:
        count = say(f"time.{clock['unit']}", count=clock["count"])
        first = owed["what"] != "status"
        from_what = "owed.counted" if first else "owed.counted_word"
        yield label(None) + say(from_what, time=count, when=stamp(owed["since"]))
        if owed["read"] is not None:
            yield label(None) + say("owed.read", when=stamp(owed["read"]))
        if clock["holiday_file_missing"]:
            yield label(None) + say("owed.no_holidays", country=owed["replier"][:2].upper())
        if not clock["zone_known"]:
            yield label(None) + say("owed.no_zone", replier=owed["replier"])
    states = {one["state"] for one in owed["questions"]}
    if len(states) > 1 or (states & OPEN and owed["replies"]):
        for one in owed["questions"]:
            yield label(None) + _question_text(one)
    if owed["late"]:
        yield label(None) + say("owed.late")


def owed_text(owed: Json) -> str:
    """One sentence: who, what, by when."""
    zone = "UTC" if owed["clock"] is None else owed["clock"]["zone"]
    due = owed["due" if owed["state"] == "interim" else "until"]
    expected = owed["expected"]
    values = {
        "replier": owed["replier"],
        "due": "" if due is None else stamp_in(due, zone),
        "expected": "" if expected is None else stamp_in(expected, zone),
        "reason": _reason_text(owed["reason"]),
        "to": owed["transferred_to"] or "",
        "state": _state_text(owed["delivery"]),
    }
    key = f"owed.{owed['state']}"
    if owed["what"] != "reply" and owed["state"] in OPEN:
        key = f"owed.{owed['what']}_{owed['state']}"
    return say(key, **values)


def _question_text(one: Json) -> str:
    text = say(f"question.{one['state']}", no=one["no"])
    return text if one["reply"] is None else f"{text} ({one['reply'][:ID_SHOWN]})"


def _reason_text(reason: str | None) -> str:
    return "-" if reason is None else _code_text("delay_reason", reason)


def _code_text(listed: str, code: str) -> str:
    """What a code means; one of a newer list as it is written (codes.md, K8)."""
    try:
        return code_label(listed, code, language())
    except KeyError:
        return code


def _state_text(state: str) -> str:
    key = f"state.{state}" if has_text(f"state.{state}") else f"event.{state}"
    return say(key) if has_text(key) else state


def thread_lines(found: Json) -> Iterator[str]:
    """Every bulletin of a thread, oldest first, what was replaced under what took its place; and
    what each says of the others."""
    for row in newest_first(found["bulletins"]):
        mark = ">" if row["id"] == found["id"] else " "
        yield "  ".join(_cells(mark, row)).rstrip()
        for line in thread_part(row):
            yield f"    {line}"
    if found["more"]:
        yield say("thread.more", count=len(found["bulletins"]))


def _cells(mark: str, row: Json) -> tuple[str, ...]:
    key = type_key(row["schema"])
    kind = row["schema"] if key is None else say(key)
    message = row["message"]
    words = [kind]
    if message not in (None, "original"):
        words.append(_code_text("message_kind", message))
    if row["outcome"] is not None:
        words.append(_code_text("reply_outcome", row["outcome"]))
    return (
        f"{mark} {row['id'][:ID_SHOWN]}",
        stamp(row["stored"]),
        f"{row['sender']} -> {', '.join(row['recipients'])}",
        struck(", ".join(words), row),
        row["reference"] or "",
    )
