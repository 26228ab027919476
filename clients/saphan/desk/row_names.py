"""What a row is sealed with beside its key: where it belongs, so that none can be put elsewhere."""

from __future__ import annotations

from typing import Final

from saphan_protocol.identity import pae_array

ROW_TYPE: Final = "saphan/desk_row/1"
PART_TYPE: Final = "saphan/desk_part/1"


def row_aad(shelf: int, place: bytes, day: int | None) -> bytes:
    """Additional data of a row."""
    return pae_array(ROW_TYPE, [int(shelf), place] if day is None else [int(shelf), place, day])


def part_aad(place: bytes, n: int, day: int | None) -> bytes:
    """Additional data of a part of something long."""
    return pae_array(PART_TYPE, [place, n] if day is None else [place, n, day])
