"""Entries of a bundle: that each is in the log, says what it commits to, and where it stands.

Steps V10 and V11. Entries of other bulletins lie between, which a bundle does not show: running
numbers and predecessors say how many, and that is all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from saphan_schemas.bundles import BundleEntry
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS, SECOND_MS
from saphan_schemas.packs import PackEntry
from saphan_schemas.records import Entry, Header, LeafType

from saphan_protocol.admission import due_day
from saphan_protocol.bundle.anchored import head_of
from saphan_protocol.bundle.logs import Logs
from saphan_protocol.bundle.reading import BundleReader, disordered
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.corridor import Tail, follow
from saphan_protocol.evidence import (
    CONSIGNMENT_TYPE,
    MAX_ENTRY_BYTES,
    entry_leaf,
    leaf_of,
    statement_leaf,
)
from saphan_protocol.identity import identity
from saphan_protocol.merkle import leaf_hash, root_from_path, verify_inclusion


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry that is in the log.

    Args:
        hole: entries of its corridor that are not shown lie before it, after the last one shown.
    """

    index: int
    kind: LeafType
    entry: Entry
    shown: PackEntry
    head: int
    hole: bool


def read_entries(reader: BundleReader, logs: Logs, trail: Trail) -> list[Logged]:
    """Steps V10 and V11 for every entry, by rising index.

    Raises:
        InvalidInput, Refused: where `trail` stands.
    """
    places = _Places()
    return [places.take(item, logs, trail) for item in _rising(reader)]


def _rising(reader: BundleReader) -> Iterator[BundleEntry]:
    last = -1
    for item in reader.of(BundleEntry):
        if item.shown.index <= last:
            raise disordered("entries stand by rising index")
        last = item.shown.index
        yield item


class _Places:
    """What came before: corridors, and the time along the log."""

    def __init__(self) -> None:
        self._tails: dict[tuple[str, str], Tail] = {}
        self._taken: set[int] = set()
        self._time = 0

    def take(self, item: BundleEntry, logs: Logs, trail: Trail) -> Logged:
        shown, index = item.shown, item.shown.index
        trail.at(BundleStep.LOGGED, index)
        head = head_of(logs, item.head)
        entry = decode(Entry, shown.entry, MAX_ENTRY_BYTES, "entry")
        kind = _kind(item, entry, head.size, head.root)
        if identity(entry.type, shown.statement) != entry.statement:
            raise InvalidInput(
                "statement_differs",
                "the statement is not the one that the entry names",
                field="entry.statement",
            )
        trail.at(BundleStep.CORRIDOR, index)
        hole = self._follow(index, entry)
        self._check_time(entry, head.time)
        return Logged(index, kind, entry, shown, head.size, hole)

    def _follow(self, index: int, entry: Entry) -> bool:
        """The entry continues its corridor; True if some between were not shown."""
        pair = (entry.sender, entry.recipient)
        tail = self._tails.get(pair, Tail())
        hole = entry.number > tail.number + 1
        if hole:
            self._check_hole(tail, index, entry)
            self._tails[pair] = Tail(entry.number, index)
        else:
            self._tails[pair] = follow(tail, index, entry)
        self._taken.add(index)
        return hole

    def _check_hole(self, tail: Tail, index: int, entry: Entry) -> None:
        """What is missing must have had room, and the predecessor be one of the missing."""
        start = tail.index or 0  # leaf 0 is an anchor
        before, missing = entry.previous, entry.number - tail.number - 1
        if before is None or not start + missing <= before < index or before in self._taken:
            raise Refused(
                "corridor_fork",
                f"{entry.sender} to {entry.recipient}: entry {entry.number} names leaf {before} "
                f"before it, where {missing} entries after leaf {start} cannot end",
                field="entry.previous",
            )

    def _check_time(self, entry: Entry, head_time: int) -> None:
        if entry.time < self._time:
            raise Refused(
                "time_falls",
                f"the entry is dated {self._time - entry.time} ms before one that precedes it",
                field="entry.time",
            )
        if entry.time > head_time * SECOND_MS + LIMITS.skew_ms:
            raise Refused(
                "time_beyond_head",
                "the entry is dated after the head that covers it",
                field="entry.time",
            )
        self._time = entry.time


def _kind(item: BundleEntry, entry: Entry, size: int, root: bytes) -> LeafType:
    """The type of the leaf, which the log holds: of the two of a consignment, the one that is."""
    shown = item.shown
    if entry.type != CONSIGNMENT_TYPE:
        if (shown.header, shown.ciphertext, shown.attachments) != (None, None, ()):
            raise InvalidInput(
                "entry_excess",
                "a statement is shown with what belongs to a consignment",
                field="entry.header",
            )
        kind = leaf_of(entry, first=False)
        _check_in_log(
            item, statement_leaf(entry, shown.entry, shown.statement, shown.salt), size, root
        )
        return kind
    if shown.header is None or shown.ciphertext is None:
        raise InvalidInput(
            "entry_incomplete",
            "a consignment is shown without its header or its ciphertext's digest",
            field="entry.header",
        )
    header = decode(Header, shown.header, LIMITS.header_bytes, "header")
    first = entry_leaf(LeafType.SUBMITTED, shown.entry, shown.salt, due_day(header))
    if root_from_path(shown.index, size, leaf_hash(first), item.path) == root:
        return LeafType.SUBMITTED
    _check_in_log(item, entry_leaf(LeafType.CONSIGNED, shown.entry, shown.salt), size, root)
    return LeafType.CONSIGNED


def _check_in_log(item: BundleEntry, leaf: bytes, size: int, root: bytes) -> None:
    verify_inclusion(item.shown.index, size, leaf_hash(leaf), item.path, root)
