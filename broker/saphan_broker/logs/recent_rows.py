"""The newest commits' rows, so that feeds of sessions that keep up need not read them back.

A bulletin is fed within milliseconds of its commit, entry by entry, to two sessions; each look into
the store would wake a thread, and the event loop again, often to learn that nothing is there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import Final, NamedTuple

from saphan_schemas.limits import MIB

from saphan_broker.store.base import (
    BODY_EVENTS,
    STANZA_EVENTS,
    BulletinRow,
    Commit,
    DeliveryKey,
    EntryRow,
    FeedRow,
    StanzaRow,
)

KEPT_BYTES: Final = 8 * MIB
"""Records and bodies: some 700 bulletins of 8 KiB, more than a second of most days' load."""
ROW_BYTES: Final = 1024
"""What an entry costs beside its record, Python's own, with its share of a group."""


class _Group(NamedTuple):
    """One commit: start <= index < stop, and what it brought."""

    start: int
    stop: int
    weight: int
    agencies: frozenset[str]
    bulletins: list[BulletinRow]
    stanzas: list[StanzaRow]


class RecentRows:
    """An unbroken run of the evidence log, up to its end; owned by the event loop."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self.clear()

    def clear(self) -> None:
        """Forget everything: the store was opened anew, or rows were destroyed in it."""
        self._groups: deque[_Group] = deque()
        self.bytes = 0
        """What is kept, about."""
        self._boxes: dict[str, list[EntryRow]] = {}
        self._bulletins: dict[bytes, BulletinRow] = {}
        self._stanzas: dict[DeliveryKey, StanzaRow] = {}

    def add(self, commit: Commit) -> None:
        """Remember a durable commit of the evidence log; the oldest ones make room."""
        if self._groups and self._groups[-1].stop != commit.expected.size:
            self.clear()
        if any(key in self._stanzas or key[0] in self._bulletins for key in commit.destroyed):
            self.clear()  # what is destroyed is fed to nobody, and stays in no memory
        corridors = {(entry.sender, entry.recipient) for entry in commit.entries}
        agencies = {agency for corridor in corridors for agency in corridor}
        boxes = self._boxes
        for agency in agencies:
            boxes.setdefault(agency, [])
        for entry in commit.entries:
            boxes[entry.sender].append(entry)
            if entry.recipient != entry.sender:
                boxes[entry.recipient].append(entry)
        self._bulletins |= {row.id: row for row in commit.bulletins}
        self._stanzas |= {(row.bulletin, row.recipient): row for row in commit.stanzas}
        group = _Group(
            commit.expected.size,
            commit.head.size,
            _weight(commit),
            frozenset(agencies),
            commit.bulletins,
            commit.stanzas,
        )
        self._groups.append(group)
        self.bytes += group.weight
        while self.bytes > self._kept_bytes:
            self._drop_oldest()

    def feed(
        self, agency: str, after: int | None, below: int, max_items: int, max_bytes: int
    ) -> list[FeedRow] | None:
        """What `Mailboxes.feed` answers; None where the store must be asked."""
        start = 0 if after is None else after + 1
        if not self._groups or start < self._groups[0].start:
            return None
        box = self._boxes.get(agency, [])
        rows: list[FeedRow] = []
        first = bisect_left(box, start, key=_index)
        for entry in box[first : first + max_items]:
            if entry.index >= below:
                break
            row = self._row(agency, entry)
            if row is None:
                return rows or None
            max_bytes -= row.weight
            if rows and max_bytes < 0:
                break
            rows.append(row)
        return rows

    def _row(self, agency: str, entry: EntryRow) -> FeedRow | None:
        """None if something that belongs to it was committed too long ago."""
        if entry.bulletin is None or entry.recipient != agency:
            return FeedRow(entry, None, None)
        bulletin = stanza = None
        if entry.event in BODY_EVENTS:
            bulletin = self._bulletins.get(entry.bulletin)
            if bulletin is None:
                return None
        if entry.event in STANZA_EVENTS:
            stanza = self._stanzas.get((entry.bulletin, agency))
            if stanza is None:
                return None
        return FeedRow(entry, bulletin, stanza)

    def _drop_oldest(self) -> None:
        group = self._groups.popleft()
        self.bytes -= group.weight
        for agency in group.agencies:
            box = self._boxes[agency]
            del box[: bisect_left(box, group.stop, key=_index)]
            if not box:
                del self._boxes[agency]
        for bulletin in group.bulletins:
            del self._bulletins[bulletin.id]
        for stanza in group.stanzas:
            key = (stanza.bulletin, stanza.recipient)
            if self._stanzas[key] is stanza:  # or a later one has replaced it
                del self._stanzas[key]


def _index(entry: EntryRow) -> int:
    return entry.index


def _weight(commit: Commit) -> int:
    records = sum([ROW_BYTES + len(row.record) for row in commit.entries])
    bodies = sum([len(row.header) + len(row.ciphertext) for row in commit.bulletins])
    return records + bodies + sum([len(row.sealed) for row in commit.stanzas])
