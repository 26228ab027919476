"""The few marks that our drawings consist of, as SVG text; numbers are user units (pixels).

Pure: the same drawing gives the same text. Nothing in it moves, links or fetches. The same text is
drawn by browsers inside a page and by the PDF's typesetter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final, Literal

from saphan_schemas.width import width as cells

INK: Final = "#1b1f24"
DIM: Final = "#57606a"
RULE: Final = "#d0d7de"
GOOD: Final = "#116329"
WARN: Final = "#9a6700"
BAD: Final = "#a40e26"
SERIES: Final = ("#0a5ea8", "#b35900", "#4d7c0f", "#7a3e9d", "#57606a")
"""Told apart in print without colour too: they differ in darkness, and lines in their dashes."""

FAMILY: Final = "Noto Sans, Segoe UI, Helvetica Neue, Arial, sans-serif"
_SCRIPTS: Final = (
    ("\u0e80", "\u0eff", "Noto Sans Lao, Leelawadee UI, Lao MN, sans-serif"),
    ("\u1780", "\u17ff", "Noto Sans Khmer, Leelawadee UI, Khmer MN, sans-serif"),
)
SIZE: Final = 12
Look = dict[str, str | float]
"""Attributes of a mark."""
Anchor = Literal["start", "middle", "end"]


def drawing(width: float, height: float, marks: Iterable[str]) -> str:
    """A whole drawing on white."""
    size: Look = {
        "viewBox": f"0 0 {number(width)} {number(height)}",
        "width": width,
        "height": height,
    }
    font: Look = {"font-family": FAMILY, "font-size": SIZE}
    xmlns = "http://www.w3.org/2000/svg"
    return _mark("svg", {"xmlns": xmlns, **size, **font}, "".join(marks))


def text(
    x: float,
    y: float,
    said: str,
    *,
    fill: str = INK,
    anchor: Anchor = "start",
    size: float = SIZE,
    bold: bool = False,
) -> str:
    """Words on one line, their baseline at y."""
    keep = "preserve"  # the space between words of two scripts
    attributes: Look = {
        "xml:space": keep,
        "x": x,
        "y": y,
        "fill": fill,
        "text-anchor": anchor,
        "font-size": size,
    }
    weight: Look = {"font-weight": 700} if bold else {}
    return _mark("text", {**attributes, **weight}, "".join(_runs(said)))


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    stroke: str = RULE,
    width: float = 1,
    dash: str = "",
) -> str:
    """A straight line; `dash` as SVG writes it, such as "3 3"."""
    ends: Look = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return _mark("line", {**ends, "stroke": stroke, "stroke-width": width, **_dashed(dash)})


def rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A filled rectangle."""
    return _mark("rect", {"x": x, "y": y, "width": width, "height": height, "fill": fill})


def polyline(points: Iterable[tuple[float, float]], stroke: str, dash: str = "") -> str:
    """Joined lines through at least two points."""
    look: Look = {"fill": "none", "stroke": stroke, "stroke-width": 2, "stroke-linejoin": "round"}
    return _mark("polyline", {"points": _joined(points), **look, **_dashed(dash)})


def polygon(points: Iterable[tuple[float, float]], fill: str) -> str:
    """A filled area."""
    return _mark("polygon", {"points": _joined(points), "fill": fill})


def circle(x: float, y: float, radius: float, fill: str, stroke: str = "none") -> str:
    """A dot, or a ring where `fill` is white."""
    look: Look = {"fill": fill, "stroke": stroke, "stroke-width": 2}
    return _mark("circle", {"cx": x, "cy": y, "r": radius, **look})


def text_width(said: str, size: float = SIZE) -> float:
    """About how wide words are: enough to leave room, not to set type by."""
    return cells(said) * size * 0.58


def number(value: float) -> str:
    """A number as short as it is exact to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _runs(said: str) -> Iterator[str]:
    """Words of one script after the other: the PDF's typesetter shapes a run with one font."""
    for script, run in itertools.groupby(said, _font_of):
        letters = escape("".join(run))
        yield letters if script is None else _mark("tspan", {"font-family": script}, letters)


def _font_of(letter: str) -> str | None:
    """The fonts of a letter of Lao or Khmer; None for all others."""
    return next((font for first, last, font in _SCRIPTS if first <= letter <= last), None)


def _mark(name: str, attributes: Look, inside: str = "") -> str:
    shown = "".join(
        f' {key}="{value if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{shown}>{inside}</{name}>" if inside else f"<{name}{shown}/>"


def _joined(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)


def _dashed(dash: str) -> Look:
    return {"stroke-dasharray": dash} if dash else {}
