"""Words that mix scripts: in a number or a name that identifies something, one of them is a fake.

A Cyrillic letter that looks like a Latin one makes a second account, plate or document that no
search finds. The scripts of letters are pinned as the list of refused characters is
(`text_scripts.json`); scripts that are written together with Han count as Han there.
"""

from __future__ import annotations

import bisect
import functools
import json
import re
from importlib import resources
from typing import Final

_WORD: Final = re.compile(r"[^\x00-/:-@\[-`{-\x7f]+")
"""Between two ASCII characters that are neither letters nor digits: what the eye sees as one.

U+200B ends no word: nobody sees it, and a fake with one on each side would pass.
"""
_ONE: Final = re.compile(
    r"(?:[\x00-@\[-`{-\x7f\u200b]|[\u0e80-\u0eff])*\Z"
    r"|(?:[\x00-@\[-`{-\x7f\u200b]|[\u1780-\u17ff])*\Z"
)
"""Lao letters or Khmer letters alone, with ASCII that is no letter: most texts, seen at once."""


def mixed_word(text: str) -> int | None:
    """Where the first word begins that has letters of more than one script; None without one.

    Digits, signs and marks that belong to no script do not count: "ກຂ 0000" and "13S" are clean.

    Args:
        text: without characters that `text.check_text` refuses.
    """
    if text.isascii() or _ONE.match(text):
        return None
    for word in _WORD.finditer(text):
        found = {script for char in word[0] if (script := script_of(char)) is not None}
        if len(found) > 1:
            return word.start()
    return None


def script_of(char: str) -> str | None:
    """The Unicode name of a character's script; None for what belongs to no script or to all."""
    firsts, lasts, names = _table()
    at = bisect.bisect_right(firsts, ord(char)) - 1
    return names[at] if at >= 0 and ord(char) <= lasts[at] else None


@functools.cache
def _table() -> tuple[list[int], list[int], list[str]]:
    path = resources.files("saphan_schemas").joinpath("text_scripts.json")
    ranges: list[tuple[int, int, str]] = json.loads(path.read_text(encoding="utf-8"))["ranges"]
    return [one[0] for one in ranges], [one[1] for one in ranges], [one[2] for one in ranges]
