"""The time line of a bulletin: each event, who signed it, how it is proven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saphan_protocol.bundle.facts import EventSeen, Proof
from saphan_protocol.bundle.report import Remark, Verdict
from saphan_schemas.messages import text
from saphan_schemas.records import BROKER

from saphan.evidence.sentences import event_label, issuer_text
from saphan.pages.blocks import Picture
from saphan.pages.saying import elapsed, stamp
from saphan.pages.timeline import Mark, Moment, timeline

PER_PICTURE: Final = 8
"""Events of one drawing: half a sheet of paper, so that none leaves one empty."""


def event_pictures(verdict: Verdict, lang: str) -> Iterator[Picture]:
    """The drawings: the sender, the broker and each recipient have a line of their own."""
    lanes = _lanes(verdict)
    names = [issuer_text(lane, lang) for lane in lanes]
    moments = []
    before: int | None = None
    for event in verdict.events:
        after = "" if before is None else elapsed(event.time - before, lang)
        moments.append(_moment(event, verdict, lanes, after, lang))
        before = event.time
    for start in range(0, len(moments), PER_PICTURE):
        part = moments[start : start + PER_PICTURE]
        yield Picture(timeline(names, part), text("sheet.picture", lang, count=len(part)))


def event_witnessed(event: EventSeen, verdict: Verdict) -> bool:
    """Whether the agreement's witnesses stand behind an event; any witness for one without."""
    for delivery in verdict.deliveries:
        if event.index in delivery.events:
            return delivery.witnessed
    return event.bound is not None


def event_mark(event: EventSeen, verdict: Verdict) -> Mark:
    """Whether everything that should stand behind an event is shown."""
    gaps = any(_about(remark, event) for remark in verdict.gaps)
    whole = event.proof is not Proof.UNSIGNED and event_witnessed(event, verdict)
    return "good" if whole and not gaps else "warn"


def proof_text(event: EventSeen, verdict: Verdict, lang: str) -> str:
    """What an event rests on, in a few words."""
    witnessed = "witnessed" if event_witnessed(event, verdict) else "not_witnessed"
    return "; ".join(
        (
            text(f"sheet.{event.proof.value}", lang),
            text("sheet.logged", lang, index=event.index),
            text(f"sheet.{witnessed}", lang),
        )
    )


def _about(remark: Remark, event: EventSeen) -> bool:
    """Whether a gap is one of this event: it names its leaf, or recipient and event."""
    values = remark.values
    named = (values.get("agency"), values.get("code")) == (event.recipient, event.event)
    return named or values.get("index") == event.index


def _lanes(verdict: Verdict) -> list[str]:
    sender = verdict.events[0].sender
    others = {name for event in verdict.events for name in (event.recipient, event.issuer)}
    return [sender, BROKER, *sorted(others - {sender, BROKER})]


def _moment(event: EventSeen, verdict: Verdict, lanes: list[str], after: str, lang: str) -> Moment:
    return Moment(
        stamp=stamp(event.time),
        after=after,
        lane=lanes.index(event.issuer),
        to=lanes.index(BROKER),
        label=event_label(event, len(lanes) > 3, lang),
        note=proof_text(event, verdict, lang),
        mark=event_mark(event, verdict),
    )
