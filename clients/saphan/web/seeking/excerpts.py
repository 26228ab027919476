"""Where what was asked for stands in a text, as it was written: folded, found, mapped back."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from saphan.folding.searching import aligned, search_key, sound, units
from saphan.showing.texts import told

BEFORE: Final = 60
"""Letters before the first that was found."""
WIDE: Final = 240
"""Letters of an excerpt."""
CHUNK: Final = 4_000
"""Letters that are looked through at once."""
OVERLAP: Final = 200
"""Letters that two chunks have in common: what stands on their border is in one of them."""
LOOKED_THROUGH: Final = 20_000
"""Letters of one bulletin that are looked through for excerpts; its page shows all of it."""
_NAME: Final = re.compile(r"[^\W\d_]{3,40}")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some letters, and whether they are what was asked for."""

    text: str
    found: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Part of a text in one language; `begins` and `ends`: nothing is before, or behind it.

    Args:
        place: JSON pointer of the text; label: what its field is called.
    """

    lang: str
    pieces: tuple[Piece, ...]
    begins: bool
    ends: bool
    place: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked for: search keys of words and long numbers, and sounds of names."""

    words: tuple[str, ...]
    sounds: frozenset[str]


def excerpts(texts: Iterable[tuple[str, str]], looked: Looked, most: int) -> list[Excerpt]:
    """Excerpts of the texts in which something stands, at most so many, one of each text.

    Args:
        texts: with their places."""
    found: list[Excerpt] = []
    left = LOOKED_THROUGH
    for place, text in texts:
        for start in range(0, min(len(text), left), CHUNK - OVERLAP):
            chunk = text[start : start + CHUNK]
            spans = _spans(chunk, looked)
            if spans:
                found.append(replace(_excerpt(text, start, spans), place=place))
                break
        left -= len(text)
        if len(found) == most or left <= 0:
            break
    return found


def plain(one: Excerpt) -> str:
    """Its words alone."""
    return "".join(piece.text for piece in one.pieces)


def whole(text: str, lang: str, looked: Looked, most: int) -> Excerpt:
    """A title, or its beginning, with what was found in it."""
    part = text[:most]
    spans = _spans(part, looked)
    return Excerpt(lang, tuple(_cut(part, 0, len(part), spans)), True, len(part) == len(text))


def _spans(text: str, looked: Looked) -> list[Span]:
    """Apart from each other, in order."""
    found = sorted({*_of_words(text, looked.words), *_of_sounds(text, looked.sounds)})
    apart: list[Span] = []
    for begin, end in found:
        if apart and begin <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((begin, end))
    return apart


def _of_words(text: str, words: tuple[str, ...]) -> Iterator[Span]:
    key = search_key(text)
    there = [word for word in words if word in key]
    places = aligned(text)[1] if there else []  # most texts have none: only folding is quick
    for word in there if places else ():
        at = key.find(word)
        while at >= 0:
            yield places[at][0], places[at + len(word) - 1][1]
            at = key.find(word, at + len(word))


def _of_sounds(text: str, sounds: frozenset[str]) -> Iterator[Span]:
    if sounds:
        for match in _NAME.finditer(text):
            if match[0][0].isupper() and sound(match[0]) in sounds:
                yield match.span()


def _excerpt(text: str, start: int, spans: list[Span]) -> Excerpt:
    """Cut between letters, never between a letter and its marks."""
    starts = [begin for begin, _ in units(text[start : start + CHUNK])]
    first = bisect.bisect_right(starts, max(0, spans[0][0] - BEFORE)) - 1
    begin = starts[first] if first > 0 else 0
    last = bisect.bisect_left(starts, max(begin + WIDE, spans[0][1]))
    end = starts[last] if last < len(starts) else min(len(text) - start, CHUNK)
    part = text[start : start + end]
    lang = told(text).lang
    pieces = tuple(_cut(part, begin, end, spans))
    return Excerpt(lang, pieces, start + begin == 0, start + end >= len(text))


def _cut(text: str, begin: int, end: int, spans: list[Span]) -> Iterator[Piece]:
    at = begin
    for first, last in spans:
        if first >= end:
            break
        if first > at:
            yield Piece(text[at:first], False)
        yield Piece(text[first : min(last, end)], True)
        at = min(last, end)
    if at < end:
        yield Piece(text[at:end], False)
