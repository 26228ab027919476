"""A bundle as a stream of items: which may stand where, how many of each, and that none is cut off.

Step V1 of evidence.md. What is read here is believed by nobody yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from saphan_schemas.bundles import (
    BUNDLE_FORMAT,
    BundleAnchor,
    BundleBody,
    BundleDisclosure,
    BundleEnd,
    BundleEntry,
    BundleHead,
    BundleItem,
    BundleLeaves,
    BundleNote,
    BundlePackage,
    BundleSignature,
    BundleSuccession,
)
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

T = TypeVar("T")

BUNDLE_ITEM_BYTES: Final = 2 * LIMITS.frame_bytes + 64
"""The longest item: an agreement's package and its headers."""

ORDER: Final = (
    BundleNote,
    BundleLeaves,
    BundlePackage,
    BundleAnchor,
    BundleSignature,
    BundleEntry,
    BundleDisclosure,
    BundleBody,
    BundleSuccession,
)
"""Between head and end, in the order of their tags; the end's own tag was given out before the
last one's."""

MOST: Final[dict[type[object], int]] = {
    BundleNote: LIMITS.bundle_notes,
    BundlePackage: LIMITS.bundle_packages,
    BundleAnchor: LIMITS.bundle_entries,
    BundleSignature: LIMITS.bundle_entries,
    BundleEntry: LIMITS.bundle_entries,
    BundleDisclosure: 1,
    BundleSuccession: 2,
}
"""Items that are kept in memory; leaves are counted one by one, and of sealed bytes only the
ciphertext is kept."""


def end_counts(counts: Sequence[int]) -> tuple[int, ...]:
    """What a bundle's end says of these numbers of items, in the order of `ORDER`: successions are
    counted where there are any."""
    return tuple(counts) if counts[-1] else tuple(counts[:-1])


def parse_bundle_item(data: bytes) -> BundleItem:
    """One item from its exact bytes.

    Raises:
        InvalidInput: `evidence_malformed`, also for what is too large or not canonical.
    """
    try:
        item: BundleItem = decode(BundleItem, data, BUNDLE_ITEM_BYTES, "bundle")  # type: ignore[arg-type]
    except InvalidInput as error:
        raise malformed(error.message) from None
    return item


class BundleReader:
    """Reads one bundle: `head` at once, then `of` each kind in their order, then `end`.

    Args:
        items: as they come; errors in reading them pass through.

    Raises:
        InvalidInput: `evidence_foreign`: it does not begin with the head of a known format.
    """

    def __init__(self, items: Iterable[BundleItem]) -> None:
        self._items = iter(items)
        self._held: BundleItem | None = None
        self._place = 0
        self._counts = [0] * len(ORDER)
        try:
            head = next(self._items, None)
        except InvalidInput as error:
            raise _foreign(error.message) from None
        if not isinstance(head, BundleHead):
            raise _foreign("it does not begin with a bundle's head")
        if head.format != BUNDLE_FORMAT:
            raise _foreign(f"it says {head.format[:40]!r}, {BUNDLE_FORMAT!r} is known here")
        self.head: Final = head

    def of(self, kind: type[T]) -> Iterator[T]:
        """All items of a kind that stand next.

        Raises:
            InvalidInput: `evidence_malformed`, `evidence_cut`, `evidence_order`, `evidence_large`.
        """
        place = ORDER.index(kind)
        most = MOST.get(kind)
        while isinstance(item := self._peek(), kind):
            self._held = None
            self._counts[place] += 1
            if most is not None and self._counts[place] > most:
                raise large(f"more than {most} items of the kind {kind.__name__}")
            yield item

    def end(self) -> None:
        """The bundle is over, whole, and nothing follows.

        Raises:
            InvalidInput: `evidence_malformed`, `evidence_cut`, `evidence_order`, `evidence_counts`.
        """
        last = self._peek()
        if not isinstance(last, BundleEnd):
            raise disordered("an item stands where none of its kind may stand")
        if last.counts != end_counts(self._counts):
            raise InvalidInput(
                "evidence_counts",
                "its end counts other items than there are: some were taken out or put in",
                field="bundle.end",
                hint="get the file again from whoever made it",
            )
        if next(self._items, None) is not None:
            raise malformed("something follows its end")

    def _peek(self) -> BundleItem:
        if self._held is None:
            item = next(self._items, None)
            if item is None:
                raise cut()
            self._check_place(item)
            self._held = item
        return self._held

    def _check_place(self, item: BundleItem) -> None:
        if isinstance(item, BundleEnd):
            self._place = len(ORDER)
            return
        if isinstance(item, BundleHead) or ORDER.index(type(item)) < self._place:
            raise disordered(f"a {type(item).__name__} comes after items of a later kind")
        self._place = ORDER.index(type(item))


def cut() -> InvalidInput:
    """`evidence_cut`, for readers of files too."""
    return InvalidInput(
        "evidence_cut",
        "the bundle ends before its end: it was cut",
        field="bundle",
        hint="get the file again from whoever made it",
    )


def malformed(why: str) -> InvalidInput:
    """`evidence_malformed`, for readers of files too."""
    return InvalidInput(
        "evidence_malformed",
        f"an item of the bundle is malformed: {why}",
        field="bundle",
        hint="get the file again from whoever made it",
    )


def disordered(why: str) -> InvalidInput:
    """`evidence_order`: items do not stand as they must."""
    return InvalidInput("evidence_order", f"the bundle is out of order: {why}", field="bundle")


def large(what: str) -> InvalidInput:
    """`evidence_large`: more than a verifier keeps in memory."""
    return InvalidInput(
        "evidence_large",
        what,
        field="bundle",
        hint="a bundle is about one bulletin; ask its maker for another one",
    )


def _foreign(why: str) -> InvalidInput:
    return InvalidInput(
        "evidence_foreign",
        f"this is no evidence bundle: {why}",
        field="bundle",
        hint="a bundle is written by saphan evidence export",
    )
