"""A story as a drawing: who said what to whom, from top to bottom, and how each step is proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from saphan.pages import svg

Mark = Literal["good", "warn", "bad"]
"""Proven; shown, but something is missing; refused by a check."""

_ROW: Final = 50
_TOP: Final = 44
_TIME: Final = 150
"""Room for a time to the second, and the time gone by."""
_LANE_ROOM: Final = 26
_COLOURS: Final = {"good": svg.GOOD, "warn": svg.WARN, "bad": svg.BAD}


@dataclass(frozen=True, slots=True)
class Moment:
    """One event.

    Args:
        stamp: its time; after: how long after the event above, or "".
        lane: whose statement it is; to: lane that it went to, if it is another's.
        label, note: what happened; how it is proven.
    """

    stamp: str
    after: str
    lane: int
    to: int | None
    label: str
    note: str
    mark: Mark


def timeline(lanes: Sequence[str], moments: Sequence[Moment]) -> svg.Drawing:
    """The drawing, as wide as its words need.

    Args:
        lanes: at least one name; a vertical line each, from left to right.
        moments: by time; their lanes are indices of `lanes`.
    """
    places = _places(lanes)
    words = places[-1] + svg.text_width(lanes[-1]) / 2 + _LANE_ROOM
    lengths = (max(svg.text_width(m.label) * 1.1, svg.text_width(m.note)) for m in moments)
    width = words + max(lengths, default=0) + 8
    height = _TOP + _ROW * len(moments) + 4
    marks = [*_lanes(lanes, places, height)]
    for row, moment in enumerate(moments):
        marks += _moment(moment, places, words, _TOP + _ROW * row + _ROW / 2)
    return svg.Drawing(width, height, tuple(marks))


def _places(lanes: Sequence[str]) -> list[float]:
    """The middle of each lane, so far apart that the names stand beside each other."""
    at = float(_TIME)
    places = []
    for name in lanes:
        half = svg.text_width(name) / 2
        places.append(at + half)
        at += 2 * half + _LANE_ROOM
    return places


def _lanes(lanes: Sequence[str], places: Sequence[float], height: float) -> Iterator[svg.Mark]:
    for name, place in zip(lanes, places, strict=True):
        yield svg.text(place, 20, name, anchor="middle", bold=True)
        yield svg.line(place, 30, place, height)


def _moment(moment: Moment, places: Sequence[float], words: float, y: float) -> Iterator[svg.Mark]:
    colour, place = _COLOURS[moment.mark], places[moment.lane]
    yield svg.text(0, y - 2, moment.stamp)
    if moment.after:
        yield svg.text(0, y + 14, moment.after, fill=svg.DIM, size=11)
    last = max(place, places[moment.lane if moment.to is None else moment.to])
    yield svg.line(last + 10, y, words - 8, y, dash="1 4")
    if moment.to is not None and moment.to != moment.lane:
        yield from _arrow(place, places[moment.to], y, colour)
    yield from _sign(moment.mark, place, y, colour)
    yield svg.text(words, y - 2, moment.label, bold=True)
    yield svg.text(words, y + 14, moment.note, fill=colour, size=11)


def _arrow(start: float, end: float, y: float, colour: str) -> Iterator[svg.Mark]:
    way = 1 if end > start else -1
    yield svg.line(start, y, end - way * 8, y, stroke=colour, width=2)
    yield svg.polygon(((end, y), (end - way * 9, y - 5), (end - way * 9, y + 5)), colour)


def _sign(mark: Mark, x: float, y: float, colour: str) -> Iterator[svg.Mark]:
    """Told apart by form too: a full dot, a ring, a cross."""
    if mark == "bad":
        yield svg.line(x - 6, y - 6, x + 6, y + 6, stroke=colour, width=3)
        yield svg.line(x - 6, y + 6, x + 6, y - 6, stroke=colour, width=3)
    else:
        yield svg.circle(x, y, 6, colour if mark == "good" else "#ffffff", colour)
