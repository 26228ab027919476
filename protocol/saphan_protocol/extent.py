"""Where a canonical record ends inside longer bytes: arrays, byte strings, small scalars.

Padding follows a record without a length of its own, so the record's own headers must say where it
ends. Only the forms that canonical records of `Sealed`'s kind use are walked; all else is refused.
"""

from __future__ import annotations

from typing import Final

MAX_ITEMS: Final = 64
"""Values in one `Sealed`: 3 fields, 2 signatures of 2 fields, items of 5 fields and 16 hashes."""

# Byte string headers: bytes of length that follow the first byte.
_BIN: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_UINT: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}


def record_extent(data: bytes) -> int | None:
    """Length in bytes of the first value in `data`; None if it is cut short or of another form."""
    position, pending, seen = 0, 1, 0
    while pending:
        if position >= len(data) or seen > MAX_ITEMS:
            return None
        pending -= 1
        seen += 1
        first = data[position]
        position += 1
        if first <= 0x7F or first == 0xC0:  # small integer, nil
            continue
        if first & 0xF0 == 0x90:  # array of at most 15
            pending += first & 0x0F
        elif first == 0xDC:  # array of at most 65,535; MAX_ITEMS stops it long before
            pending += int.from_bytes(data[position : position + 2], "big")
            position += 2
        elif first in _BIN:
            width = _BIN[first]
            position += width + int.from_bytes(data[position : position + width], "big")
        elif first in _UINT:
            position += _UINT[first]
        else:
            return None
    return position if position <= len(data) else None
