"""A story as a drawing: who said what to whom, from top to bottom, and how each step is proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import add
from typing import Final, Literal

from saphan.pages import svg

Mark = Literal["good", "warn", "bad"]
"""Proven; shown, but something is missing; refused by a check."""

_ROW: Final = 64
_TOP: Final = 36
_LANE_ROOM: Final = 26
_LANE_STEP: Final = 96
"""Lanes stand no farther apart: the names of long ones stand in several rows above them."""
_NAME_ROW: Final = 18
_SMALL: Final = 11
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
    """The drawing, as wide as its words need; they stand first, where a narrow screen begins.

    Args:
        lanes: at least one name; a vertical line each, from left to right.
        moments: by time; their lanes are indices of `lanes`.
    """
    room = max(map(_width, moments), default=0)
    halves = [svg.text_width(name) / 2 for name in lanes]
    places = _places(halves, room)
    rows = _rows(places, halves)
    start = _TOP + _NAME_ROW * max(rows)
    height = start + _ROW * len(moments) + 4
    marks = [*_lanes(lanes, places, rows, height)]
    for row, moment in enumerate(moments):
        top = start + _ROW * row
        marks += _words(moment, top)
        marks += _moment(moment, places, room, top + _ROW / 2)
    width = max(map(add, places, halves)) + 4
    return svg.Drawing(width, height, tuple(marks))


def _width(moment: Moment) -> float:
    """How much room the words of a moment take."""
    times = f"{moment.stamp}  {moment.after}"
    small = max(svg.text_width(moment.note, _SMALL), svg.text_width(times, _SMALL))
    return max(svg.text_width(moment.label) * 1.1, small)


def _places(halves: Sequence[float], room: float) -> list[float]:
    """The middle of each lane, given half the width of its name."""
    places = [room + _LANE_ROOM + halves[0]]
    for before, half in pairwise(halves):
        places.append(places[-1] + min(before + half + _LANE_ROOM, _LANE_STEP))
    return places


def _rows(places: Sequence[float], halves: Sequence[float]) -> list[int]:
    """The row of each name: the first one in which it stands beside the others."""
    ends: list[float] = []
    rows = []
    for place, half in zip(places, halves, strict=True):
        free = (row for row, end in enumerate(ends) if end < place - half)
        row = next(free, len(ends))
        ends[row : row + 1] = [place + half + _LANE_ROOM / 2]
        rows.append(row)
    return rows


def _lanes(
    lanes: Sequence[str], places: Sequence[float], rows: Sequence[int], height: float
) -> Iterator[svg.Mark]:
    for place, row in zip(places, rows, strict=True):
        yield svg.line(place, 26 + _NAME_ROW * row, place, height)
    for name, place, row in zip(lanes, places, rows, strict=True):
        top, width = _NAME_ROW * row, svg.text_width(name)
        if row:  # the line of another lane runs behind it
            yield svg.rect(place - width / 2, top + 4, width, 16, "#ffffff")
        yield svg.text(place, top + 16, name, anchor="middle", bold=True)


def _words(moment: Moment, top: float) -> Iterator[svg.Mark]:
    yield svg.text(0, top + 20, moment.label, bold=True)
    times = f"{moment.stamp}  {moment.after}".strip()
    yield svg.text(0, top + 37, times, fill=svg.DIM, size=_SMALL)
    yield svg.text(0, top + 53, moment.note, fill=_COLOURS[moment.mark], size=_SMALL)


def _moment(moment: Moment, places: Sequence[float], room: float, y: float) -> Iterator[svg.Mark]:
    colour, place = _COLOURS[moment.mark], places[moment.lane]
    first = min(place, places[moment.lane if moment.to is None else moment.to])
    yield svg.line(room + 10, y, first - 10, y, dash="1 4")
    if moment.to is not None and moment.to != moment.lane:
        yield from _arrow(place, places[moment.to], y, colour)
    yield from _sign(moment.mark, place, y, colour)


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
