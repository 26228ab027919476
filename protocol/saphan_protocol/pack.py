"""Record packs as streams of items: in which order they are written, and how they are read.

Head, agreements, notes of heads, then entries by rising index, each signature before the first
entry that needs it, then the end with its counts. A reader keeps the last `LIMITS.pack_signatures`
signatures only, so a writer gives one again when as many others have come since (audit.md, P1 to
P4).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.packs import (
    PACK_FORMAT,
    PackAgreement,
    PackEnd,
    PackEntry,
    PackHead,
    PackItem,
    PackNote,
    PackSignature,
)
from saphan_schemas.records import BatchSignature

from saphan_protocol.batch import RootRef

PACK_ITEM_BYTES = 2 * LIMITS.frame_bytes + 64
"""The longest item: an agreement's package and its headers."""


def pack_stream(
    head: PackHead,
    agreements: Iterable[bytes],
    entries: Iterable[tuple[PackEntry, BatchSignature | None]],
    notes: Iterable[bytes] = (),
) -> Iterator[PackItem]:
    """All items of a pack in their order.

    Args:
        agreements: finished agreements (SignedAgreement bytes).
        entries: by rising index, each with the signature its item refers to.
        notes: heads of the evidence log by rising size, at most `LIMITS.pack_notes`.
    """
    yield head
    counts = [0, 0, 0, 0]
    for package in agreements:
        counts[0] += 1
        yield PackAgreement(package)
    for note in notes:
        counts[1] += 1
        yield PackNote(note)
    given: OrderedDict[RootRef, None] = OrderedDict()
    for entry, batch in entries:
        if batch is not None and (ref := _ref(batch)) not in given:
            counts[2] += 1
            yield PackSignature(batch)
            given[ref] = None
            if len(given) > LIMITS.pack_signatures:
                given.popitem(last=False)
        counts[3] += 1
        yield entry
    yield PackEnd(*counts)


def parse_pack_item(data: bytes) -> PackItem:
    """One item from its exact bytes.

    Raises:
        InvalidInput: `pack_malformed`, also for what is too large or not canonical.
    """
    try:
        item: PackItem = decode(PackItem, data, PACK_ITEM_BYTES, "pack")  # type: ignore[arg-type]
    except InvalidInput as error:
        raise malformed(error.message) from None
    return item


class PackReader:
    """Reads one pack: `head` at once, then `agreements()`, `notes()`, then entries, one by one.

    Args:
        name: what reports call it.
        items: as they come; errors in reading them pass through.

    Raises:
        InvalidInput: `pack_cut`, `pack_malformed`, `pack_format`.
    """

    def __init__(self, name: str, items: Iterable[PackItem]) -> None:
        self.name = name
        self.batches: OrderedDict[RootRef, BatchSignature] = OrderedDict()
        self._items = iter(items)
        self._counts = [0, 0, 0, 0]
        self._last = -1
        self._begun = False
        head = self._take()
        if not isinstance(head, PackHead):
            raise malformed("it does not begin with its head")
        if head.format != PACK_FORMAT:
            raise InvalidInput(
                "pack_format",
                f"the pack is {head.format[:40]!r}; {PACK_FORMAT!r} is known here",
                field="pack.format",
            )
        self.head = head
        self._held: PackItem | None = None

    def agreements(self) -> Iterator[bytes]:
        """The packages, before anything else; those that are not asked for are passed over.

        Raises:
            InvalidInput: `pack_cut`, `pack_malformed`.
        """
        while isinstance(item := self._peek(), PackAgreement):
            self._held = None
            self._counts[0] += 1
            yield item.package

    def notes(self) -> Iterator[bytes]:
        """Signed heads as notes, after the agreements and before any entry.

        Raises:
            InvalidInput: `pack_cut`, `pack_malformed`, `pack_order` for too many of them.
        """
        for _ in self.agreements():
            pass
        while isinstance(item := self._peek(), PackNote):
            self._held = None
            self._counts[1] += 1
            if self._counts[1] > LIMITS.pack_notes:
                raise _disordered(f"there are more than {LIMITS.pack_notes} heads")
            yield item.note

    def next_entry(self) -> PackEntry | None:
        """The next entry, with its signature in `batches`; None after the end, which was checked.

        Raises:
            InvalidInput: `pack_cut`, `pack_malformed`, `pack_order`, `pack_counts`.
        """
        if not self._begun:
            for _ in self.notes():
                pass
            self._begun = True
        while True:
            item = self._peek()
            self._held = None
            if isinstance(item, PackSignature):
                self._keep(item.batch)
            elif isinstance(item, PackEntry):
                self._check_place(item)
                return item
            elif isinstance(item, PackEnd):
                self._check_end(item)
                self.batches.clear()  # nothing refers to them any more; other packs follow
                return None
            else:
                raise _disordered("heads, agreements and notes come first")

    def _take(self) -> PackItem:
        item = next(self._items, None)
        if item is None:
            raise InvalidInput(
                "pack_cut",
                "the pack ends before its end: it was cut",
                field="pack",
                hint="get the file again from whoever exported it",
            )
        return item

    def _peek(self) -> PackItem:
        if self._held is None:
            self._held = self._take()
        return self._held

    def _keep(self, batch: BatchSignature) -> None:
        self._counts[2] += 1
        ref = _ref(batch)
        self.batches[ref] = batch
        self.batches.move_to_end(ref)
        # One more than a writer counts: the entry at hand may refer to the oldest.
        if len(self.batches) > LIMITS.pack_signatures + 1:
            self.batches.popitem(last=False)

    def _check_place(self, entry: PackEntry) -> None:
        self._counts[3] += 1
        if entry.index <= self._last:
            raise _disordered(f"entry {entry.index} comes after entry {self._last}")
        if not self.head.start <= entry.index < self.head.stop:
            raise _disordered(
                f"entry {entry.index} is not one of {self.head.start} to {self.head.stop - 1}"
            )
        self._last = entry.index

    def _check_end(self, end: PackEnd) -> None:
        self._held = end
        if [end.agreements, end.notes, end.signatures, end.entries] != self._counts:
            raise InvalidInput(
                "pack_counts",
                f"the pack says it holds {end.entries} entries, and {self._counts[3]} are here",
                field="pack.end",
                hint="get the file again from whoever exported it",
            )
        if next(self._items, None) is not None:
            raise malformed("something follows its end")


def _ref(batch: BatchSignature) -> RootRef:
    return batch.key, batch.size, batch.root


def malformed(why: str) -> InvalidInput:
    """`pack_malformed`, for readers of streams too."""
    return InvalidInput(
        "pack_malformed",
        f"this is not a record pack: {why}",
        field="pack",
        hint="a pack is written by `saphan records export` or `saphan-broker records export`",
    )


def _disordered(why: str) -> InvalidInput:
    return InvalidInput("pack_order", f"the pack is out of order: {why}", field="pack.index")
