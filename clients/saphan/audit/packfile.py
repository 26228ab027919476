"""Record packs as files: read and written as a stream, one item in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from saphan_protocol.pack import PACK_ITEM_BYTES, malformed, parse_pack_item
from saphan_schemas.errors import InvalidInput
from saphan_schemas.packs import PackItem

from saphan.item_file import Format, read_items, split_items, write_items


def _cut() -> InvalidInput:
    return InvalidInput(
        "pack_cut",
        "the pack ends inside an item: it was cut",
        field="pack",
        hint="get the file again from whoever exported it",
    )


PACK: Final = Format("pack", PACK_ITEM_BYTES, parse_pack_item, malformed, _cut)


def read_pack(path: Path) -> Iterator[PackItem]:
    """The items of a pack, in order.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`.
        InvalidInput: `pack_malformed` (also too long or too deep), `pack_cut` inside an item.
    """
    return read_items(path, PACK)


def split_pack(chunks: Iterable[bytes]) -> Iterator[PackItem]:
    """The items of a pack that comes in pieces of any length; at most one item is kept.

    Raises:
        InvalidInput: as `read_pack`.
    """
    return split_items(chunks, PACK)


def write_pack(path: Path, items: Iterable[PackItem]) -> None:
    """Write a new pack, readable by its owner only; durable and whole on return, or not there.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`; and what `items` raise.
    """
    write_items(path, items)
