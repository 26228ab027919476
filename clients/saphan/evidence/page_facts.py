"""The facts of a valid bundle as blocks of a page: tables, picture, content."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Final

from saphan_protocol.bundle.facts import DeliverySeen, EventSeen, HeadSeen, Proof
from saphan_protocol.bundle.report import Verdict
from saphan_schemas.limits import DAY_MS, SECOND_MS
from saphan_schemas.messages import type_key
from saphan_schemas.records import Blob, Header

from saphan.evidence.picture import event_mark, event_pictures, proof_text
from saphan.evidence.sentences import (
    authors_text,
    by_system,
    event_label,
    event_text,
    issuer_text,
)
from saphan.pages.blocks import Block, Cell, Facts, Heading, Paragraph, Span, Table
from saphan.pages.saying import day_of, stamp

Say = Callable[..., str]
"""`messages.text` in one language."""

Row = tuple[str, Cell]
SHOWN_APART: Final = frozenset({"about", "attachments", "body"})
_EVENTS_OF_STATES: Final = {"handed_over": "handover"}


def outcome_blocks(verdict: Verdict, lang: str, say: Say) -> Iterator[Block]:
    """What became of the bulletin for each recipient."""
    if not verdict.deliveries:
        return
    yield Heading(say("sheet.outcomes"))
    heads = ("sheet.recipient", "sheet.outcome", "sheet.under", "sheet.order")
    readers = {event.recipient for event in verdict.events if _read_by_officer(event)}
    rows = tuple(_outcome(delivery, readers, lang, say) for delivery in verdict.deliveries)
    yield Table(tuple(map(say, heads)), rows, (22, 30, 22, 26))


def _read_by_officer(event: EventSeen) -> bool:
    signed = event.proof is not Proof.UNSIGNED
    return event.event == "read" and signed and not by_system(event)


def _outcome(
    delivery: DeliverySeen, readers: Container[str], lang: str, say: Say
) -> tuple[Cell, ...]:
    state = delivery.state
    said = say("sheet.no_event")
    if state == "read":
        said = say(f"sheet.accepted_{'read' if delivery.recipient in readers else 'system'}")
    elif state is not None:
        said = event_text(_EVENTS_OF_STATES.get(state, state), lang)
    witnessed = "witnessed" if delivery.witnessed else "not_witnessed"
    order = "order_whole" if delivery.whole else "order_partial"
    return (
        delivery.recipient,
        said,
        Span(say(f"sheet.{witnessed}"), "good" if delivery.witnessed else "warn"),
        Span(say(f"sheet.{order}"), "good" if delivery.whole else "warn"),
    )


def event_blocks(verdict: Verdict, lang: str, say: Say) -> Iterator[Block]:
    """The picture of what happened, and the same as a table."""
    if not verdict.events:
        return
    yield Heading(say("sheet.what_happened"))
    yield from event_pictures(verdict, lang)
    yield Paragraph(say("sheet.legend"), "dim")
    heads = ("sheet.time", "sheet.who", "sheet.event", "sheet.proof")
    rows = tuple(_event(event, verdict, lang, say) for event in verdict.events)
    yield Table(tuple(map(say, heads)), rows, (20, 16, 28, 36))


def _event(event: EventSeen, verdict: Verdict, lang: str, say: Say) -> tuple[Cell, ...]:
    several = len({one.recipient for one in verdict.events}) > 1
    what = event_label(event, several, lang)
    proof = proof_text(event, verdict, lang)
    if event.bound is not None:
        proof += "; " + say("sheet.known_by", time=stamp(event.bound * SECOND_MS))
    who = issuer_text(event.issuer, lang)
    plain = event_mark(event, verdict) == "good"
    return stamp(event.time), who, what, Span(proof, "plain" if plain else "warn")


def bulletin_blocks(verdict: Verdict, say: Say) -> Iterator[Block]:
    """What stands on the outside of the bulletin, and which bytes it is about."""
    if verdict.bulletin is None:
        return
    seen = verdict.bulletin
    yield Heading(say("sheet.bulletin"))
    rows = [*_header_rows(seen.header, say)]
    rows.append((say("sheet.id"), Span(seen.bulletin.hex(), "code")))
    rows += _blob(say("sheet.digest"), seen.ciphertext, 0 in seen.shown, say)
    for number, blob in enumerate(seen.attachments, 1):
        label = say("sheet.attachment", number=number)
        rows += _blob(label, blob, number in seen.shown, say)
    yield Facts(tuple(rows))


def _header_rows(header: Header, say: Say) -> Iterator[Row]:
    key = type_key(header.schema)
    name = header.schema if key is None else f"{say(key)} ({header.schema})"
    yield say("label.type"), name
    yield say("label.from"), header.sender
    yield say("label.to"), ", ".join(header.recipients)
    marking = header.marking
    yield say("label.marking"), f"TLP:{marking.tlp.upper()}: {say(f'tlp.{marking.tlp}')}"
    for code in marking.codes:
        yield code, say(f"handling.{code}")
    yield say("label.urgency"), say(f"urgency.{header.urgency}")
    yield say("label.created"), f"{stamp(header.created)} UTC"
    yield say("label.expires"), f"{stamp(header.expires)} UTC"
    if header.answer_by is not None:
        yield say("label.answer_by"), f"{stamp(header.answer_by)} UTC"
    yield say("label.retain_until"), day_of(header.retain_until * DAY_MS)


def _blob(label: str, blob: Blob, shown: bool, say: Say) -> Iterator[Row]:
    length = say("sheet.bytes", length=f"{blob.length:,}")
    here = say("sheet.in_file" if shown else "sheet.not_in_file")
    yield label, f"{length}, {here}"
    yield "SHA-256", Span(blob.digest.hex(), "code")


def disclosure_blocks(verdict: Verdict, say: Say) -> Iterator[Block]:
    """Who gave the key of the content away, to whom and why."""
    shown = verdict.disclosure
    if shown is None:
        return
    who = f"{shown.handle} ({shown.agency})" if shown.handle else shown.agency
    yield Heading(say("sheet.disclosure"))
    yield Facts(
        (
            (say("sheet.disclosed_by"), who),
            (say("sheet.disclosed_to"), shown.to),
            (say("sheet.disclosed_why"), shown.reason),
            (say("sheet.disclosed_when"), f"{stamp(shown.time)} UTC"),
        )
    )


def content_blocks(verdict: Verdict, lang: str, say: Say) -> Iterator[Block]:
    """What the bulletin says, field by field, as its author signed it."""
    shown = verdict.content
    if shown is None:
        return
    yield Heading(say("sheet.content"))
    rows: list[Row] = [(say("label.author"), authors_text(shown.authors, lang))]
    for part in _parts(shown.content):
        rows += content_rows(part, "") if part else ()
    for number, one in enumerate(shown.attachments, 1):
        length = say("sheet.bytes", length=f"{one.plain.length:,}")
        here = say("sheet.in_file" if one.opened else "sheet.not_in_file")
        label = say("sheet.attachment", number=number)
        rows.append((label, f"{one.name} ({one.media_type}), {length}, {here}"))
        rows.append(("SHA-256", Span(one.plain.digest.hex(), "code")))
    yield Facts(tuple(rows))


def _parts(content: Mapping[str, Any]) -> Iterator[Any]:
    """What a reader looks for first, then the rest, then the conditions it came under."""
    about = content.get("about")
    # Content of a type that this program does not know may have any form.
    about = dict(about) if isinstance(about, Mapping) else {"about": about} if about else {}
    yield {name: about.pop(name) for name in ("title", "reference", "summary") if name in about}
    yield content.get("body")
    yield {name: part for name, part in content.items() if name not in SHOWN_APART}
    yield about


def content_rows(value: Any, path: str) -> Iterator[Row]:
    """Content with the path of each field; lists count from 1."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from content_rows(item, f"{path} {name}".strip())
    elif isinstance(value, list | tuple) and value:
        for number, item in enumerate(value, 1):
            yield from content_rows(item, f"{path} {number}".strip())
    elif value is None or value in ({}, [], ()):
        yield path, "-"
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)


