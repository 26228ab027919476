"""What one bulletin says otherwise than the one whose place it takes."""

from __future__ import annotations

from dataclasses import dataclass

from saphan.showing.items import Document, Item

INSIDE = frozenset({"group", "list"})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A value that the later one has no more; `within`: names of the parts around it."""

    within: tuple[str, ...]
    item: Item


def changes(before: Document | None, after: Document | None) -> dict[str, Item | None]:
    """What stood there before, by the pointers of values that were changed; None: nothing did.

    The lists of both are compared entry by entry, in their order.
    """
    if before is None or after is None:
        return {}
    said = {item.pointer: item for item in before.each()}
    found: dict[str, Item | None] = {}
    for item in after.each():
        if item.kind in INSIDE:
            continue
        was = said.get(item.pointer)
        if was is None or _says(was) != _says(item):
            found[item.pointer] = was
    return found


def left_out(before: Document | None, after: Document | None) -> tuple[LeftOut, ...]:
    """Values of the earlier one that the later one has no more, in their order."""
    if before is None or after is None:
        return ()
    there = {item.pointer for item in after.each()}
    around: dict[str, tuple[str, ...]] = {}
    gone = []
    for item in before.each():
        within = around.get(item.pointer, ())
        named = (*within, called) if (called := _called(item)) else within
        around.update((below.pointer, named) for below in item.below)
        if item.pointer not in there and item.kind not in INSIDE:
            gone.append(LeftOut(within, item))
    return tuple(gone)


def _called(item: Item) -> str:
    """What a part is about, where it says so: an entry of a list has no name of its own."""
    return item.name if item.caption is None else f"{item.name} {item.caption.text}".strip()


def _says(item: Item) -> tuple[object, ...]:
    return (item.values, item.code)
