"""A bulletin's logged events in words: what happened, who says so, what it proves; a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from saphan_schemas.messages import has_text, text

from saphan.pages import saying
from saphan.pages.svg import write_svg
from saphan.pages.timeline import Mark, Moment, timeline
from saphan.place_words import place_words

Json = dict[str, Any]
BAD = frozenset({"rejected", "refused", "expired"})
WARN = frozenset({"unopened", "unanswered", "recalled", "declined"})
BY_SYSTEM = ("read", "system")
"""Event and code of a reading that no officer did: a case system has taken the bulletin in."""
DRAWN = 60
"""Events of one drawing, the first ones: a life has a dozen for each recipient."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One logged event.

    Args:
        index: its place in the log; time: ms UTC; issuer: who says it.
        what, why: the event and its code in words; proves: one sentence.
        proof: how it is proven; tone: good, warn or bad; said: words of the issuer, or "".
    """

    index: int
    time: int
    issuer: str
    what: str
    why: str
    proves: str
    proof: str
    tone: Mark
    said: str = ""


def happened(life: Json, lang: str) -> tuple[Happened, ...]:
    """Every event of a life, in the order of the log."""
    return tuple(_happened(one, lang) for one in life["timeline"])


def drawing(life: Json, lang: str) -> Markup | None:
    """The events as an SVG drawing, from top to bottom; None without events."""
    events = life["timeline"][:DRAWN]
    if not events:
        return None
    lanes = _lanes(life, events)
    moments = []
    before: int | None = None
    for one, event in zip(events, happened(life, lang), strict=False):
        to = one.get("recipient") if one["issuer"] == one.get("sender") else one.get("sender")
        moments.append(
            Moment(
                stamp=f"{saying.stamp(event.time)} UTC",
                after="" if before is None else saying.elapsed(event.time - before, lang),
                lane=lanes.index(one["issuer"]),
                to=lanes.index(to) if to in lanes else None,
                label=event.what,
                note=event.proof,
                mark=event.tone,
            )
        )
        before = event.time
    return Markup(write_svg(timeline(lanes, moments)))  # noqa: S704 (escapes what it is given)


def why(code: str | None, lang: str) -> str:
    """A code in words; as it is written where the catalogue has none; "" without one."""
    if not code:
        return ""
    for area in ("code", "recall_reason", "decline_reason", "error"):
        if has_text(f"{area}.{code}"):
            return text(f"{area}.{code}", lang)
    return text("page.reading.timeline.why", lang, code=code)


def event_text(event: str, lang: str, code: str | None = None) -> str:
    """An event in words, with its code where that says who acted; a newer node's as it names it."""
    if (event, code) == BY_SYSTEM:
        return text("sheet.read_system", lang)
    return text(f"event.{event}", lang) if has_text(f"event.{event}") else event


def reason(event: str, code: str | None, lang: str) -> str:
    """The code of an event in words, unless the event's own words say it."""
    return "" if (event, code) == BY_SYSTEM else why(code, lang)


def _happened(one: Json, lang: str) -> Happened:
    event = one["event"]
    proven = one.get("proof", "witnessed") == "witnessed" and bool(one["witnesses"])
    entry = text("page.reading.timeline.entry", lang, index=place_words(one))
    how = "page.reading.timeline.witnessed" if proven else "page.reading.timeline.logged"
    return Happened(
        index=one["index"],
        time=one["time"],
        issuer=one["issuer"],
        what=event_text(event, lang, one["code"]),
        why=reason(event, one["code"], lang),
        proves=_proves(event, one["code"], lang),
        proof=f"{entry}, {text(how, lang, who=', '.join(one['witnesses']))}",
        tone=_tone(event, proven),
        said=one.get("detail") or "",
    )


def _proves(event: str, code: str | None, lang: str) -> str:
    """What an event proves; a reading by a system is no officer's."""
    if (event, code) == BY_SYSTEM:
        return text("page.reading.proves.read_system", lang)
    key = f"page.reading.proves.{event}"
    return text(key if has_text(key) else "page.reading.proves.other", lang)


def _tone(event: str, proven: bool) -> Mark:
    if event in BAD:
        return "bad"
    return "good" if proven and event not in WARN else "warn"


def _lanes(life: Json, events: Sequence[Json]) -> list[str]:
    header = life["header"]
    known = [header["sender"], *header["recipients"]]
    return list(dict.fromkeys([*known, *(one["issuer"] for one in events)]))