def agreement_blocks(verdict: Verdict, say: Say) -> Iterator[Block]:
    """The agreements that the bundle opens, what each allowed, and the orders on them."""
    if not verdict.agreements:
        return
    yield Heading(say("sheet.agreements"))
    for seen in verdict.agreements:
        allowed = (one.recipient for one in verdict.deliveries if one.agreement == seen.name)
        rows: list[Row] = [
            (say("page.reference"), f"{seen.reference}: {seen.title}"),
            (say("page.instrument"), seen.instrument),
            (say("sheet.parties"), ", ".join(party.agency for party in seen.parties)),
            (say("page.validity"), f"{stamp(seen.valid_from)} - {stamp(seen.valid_until)} UTC"),
            (say("sheet.allowed"), ", ".join(allowed) or "-"),
        ]
        for order in seen.orders:
            said = say(f"order.{order.action}", agency=order.agency)
            why = f": {order.reason}" if order.reason else ""
            rows.append((stamp(order.time), said + why))
        yield Facts(tuple(rows))


def head_blocks(verdict: Verdict, say: Say) -> Iterator[Block]:
    """The signed heads under which everything was found, and who witnessed them."""
    if not verdict.heads:
        return
    yield Heading(say("sheet.heads"))
    heads = ("sheet.log", "sheet.size", "sheet.root", "sheet.witnesses")
    yield Table(tuple(map(say, heads)), tuple(map(_head, verdict.heads)), (20, 14, 36, 30))


def _head(head: HeadSeen) -> tuple[Cell, ...]:
    witnesses = "; ".join(
        f"{seen.agency} {stamp(seen.time * SECOND_MS)}" for seen in head.witnesses
    )
    size = f"{head.size:,} ({stamp(head.time * SECOND_MS)})"
    return head.origin, size, Span(head.root.hex(), "code"), witnesses or "-"
