"""Spellings of one name folded into one text, for finding only: what is signed never changes.

Steps F1 to F4 of schemas/spec/retention.md, section 11. The index of references at a node is made
of this, and what is suppressed there is known by it: a change here makes every such index anew.
What only searching folds is in `searching`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

UNSEEN: Final = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad")
COENG: Final = "\u17d2"
"""Puts the next consonant below."""
_UNSEEN: Final = dict.fromkeys(map(ord, UNSEEN))
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


def fold(text: str) -> str:
    """The text as all its spellings are folded: letters, marks and digits; words one space apart.

    Applied again it changes nothing."""
    return " ".join(letters(text).split())


def letters(text: str) -> str:
    """The same with a space for each character that is no letter, mark or number."""
    if text.isascii():
        return text.lower().translate(_KEPT)  # every step below leaves ASCII as it is
    text = unicodedata.normalize("NFKC", text).casefold()
    text = unicodedata.normalize("NFD", text).translate(_LATIN_MARKS)
    text = unicodedata.normalize("NFKC", text).translate(_LATIN_LETTERS)
    text = text.translate(_UNSEEN).translate(_TONES).replace(*_LAO_LO)
    text = _KHMER_CLUSTER.sub(_cluster, text)
    return text.translate(_KEPT)


class _Kept(dict[int, str]):
    """A letter, a mark, a digit in ASCII; a space for everything else."""

    def __missing__(self, point: int) -> str:
        one = chr(point)
        kind = unicodedata.category(one)
        kept = one if kind[0] in "LMN" else " "
        if kind == "Nd":
            kept = str(unicodedata.digit(one))
        self[point] = kept
        return kept


_KEPT: Final = _Kept()
"""Filled as characters come; Unicode bounds it."""


def _cluster(match: re.Match[str]) -> str:
    """A base and what hangs on it: subscripts first (RO last, DA as TA), then signs in order."""
    parts = _KHMER_PART.findall(match[2].replace("\u17d2\u178a", "\u17d2\u178f"))
    under = sorted((one for one in parts if len(one) == 2), key=_KHMER_RO.__eq__)
    signs = "".join(sorted(one for one in parts if len(one) == 1))
    for typed, meant in _KHMER_VOWELS.items():
        signs = signs.replace(typed, meant)
    return match[1] + "".join(under) + signs
