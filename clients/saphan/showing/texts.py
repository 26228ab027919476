"""A piece of text and the language it is in: voices, fonts and line breaks go by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LETTERS: Final = (
    ("lo", "\u0e80", "\u0eff"),
    ("km", "\u1780", "\u17ff"),
    ("th", "\u0e00", "\u0e7f"),
)
"""Scripts that one language alone is written in here; Khmer's own signs lie in its block."""
LOOKED_AT: Final = 400
"""Characters by which a long text's language is told."""
OF_SCRIPT: Final = frozenset(lang for lang, _, _ in LETTERS)
"""Languages that their letters tell."""
UNKNOWN: Final = "und"
"""BCP 47: of a text in letters that several languages share."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text.

    Args:
        lang: BCP 47; "" for what has no letters, such as a number.
    """

    text: str
    lang: str


def told(text: str) -> Text:
    """A text of which nobody has said what language it is in: by its letters."""
    start = text[:LOOKED_AT]
    for lang, first, last in LETTERS:
        if any(first <= char <= last for char in start):
            return Text(text, lang)
    return Text(text, UNKNOWN if any(map(str.isalpha, start)) else "")


def ordered(langs: list[str], read: tuple[str, ...]) -> list[str]:
    """Languages, those that the reader reads best first; the others in their own order."""
    return sorted(langs, key=lambda lang: read.index(lang) if lang in read else len(read))
