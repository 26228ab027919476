"""What one bulletin says otherwise than the one whose place it takes."""

from __future__ import annotations

from saphan.showing.items import Document, Item
from saphan.showing.texts import Text

INSIDE = frozenset({"group", "list"})


def changes(before: Document | None, after: Document | None) -> dict[str, tuple[Text, ...]]:
    """What stood there before, by the pointers of values that were changed; () where nothing did.

    The lists of both are compared entry by entry, in their order.
    """
    if before is None or after is None:
        return {}
    said = {item.pointer: item for item in before.each()}
    found: dict[str, tuple[Text, ...]] = {}
    for item in after.each():
        if item.kind in INSIDE:
            continue
        was = said.get(item.pointer)
        if was is None:
            found[item.pointer] = ()
        elif _says(was) != _says(item):
            found[item.pointer] = was.values
    return found


def left_out(before: Document | None, after: Document | None) -> tuple[Item, ...]:
    """Values of the earlier one that the later one has no more, in their order."""
    if before is None or after is None:
        return ()
    there = {item.pointer for item in after.each()}
    gone = [item for item in before.each() if item.pointer not in there]
    return tuple(item for item in gone if item.kind not in INSIDE)


def _says(item: Item) -> tuple[object, ...]:
    return (item.values, item.code)
