"""The few marks that our drawings consist of, and drawings as SVG; units are pixels.

Pure: the same drawing gives the same text. Nothing in it moves, links or fetches. The typesetter of
the PDF draws the marks itself, because readers of SVG set the Khmer in it badly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

FAMILY: Final = (
    "Noto Sans, Segoe UI, Helvetica Neue, Arial, Noto Sans Lao, Noto Sans Khmer, Leelawadee UI, "
    "Lao MN, Khmer MN, sans-serif"
)
SIZE: Final = 12
Points = tuple[tuple[float, float], ...]
Look = dict[str, str | float | Points]
"""Attributes of a mark, named as in SVG; places are pairs (x, y)."""
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One element: its SVG name and attributes, and what a text says."""

    name: str
    look: Look
    said: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Marks on white, the later ones above."""

    width: float
    height: float
    marks: tuple[Mark, ...]


def write_svg(drawing: Drawing) -> str:
    """The drawing as an `svg` element, to stand inside an HTML page."""
    width, height = number(drawing.width), number(drawing.height)
    look: dict[str, str | float] = {"viewBox": f"0 0 {width} {height}"}
    look |= {"width": width, "height": height, "font-family": FAMILY, "font-size": SIZE}
    return _element("svg", look, "".join(map(_written, drawing.marks)))


def text(
    x: float,
    y: float,
    said: str,
    *,
    fill: str = INK,
    anchor: Anchor = "start",
    size: float = SIZE,
    bold: bool = False,
) -> Mark:
    """Words on one line, their baseline at y."""
    attributes: Look = {
        "x": x,
        "y": y,
        "fill": fill,
        "text-anchor": anchor,
        "font-size": size,
    }
    weight: Look = {"font-weight": 700} if bold else {}
    return Mark("text", {**attributes, **weight}, said)


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    stroke: str = RULE,
    width: float = 1,
    dash: str = "",
) -> Mark:
    """A straight line; `dash` as SVG writes it, such as "3 3"."""
    ends: Look = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return Mark("line", {**ends, "stroke": stroke, "stroke-width": width, **_dashed(dash)})


def rect(x: float, y: float, width: float, height: float, fill: str) -> Mark:
    """A filled rectangle."""
    return Mark("rect", {"x": x, "y": y, "width": width, "height": height, "fill": fill})


def polyline(points: Iterable[tuple[float, float]], stroke: str, dash: str = "") -> Mark:
    """Joined lines through at least two points."""
    look: Look = {"fill": "none", "stroke": stroke, "stroke-width": 2, "stroke-linejoin": "round"}
    return Mark("polyline", {"points": tuple(points), **look, **_dashed(dash)})


def polygon(points: Iterable[tuple[float, float]], fill: str) -> Mark:
    """A filled area."""
    return Mark("polygon", {"points": tuple(points), "fill": fill})


def circle(x: float, y: float, radius: float, fill: str, stroke: str = "none") -> Mark:
    """A dot, or a ring where `fill` is white."""
    look: Look = {"fill": fill, "stroke": stroke, "stroke-width": 2}
    return Mark("circle", {"cx": x, "cy": y, "r": radius, **look})


_KHMER: Final = 0.86
"""Its letters are as wide as two of ours, by the widest type's name in the font that is shipped."""


def text_width(said: str, size: float = SIZE) -> float:
    """About how wide words are: enough to leave room, not to set type by."""
    return (
        cells(said) * size * (_KHMER if any("\u1780" <= one <= "\u17ff" for one in said) else 0.58)
    )


def number(value: float) -> str:
    """A number as short as it is exact to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _written(mark: Mark) -> str:
    look = {
        key: _joined(value) if isinstance(value, tuple) else value
        for key, value in mark.look.items()
    }
    return _element(mark.name, look, escape(mark.said))


def _element(name: str, look: Mapping[str, str | float], inside: str) -> str:
    shown = "".join(
        f' {key}="{value if isinstance(value, str) else number(value)}"'
        for key, value in look.items()
    )
    return f"<{name}{shown}>{inside}</{name}>" if inside else f"<{name}{shown}/>"


def _joined(points: Points) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)


def _dashed(dash: str) -> Look:
    return {"stroke-dasharray": dash} if dash else {}
