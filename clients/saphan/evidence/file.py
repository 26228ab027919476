"""Evidence bundles as files: read and written as a stream, one item in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from saphan_protocol.bundle.reading import BUNDLE_ITEM_BYTES, cut, malformed, parse_bundle_item
from saphan_schemas.bundles import BundleItem

from saphan.item_file import Format, read_items, write_items

BUNDLE: Final = Format("bundle", BUNDLE_ITEM_BYTES, parse_bundle_item, malformed, cut)


def read_bundle(path: Path) -> Iterator[BundleItem]:
    """The items of a bundle, in order; nothing of them is believed yet.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`.
        InvalidInput: `bundle_malformed`, `bundle_cut`.
    """
    return read_items(path, BUNDLE)


def write_bundle(path: Path, items: Iterable[BundleItem], wrote: Callable[[int], None]) -> None:
    """Write a new bundle, readable by its owner only; durable and whole on return, or not there.

    Args:
        wrote: is told the length of each item.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`; and what `items` raise.
    """
    write_items(path, items, wrote)
