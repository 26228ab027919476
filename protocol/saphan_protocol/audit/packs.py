"""Several packs side by side: what each of them shows of one leaf, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.packs import PackEntry, PackItem
from saphan_schemas.records import BatchSignature

from saphan_protocol.audit.ahead import Begin, read_ahead
from saphan_protocol.audit.report import AuditStep, Trail
from saphan_protocol.batch import RootRef
from saphan_protocol.pack import PackReader
from saphan_protocol.pins import Pins

PackSource = tuple[str, Iterable[PackItem]]
"""(name for reports, items as they are read)."""


_SHOWN_ALIKE: Final = ("entry", "salt", "statement", "header", "ciphertext", "attachments")
"""Not the signature item: a node may have signed the same statement again, in another batch."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A pack's entry for one leaf, with the pack's name and the signatures at hand."""

    pack: str
    entry: PackEntry
    batches: Mapping[RootRef, BatchSignature]


class _Place:
    """One pack and its next entry, read when it is asked for: its signature is then at hand."""

    def __init__(self, reader: PackReader) -> None:
        self.reader = reader
        self._next: PackEntry | None = None
        self._ended = False

    def peek(self) -> PackEntry | None:
        if self._next is None and not self._ended:
            self._next = self.reader.next_entry()
            self._ended = self._next is None
        return self._next

    def take(self) -> None:
        self._next = None


class PackSet:
    """All packs of an audit, read in step with the log.

    Args:
        begin: is told of signatures before their turn; None: nobody is.

    Raises:
        InvalidInput: what `PackReader` raises, `pack_origin`; `trail` names the pack.
    """

    def __init__(
        self,
        sources: Iterable[PackSource],
        pins: Pins,
        trail: Trail,
        begin: Begin | None = None,
    ) -> None:
        self._trail = trail
        self._places: list[_Place] = []
        for name, items in sources:
            trail.at(AuditStep.PACK_FORM, pack=name)
            reader = PackReader(name, items if begin is None else read_ahead(items, begin))
            trail.at(AuditStep.PACK_HEAD, pack=name)
            _check_origins(reader, pins)
            self._places.append(_Place(reader))
        self._moved = list(self._places)
        self._next: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._places)

    def agreements(self) -> Iterator[tuple[str, bytes]]:
        """(pack, package) of every agreement that any pack opens; asked for before any entry."""
        for place in self._places:
            name = place.reader.name
            self._trail.at(AuditStep.PACK_FORM, pack=name)
            for package in place.reader.agreements():
                yield name, package
                self._trail.at(AuditStep.PACK_FORM, pack=name)

    def notes(self) -> Iterator[tuple[str, bytes]]:
        """(pack, note) of every head that any pack shows; asked for before any entry."""
        for place in self._places:
            name = place.reader.name
            self._trail.at(AuditStep.PACK_FORM, pack=name)
            for note in place.reader.notes():
                yield name, note
                self._trail.at(AuditStep.PACK_FORM, pack=name)

    def places(self) -> list[tuple[str, int, int]]:
        """Name, start and stop of every pack, as their heads say."""
        heads = [(place.reader.name, place.reader.head) for place in self._places]
        return [(name, head.start, head.stop) for name, head in heads]

    def at(self, index: int) -> list[Shown]:
        """What the packs show of the leaf at `index`; asked for every index in order (P3)."""
        if self._moved:
            self._read_on(index)
        found = []
        while self._next and self._next[0][0] == index:
            place = self._places[heappop(self._next)[1]]
            entry = place.peek()
            if entry is not None:
                found.append(Shown(place.reader.name, entry, place.reader.batches))
            place.take()
            self._moved.append(place)
        return found

    def _read_on(self, index: int) -> None:
        """Read the next entry of packs whose last one was asked for: not before it was judged."""
        for place in self._moved:
            self._trail.at(AuditStep.PACK_ORDER, index, place.reader.name)
            entry = place.peek()
            if entry is not None:
                heappush(self._next, (entry.index, self._places.index(place)))
        self._moved.clear()

    def finish(self, size: int) -> None:
        """Every pack has come to its end, and none shows a leaf beyond the head (P3, P4).

        Raises:
            InvalidInput: `pack_beyond_head`, and what `PackReader.next_entry` raises.
        """
        for place in self._places:
            self._trail.at(AuditStep.PACK_END, pack=place.reader.name)
            entry = place.peek()
            if entry is not None:
                self._trail.at(AuditStep.PACK_ORDER, entry.index, place.reader.name)
                raise InvalidInput(
                    "pack_beyond_head",
                    f"the pack shows leaf {entry.index}, and the head covers {size} leaves",
                    field="pack.index",
                    hint="fetch the public log again, or ask its keeper why the log is shorter",
                )


def choose(shown: Sequence[Shown]) -> Shown:
    """The fullest of what several packs show; those that agree may differ in what they leave out.

    Raises:
        InvalidInput: `packs_differ`.
    """
    if len(shown) == 1:
        return shown[0]
    for name in _SHOWN_ALIKE:
        first: Shown | None = None
        for other in shown:
            value = _part(other.entry, name)
            if first is None:
                first = None if value is None else other
            elif value is not None and value != _part(first.entry, name):
                raise InvalidInput(
                    "packs_differ",
                    f"packs {first.pack} and {other.pack} show another {name} of leaf "
                    f"{other.entry.index}",
                    field=f"pack.{name}",
                )
    return max(shown, key=_fullness)


def _part(entry: PackEntry, name: str) -> object:
    if name == "attachments" and entry.ciphertext is None:
        return None  # a pack without a ciphertext's digest says nothing of attachments
    return getattr(entry, name)


def _fullness(shown: Shown) -> int:
    entry = shown.entry
    return sum(part is not None for part in (entry.item, entry.header, entry.ciphertext))


def _check_origins(reader: PackReader, pins: Pins) -> None:
    head = reader.head
    for said, pin in ((head.directory, pins.directory), (head.evidence, pins.evidence)):
        if said != pin.origin:
            raise InvalidInput(
                "pack_origin",
                f"the pack is about {said}, and the pin file about {pin.origin}",
                field="pack.origin",
                hint="take the pin file of the broker that the pack is about",
            )
