"""Search keys in half the memory: the letters of Lao and Khmer take the places below U+0100 that
folding leaves free, so that Python keeps them in one byte each.

A mapping of letters one to one: a word is in a text exactly if it is so when both are packed.
"""

from __future__ import annotations

import string
from typing import Final

_STAYING: Final = string.ascii_lowercase + string.digits + " \n"
_OURS: Final = (*range(0x0E81, 0x0EE0), *range(0x1780, 0x17D4), 0x17D7, 0x17DC, 0x17DD)
"""Letters, signs and digits; what folding changes into others never comes here, and has no harm."""
_FREE: Final = [point for point in range(0x01, 0x100) if chr(point) not in _STAYING]
_PRIVATE: Final = 0xE000
"""No search key has characters of private use: they are no letters."""
_TABLE: Final = {
    **{point: _PRIVATE + point for point in range(0x80, 0x100)},
    **dict(zip(_OURS, _FREE, strict=False)),
}


def pack(key: str) -> str:
    """A search key as it is kept in memory."""
    return key.translate(_TABLE)
