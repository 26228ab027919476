"""Numbers day by day as a drawing: stacked bars for amounts, lines for durations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from saphan.pages import svg

WIDTH: Final = 720
HEIGHT: Final = 260
WIDEST: Final = 48
"""Of one bar: few days make no walls."""
_BOTTOM: Final = 26
_RIGHT: Final = 8
_LEGEND: Final = 20
_DASHES: Final = ("", "7 4", "2 3", "10 3 2 3", "")
_DATES: Final = 8
"""Days named along the axis at most: more would run into each other."""

DURATIONS: Final = (
    *(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200),
    *(86_400 * days for days in (1, 2, 5, 7, 14, 30, 60, 120, 365, 730, 1_825, 3_650)),
)
"""Steps in seconds that people count by."""


@dataclass(frozen=True, slots=True)
class Series:
    """A name and a value for each day; None where that day has none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the drawing's inner field lies, and what its axes stand for."""

    left: float
    top: float
    step: float
    steps: int
    days: int

    @property
    def bottom(self) -> float:
        return HEIGHT - _BOTTOM

    def x(self, day: float) -> float:
        return self.left + (WIDTH - _RIGHT - self.left) * day / max(self.days, 1)

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * value / (self.step * self.steps)


def bars(
    days: Sequence[str], series: Sequence[Series], show: Callable[[float], str] = str
) -> svg.Drawing:
    """Amounts stacked upon each other, a bar for each day.

    Args:
        days: their names, in order; series: at most five.
        show: a number as words, for the axis; gets whole numbers.
    """
    totals = [sum(each.values[day] or 0 for each in series) for day in range(len(days))]
    frame = _frame(days, series, max(totals, default=0), _decimal, show)
    wide = min((frame.x(1) - frame.x(0)) * 0.8, WIDEST)
    marks = [*_axes(frame, days, show), *_legend(series, frame.left, lines=False)]
    for day in range(len(days)):
        below = 0.0
        for colour, each in zip(svg.SERIES, series, strict=False):
            value = each.values[day] or 0
            top, foot = frame.y(below + value), frame.y(below)
            if value:
                x = frame.x(day + 0.5) - wide / 2
                marks.append(svg.rect(x, top, wide, foot - top, colour))
            below += value
    return svg.Drawing(WIDTH, HEIGHT, tuple(marks))


def lines(
    days: Sequence[str], series: Sequence[Series], show: Callable[[float], str]
) -> svg.Drawing:
    """Durations in seconds, a line for each series; a day without a value interrupts it."""
    values = [value for each in series for value in each.values if value is not None]
    frame = _frame(days, series, max(values, default=0), _duration, show)
    marks = [*_axes(frame, days, show), *_legend(series, frame.left, lines=True)]
    for place, each in enumerate(series[: len(svg.SERIES)]):
        for run in _runs(each.values):
            points = [(frame.x(day + 0.5), frame.y(value)) for day, value in run]
            colour = svg.SERIES[place]
            if len(points) > 1:
                marks.append(svg.polyline(points, colour, _DASHES[place]))
            if len(points) == 1 or len(days) <= 62:
                marks += (svg.circle(x, y, 2.5, colour) for x, y in points)
    return svg.Drawing(WIDTH, HEIGHT, tuple(marks))


def _frame(
    days: Sequence[str],
    series: Sequence[Series],
    highest: float,
    steps: Callable[[float], float],
    show: Callable[[float], str],
) -> _Frame:
    step = steps(highest)
    count = max(1, math.ceil(highest / step))
    left = max(svg.text_width(show(step * at), 11) for at in range(count + 1)) + 10
    rows = 1 + max((row for row, *_ in _places(series, left)), default=0)
    return _Frame(left, _LEGEND * rows + 12, step, count, len(days))


def _axes(frame: _Frame, days: Sequence[str], show: Callable[[float], str]) -> Iterator[svg.Mark]:
    for at in range(frame.steps + 1):
        y = frame.y(frame.step * at)
        yield svg.line(frame.left, y, WIDTH - _RIGHT, y, stroke=svg.DIM if at == 0 else svg.RULE)
        said = show(frame.step * at)
        yield svg.text(frame.left - 6, y + 4, said, fill=svg.DIM, anchor="end", size=11)
    apart = math.ceil(len(days) / _DATES) or 1
    for day in range(0, len(days), apart):
        x = frame.x(day + 0.5)
        yield svg.line(x, frame.bottom, x, frame.bottom + 4, stroke=svg.DIM)
        yield svg.text(x, frame.bottom + 17, days[day], fill=svg.DIM, anchor="middle", size=11)


def _legend(series: Sequence[Series], left: float, *, lines: bool) -> Iterator[svg.Mark]:
    for place, (row, x, name) in enumerate(_places(series, left)):
        y = 12.0 + row * _LEGEND
        colour = svg.SERIES[place]
        if lines:
            yield svg.line(x, y - 4, x + 18, y - 4, stroke=colour, width=2, dash=_DASHES[place])
        else:
            yield svg.rect(x + 2, y - 10, 12, 12, colour)
        yield svg.text(x + 22, y, name)


def _places(series: Sequence[Series], left: float) -> Iterator[tuple[int, float, str]]:
    """Row and place of each name of the legend: a new row where a line is full."""
    row, x = 0, left
    for each in series[: len(svg.SERIES)]:
        room = 22 + svg.text_width(each.name) + 16
        if x > left and x + room > WIDTH:
            row, x = row + 1, left
        yield row, x, each.name
        x += room


def _runs(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    run: list[tuple[int, float]] = []
    for day, value in enumerate(values):
        if value is not None:
            run.append((day, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _decimal(highest: float) -> float:
    """The step of 1, 2 or 5 times a power of ten that divides an axis in at most five."""
    power = 10 ** max(0, math.floor(math.log10(max(highest, 1))) - 1)
    choices = (power * part for part in (1, 2, 5, 10, 20, 50))
    return next(float(step) for step in choices if highest <= step * 5)


def _duration(highest: float) -> float:
    return float(next((step for step in DURATIONS if highest <= step * 5), DURATIONS[-1]))
