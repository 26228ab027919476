"""How wide text is on a terminal, and cutting it without tearing a letter apart.

Lao vowels and tones and Khmer vowels and signs are marks on a letter; a Khmer subscript is the sign
coeng (U+17D2) and one more letter. A user-perceived letter (cluster) is never cut. Widths are what
terminals count, cell by cell: marks above and below take none, Khmer spacing vowels and the letter
of a subscript take one (a terminal that draws it underneath still moves its cursor), East Asian
wide letters two, as in the tables of glibc. `unicodedata` says all of this; no library is needed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

COENG: Final = "\u17d2"
_JOINER: Final = "\u200d"
_MARKS: Final = frozenset(("Mn", "Me", "Mc"))
_NO_CELL: Final = frozenset(("Mn", "Me", "Cf", "Cc", "Zl", "Zp"))
_AM: Final = frozenset("\u0eb3\u0e33")
"""Lao and Thai am: letters by category, but written on the letter before them."""


def width(text: str) -> int:
    """Terminal cells that a line of text takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(_cells(char) for char in text)


def clusters(text: str) -> Iterator[str]:
    """The letters of a text as a reader counts them, each with its marks and subscripts."""
    start = 0
    for at in range(1, len(text)):
        if not _belongs(text[at - 1], text[at]):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def pad(text: str, cells: int) -> str:
    """The text with spaces after it up to `cells`; a wider text comes back as it is."""
    return text + " " * (cells - width(text))


def clip(text: str, cells: int, end: str = "…") -> str:
    """The text, or as many whole letters of it as fit into `cells` with `end` after them."""
    if width(text) <= cells:
        return text
    room = cells - width(end)
    if room < 0:
        return ""
    kept = 0
    for letter in clusters(text):
        room -= width(letter)
        if room < 0:
            break
        kept += len(letter)
    return text[:kept] + end


def fit(text: str, cells: int) -> str:
    """Exactly `cells` cells: clipped, then padded; a column of a table."""
    return pad(clip(text, cells), cells)


def _cells(char: str) -> int:
    if unicodedata.category(char) in _NO_CELL:
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _belongs(before: str, char: str) -> bool:
    """Whether `char` is part of the letter that `before` belongs to."""
    if unicodedata.category(char) in _MARKS or char in _AM or char == _JOINER:
        return True
    if before == COENG:
        return "\u1780" <= char <= "\u17b3"
    return before == _JOINER and not char.isspace()
