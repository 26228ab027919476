"""What is searched in, and what is searched for: the folding of names, and looser than it.

1. Khmer register shifters go, and the sign u that is typed for one: they look the same under an
   upper vowel.
2. Lao, Khmer and Thai are written without spaces, so theirs go; and those between digits, so that
   a number is found however it was grouped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from saphan.folding.skeleton import skeleton
from saphan.folding.spelling import COENG, UNSEEN, fold, letters

_SHIFTER: Final = re.compile("[\u17c9\u17ca]")
_TYPED_SHIFTER: Final = re.compile(
    "(?<=[\u17b7-\u17ba])\u17bb|\u17bb(?=[\u17be\u17d0])|(?<=\u17b6)\u17bb(?=\u17c6)"
)
_NEEDLESS: Final = re.compile("(?<=[0-9]) (?=[0-9])|(?<=[\u0e00-\uffff]) | (?=[\u0e00-\uffff])")
_WORDS: Final = re.compile("[a-z]+|[0-9]+|[^a-z0-9 ]+")
_JAMO: Final = range(0x1160, 0x1200)
"""Parts of a Hangul syllable that the first one takes to itself."""
_NAME: Final = re.compile("[^\\W\\d_]{3,}")
_LONGEST: Final = 40
"""Letters of a word that may be a name."""


def search_key(text: str) -> str:
    """The text as it is searched in; applied again it changes nothing."""
    return _NEEDLESS.sub("", _loosened(fold(text)))


def asked_words(text: str) -> list[str]:
    """Words of a question, each folded; all of them are to be found, in any order.

    Latin letters and digits are apart: who asks for AB1234 finds AB-1234."""
    parts = (_WORDS.findall(search_key(part)) for part in text.split())
    return list(dict.fromkeys(word for part in parts for word in part))


def sounds(text: str) -> frozenset[str]:
    """Skeletons of the words that may be romanised names: they begin with a capital letter."""
    words = {one for one in _NAME.findall(text) if one[0].isupper() and len(one) <= _LONGEST}
    return frozenset(filter(None, (sound(one) for one in words)))


@lru_cache(maxsize=8_192)
def sound(word: str) -> str:
    """The skeleton of one word; "" if it has none."""
    return skeleton(fold(word))


def aligned(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The search key with, for each of its characters, where it stands in the text: [begin, end).

    A text that does not fold piece by piece has no places; no script of ours is written so."""
    found: list[str] = []
    places: list[tuple[int, int]] = []
    for begin, end in units(text):
        for one in _unit_key(text[begin:end]):
            if one != " " or (found and found[-1] != " "):
                found.append(one)
                places.append((begin, end))
    if found and found[-1] == " ":
        found.pop()
    whole = "".join(found)
    needless = {match.start() for match in _NEEDLESS.finditer(whole)}
    key = "".join(one for at, one in enumerate(whole) if at not in needless)
    if key != search_key(text):
        return search_key(text), []
    return key, [place for at, place in enumerate(places[: len(whole)]) if at not in needless]


def units(text: str) -> Iterator[tuple[int, int]]:
    """Pieces that are folded each by itself: a letter with its marks and what stands below it."""
    begin = 0
    below = False
    for at, one in enumerate(text):
        if at and not below and not _hangs(one):
            yield begin, at
            begin = at
        below = one == COENG or (below and one in UNSEEN)
    if text:
        yield begin, len(text)


def _loosened(folded: str) -> str:
    if folded.isascii():
        return folded
    return _TYPED_SHIFTER.sub("", _SHIFTER.sub("", folded))


@lru_cache(maxsize=8_192)
def _unit_key(unit: str) -> str:
    return _loosened(letters(unit))


@lru_cache(maxsize=4_096)
def _hangs(one: str) -> bool:
    return one in UNSEEN or unicodedata.category(one)[0] == "M" or ord(one) in _JAMO
