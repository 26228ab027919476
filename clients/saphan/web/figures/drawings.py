"""The figures as drawings: SVG whose look is all in its attributes, as the page's policy wants.

Beside each stands a table that says the same; the drawing is hidden from screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from saphan.pages import charts, svg
from saphan.pages.charts import Series
from saphan.web.figures.reckoning import Counts
from saphan.web.rendering.numbers import number_words
from saphan.web.rendering.times import duration_words

ROW: Final = 24
LEGEND: Final = 24
LABEL: Final = 250
"""Room for names at the left, at most."""
NAME_CHARS: Final = 34
MOST: Final = 12
"""Names in one drawing; the table has all."""
SECOND_MS: Final = 1_000


def months_drawing(
    names: Sequence[str], counts: Sequence[Counts], words: tuple[str, str], lang: str
) -> Markup:
    """Amounts of each month, stacked; `words`: received, sent."""
    series = [Series(word, [pair[at] for pair in counts]) for at, word in enumerate(words)]
    return _markup(charts.bars(names, series, lambda value: number_words(round(value), lang)))


def times_drawing(
    names: Sequence[str],
    times: Sequence[Sequence[float | None]],
    words: tuple[str, str],
    lang: str,
) -> Markup:
    """How long answers took in the middle, month by month; `times` in ms, `words`: whose."""
    series = [
        Series(word, [None if one is None else one / SECOND_MS for one in values])
        for word, values in zip(words, times, strict=True)
    ]
    return _markup(
        charts.lines(names, series, lambda value: duration_words(value * SECOND_MS, lang))
    )


def names_drawing(rows: Sequence[tuple[str, Counts]], words: tuple[str, str], lang: str) -> Markup:
    """Amounts of each name, the most frequent at the top."""
    shown = [(_short(name), counts) for name, counts in rows[:MOST]]
    left = min(LABEL, max((svg.text_width(name) for name, _ in shown), default=0)) + 12
    highest = max((sum(counts) for _, counts in shown), default=0) or 1
    room = svg.text_width(number_words(highest, lang)) + 12
    wide = charts.WIDTH - left - room
    marks: list[svg.Mark] = []
    at = left
    for colour, word in zip(svg.SERIES, words, strict=False):
        marks += [svg.rect(at, 4, 12, 12, colour), svg.text(at + 18, 14, word)]
        at += svg.text_width(word) + 42
    for place, (name, counts) in enumerate(shown):
        y = LEGEND + place * ROW
        marks.append(svg.text(left - 8, y + 15, name, anchor="end"))
        x = left
        for colour, count in zip(svg.SERIES, counts, strict=False):
            if count:
                marks.append(svg.rect(x, y + 3, wide * count / highest, ROW - 7, colour))
                x += wide * count / highest
        marks.append(svg.text(x + 6, y + 15, number_words(sum(counts), lang), fill=svg.DIM))
    return _markup(svg.Drawing(charts.WIDTH, LEGEND + ROW * max(1, len(shown)), tuple(marks)))


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARS else f"{name[: NAME_CHARS - 1]}…"


def _markup(drawing: svg.Drawing) -> Markup:
    return Markup(svg.write_svg(drawing))  # noqa: S704 (escapes what it is given)
