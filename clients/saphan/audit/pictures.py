"""Figures of an audit as pictures: volumes, durations, what was open, how late witnesses were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from saphan_protocol.audit.statistics import DayRow, Spread, Statistics
from saphan_schemas.limits import DAY_MS, SECOND_MS

from saphan.pages.blocks import Block, Heading, Paragraph, Picture
from saphan.pages.charts import Series, bars, lines
from saphan.pages.saying import day_of, duration
from saphan.pages.svg import Drawing

Say = Callable[..., str]
STEPS: Final = 100
"""Bars or points along an axis at most: what covers more days has several in each."""
YEAR: Final = 360
"""From so many days on, months and years are named along the axis, not days."""
VOLUMES: Final = ("submitted", "handover", "accepted", "rejected")
OTHERS: Final = (
    *("consigned", "unopened", "unanswered", "read", "recalled", "expired", "refused", "exported"),
    *("obeyed", "declined", "held", "released", "hold_asked", "hold_answered"),
)
"""Kinds of events that are drawn as one; destruction comes years later and is none of them."""


@dataclass(slots=True)
class _Span:
    """Some days as one: sums, and what stood open at the end of the last one."""

    first: int
    last: DayRow
    events: dict[str, int] = field(default_factory=dict)
    handover: Spread = field(default_factory=Spread)
    answer: Spread = field(default_factory=Spread)
    lag: Spread = field(default_factory=Spread)


def picture_blocks(figures: Statistics, lang: str, say: Say) -> Iterator[Block]:
    """Five pictures under their titles; nothing, where no entry was opened."""
    if not figures.days:
        return
    days, spans = _spans(figures)
    shown = slice(5, 10) if len(figures.days) < YEAR else slice(0, 7)
    names = [day_of(span.first * DAY_MS)[shown] for span in spans]
    whole = {"days": f"{len(figures.days):,}", "first": day_of(figures.days[0].day * DAY_MS)}
    whole["last"] = day_of(figures.days[-1].day * DAY_MS)
    for title, drawing in _drawings(spans, names, lang, say):
        yield Heading(say(f"audit_sheet.{title}"))
        yield Picture(
            drawing, say("audit_sheet.picture", title=say(f"audit_sheet.{title}"), **whole)
        )
    yield Paragraph(say("audit_sheet.counted", **whole), "dim")
    if days > 1:
        yield Paragraph(say("audit_sheet.grouped", days=days), "dim")


def _drawings(
    spans: Sequence[_Span], names: Sequence[str], lang: str, say: Say
) -> Iterator[tuple[str, Drawing]]:
    count = "{:,.0f}".format
    yield "volumes", bars(names, list(_volumes(spans, say)), count)
    yield "handover", _lines(names, [span.handover for span in spans], lang, say)
    yield "answer", _lines(names, [span.answer for span in spans], lang, say)
    overdue = Series(say("audit_sheet.overdue"), [span.last.overdue for span in spans])
    waits = [span.last.open - span.last.overdue for span in spans]
    yield "open", bars(names, [Series(say("audit_sheet.in_time"), waits), overdue], count)
    if any(span.lag.count for span in spans):
        yield "lag", _lines(names, [span.lag for span in spans], lang, say)


def _volumes(spans: Sequence[_Span], say: Say) -> Iterator[Series]:
    for name in VOLUMES:
        yield Series(say(f"event.{name}"), [span.events.get(name, 0) for span in spans])
    rest = [sum(span.events.get(name, 0) for name in OTHERS) for span in spans]
    yield Series(say("audit_sheet.other"), rest)


def _lines(names: Sequence[str], spreads: Sequence[Spread], lang: str, say: Say) -> Drawing:
    """Half and nearly all of each day's durations."""
    series = [
        Series(say(f"audit_sheet.{name}"), [_seconds(spread.within(share)) for spread in spreads])
        for name, share in (("half", 50), ("most", 95))
    ]
    return lines(names, series, lambda seconds: duration(seconds * SECOND_MS, lang))


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else millis / SECOND_MS


def _spans(figures: Statistics) -> tuple[int, list[_Span]]:
    """So many days in each, and the spans in order."""
    days = -(-len(figures.days) // STEPS)
    chosen = partial(_span, figures)
    return days, [chosen(figures.days[at : at + days]) for at in range(0, len(figures.days), days)]


def _span(figures: Statistics, rows: Sequence[DayRow]) -> _Span:
    made = _Span(rows[0].day, rows[-1])
    for row in rows:
        for name, count in row.events.items():
            made.events[name] = made.events.get(name, 0) + count
        _merge(made.handover, row.handover)
        _merge(made.answer, row.answer)
        _merge(made.lag, figures.lags_by_day.get(row.day, Spread()))
    return made


def _merge(into: Spread, spread: Spread) -> None:
    into.count += spread.count
    into.longest = max(into.longest, spread.longest)
    into.classes = [a + b for a, b in zip(into.classes, spread.classes, strict=True)]
