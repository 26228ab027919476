"""The consonants of a romanised name: what different romanisations of it have in common."""

from __future__ import annotations

import re
from typing import Final

_ASPIRATED: Final = (
    ("kh", "k"), ("ph", "p"), ("th", "t"), ("bh", "b"), ("dh", "d"), ("gh", "g"), ("ch", "j"),
    ("sh", "s"), ("ng", "n"), ("ny", "n"), ("nh", "n"),
)  # fmt: skip
_LIKE: Final = str.maketrans({"c": "k", "q": "k", "g": "k", "z": "s", "x": "s", "v": "w", "b": "p",
                              "d": "t", "l": "r"})  # fmt: skip
"""Letters that romanisations of Lao and Khmer use for each other."""
_VOWELS: Final = dict.fromkeys(map(ord, "aeiouyh"))
_BONES: Final = 3
"""Consonants below which a skeleton says nothing."""


def skeleton(folded: str) -> str:
    """The consonants of a folded Latin name, loosely: romanisations of one name often share them.

    Empty for a name with letters of another script, or with fewer than three consonants."""
    if not folded.isascii() or any(map(str.isdigit, folded)):
        return ""
    words = sorted(filter(None, map(_bones, folded.split())))
    return " ".join(words) if sum(map(len, words)) >= _BONES else ""


def _bones(word: str) -> str:
    for typed, meant in _ASPIRATED:
        word = word.replace(typed, meant)
    word = word.translate(_LIKE).translate(_VOWELS)
    return re.sub(r"(.)\1+", r"\1", word)
