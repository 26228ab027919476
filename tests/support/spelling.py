"""Spellings of Lao and Khmer that look right and are not: no search would find such a word."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WRONG: Final = {
    "a Lao am in two signs": "\u0ecd[\u0ec8-\u0ecb]?\u0eb2",
    "ho no or ho mo without its ligature": "ຫ[ນມ]",
    "a Lao tone before its vowel": "[\u0ec8-\u0ecb][\u0eb1\u0eb4-\u0eb9\u0ebb]",
    "two Lao tones or vowels on one letter": "[\u0ec8-\u0ecb]{2}|[\u0eb1\u0eb4-\u0eb9\u0ebb]{2}",
    "a Khmer subscript without its letter": "\u17d2(?![\u1780-\u17a2])",
    "a Khmer vowel before a subscript": "[\u17b6-\u17c5]\u17d2",
    "two Khmer vowels on one letter": "[\u17b6-\u17c5]{2}",
}


def misspelt(text: str) -> str | None:
    """What is wrong with a text; None if nothing is."""
    if not unicodedata.is_normalized("NFC", text):
        return "not NFC"
    return next((name for name, form in _WRONG.items() if re.search(form, text)), None)
