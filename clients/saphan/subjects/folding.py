"""Spellings of one name folded into one text, for searching only: what is signed never changes.

Written down in schemas/spec/retention.md; the steps are those of reference section "Text in Lao
and Khmer": compatibility forms, Khmer clusters in one order, Lao tone marks dropped, digits in
ASCII, joiners and zero-width spaces away, Latin without case and marks.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_UNSEEN: Final = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD])
_TONES: Final = dict.fromkeys([*range(0x0EC8, 0x0ECD), *range(0x0E47, 0x0E4D)])
"""Lao and Thai tone marks and silencers: two writers of one name often differ in them."""
_LAO_LO: Final = ("\u0eab\u0ebc", "\u0eab\u0ea5")
_LATIN_MARKS: Final = dict.fromkeys(range(0x0300, 0x0370))
_LATIN_LETTERS: Final = str.maketrans({"đ": "d", "ø": "o", "ł": "l", "ð": "d", "þ": "th"})
_KHMER_CLUSTER: Final = re.compile("([\u1780-\u17b3])((?:\u17d2[\u1780-\u17b3]|[\u17b6-\u17d1])+)")
_KHMER_PART: Final = re.compile("\u17d2[\u1780-\u17b3]|.")
_KHMER_RO: Final = "\u17d2\u179a"
_KHMER_VOWELS: Final = {"\u17b8\u17c1": "\u17be", "\u17b6\u17c1": "\u17c4"}
"""Two signs, in the order of their code points, that are typed for one: they look the same."""


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


def fold(text: str) -> str:
    """The text as all its spellings are folded: letters, marks and digits; words one space apart.

    Applied again it changes nothing."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = unicodedata.normalize("NFD", text).translate(_LATIN_MARKS)
    text = unicodedata.normalize("NFKC", text).translate(_LATIN_LETTERS)
    text = text.translate(_UNSEEN).translate(_TONES).replace(*_LAO_LO)
    text = _KHMER_CLUSTER.sub(_cluster, text)
    return " ".join("".join(map(_kept, text)).split())


def skeleton(folded: str) -> str:
    """The consonants of a folded Latin name, loosely: romanisations of one name often share them.

    Empty for a name with letters of another script, or with fewer than three consonants."""
    if not folded.isascii() or any(map(str.isdigit, folded)):
        return ""
    words = sorted(filter(None, map(_bones, folded.split())))
    return " ".join(words) if sum(map(len, words)) >= _BONES else ""


def _kept(one: str) -> str:
    """A letter, a mark, a digit in ASCII; a space for everything else."""
    kind = unicodedata.category(one)
    if kind == "Nd":
        return str(unicodedata.digit(one))
    return one if kind[0] in "LMN" else " "


def _cluster(match: re.Match[str]) -> str:
    """A base and what hangs on it: subscripts first (RO last, DA as TA), then signs in order."""
    parts = _KHMER_PART.findall(match[2].replace("\u17d2\u178a", "\u17d2\u178f"))
    under = sorted((one for one in parts if len(one) == 2), key=_KHMER_RO.__eq__)
    signs = "".join(sorted(one for one in parts if len(one) == 1))
    for typed, meant in _KHMER_VOWELS.items():
        signs = signs.replace(typed, meant)
    return match[1] + "".join(under) + signs


def _bones(word: str) -> str:
    for typed, meant in _ASPIRATED:
        word = word.replace(typed, meant)
    word = word.translate(_LIKE).translate(_VOWELS)
    return re.sub(r"(.)\1+", r"\1", word)
