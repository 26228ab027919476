"""The store in memory: nothing survives, every illegal call raises (design section 9).

For tests and simulations of the broker. It keeps what it is given, and it refuses what would
silently damage another engine: gaps, rewritten tiles, repeated nonces, notes ahead of the log.
"""

from __future__ import annotations

import asyncio
import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from saphan_protocol.merkle import EMPTY_ROOT
from saphan_protocol.tiles import edge_tiles
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import BatchSignature

from saphan_broker.store.base import (
    LOGS,
    AnchorRow,
    BulletinFacts,
    BulletinRow,
    Commit,
    Corridor,
    CosignatureRow,
    Counts,
    DayCount,
    DeliveryKey,
    DeliveryRow,
    EntryRow,
    FeedRow,
    HeadMoved,
    HoldKey,
    HoldRow,
    Log,
    LogHead,
    LogState,
    Sign,
    SignatureKey,
    SignedHead,
    StanzaRow,
    StatementKey,
    TileKey,
)
from saphan_broker.store.checks import check_corridors, check_note, check_shape, check_tiles
from saphan_broker.store.memory_rows import Rows

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _LogData:
    state: LogState = field(default_factory=lambda: LogState(LogHead(0, EMPTY_ROOT), 0))
    leaves: list[bytes] = field(default_factory=list)
    tiles: dict[TileKey, bytes] = field(default_factory=dict)
    note: SignedHead | None = None
    cosignatures: dict[str, CosignatureRow] = field(default_factory=dict)


class MemoryStore:
    """`store.base.Store` without a disk; every call completes without waiting."""

    def __init__(self) -> None:
        self._logs: dict[Log, _LogData] = {log: _LogData() for log in LOGS}
        self._packages: dict[int, bytes] = {}
        self._anchors: list[AnchorRow] = []
        self._rows = Rows()
        self._corridors: dict[Corridor, tuple[int, int]] = {}
        self._closed = False

    # --- Logs ------------------------------------------------------------------------------------

    async def state(self, log: Log) -> LogState:
        return self._log(log).state

    async def commit(self, commit: Commit, sign: Sign | None = None) -> None:
        self._commit(commit)
        if sign is not None:
            await self.put_note(commit.log, commit.head.size, await asyncio.to_thread(sign))

    def _commit(self, commit: Commit) -> None:
        data = self._log(commit.log)
        if data.state.head != commit.expected:
            raise HeadMoved(commit.log, commit.expected.size, data.state.head.size)
        check_shape(commit, data.state)
        check_tiles(commit, data.tiles)
        check_corridors(commit, self._corridors)
        self._rows.check(commit)
        # From here on nothing can fail: all or nothing.
        data.leaves += commit.leaves
        data.tiles.update(commit.tiles)
        data.state = LogState(commit.head, commit.time)
        self._packages.update(commit.packages)
        self._anchors += commit.anchors
        self._corridors.update(commit.corridors)
        self._rows.apply(commit)

    async def edge_tiles(self, log: Log) -> dict[TileKey, bytes]:
        data = self._log(log)
        edge = edge_tiles(data.state.head.size)
        return {(level, n): data.tiles[level, n] for level, n, _width in edge}

    async def tile(self, log: Log, level: int, n: int) -> bytes | None:
        return self._log(log).tiles.get((level, n))

    async def leaves(self, log: Log, start: int, stop: int) -> list[bytes]:
        return self._log(log).leaves[start:stop]

    async def put_note(self, log: Log, size: int, note: bytes) -> None:
        data = self._log(log)
        check_note(size, data.state, data.note)
        data.note = SignedHead(size, note)

    async def note(self, log: Log) -> SignedHead | None:
        return self._log(log).note

    async def put_cosignature(self, log: Log, row: CosignatureRow) -> None:
        rows = self._log(log).cosignatures
        before = rows.get(row.agency)
        if before is None or (row.size, row.time) >= (before.size, before.time):
            rows[row.agency] = row

    async def cosignatures(self, log: Log) -> list[CosignatureRow]:
        return [row for _agency, row in sorted(self._log(log).cosignatures.items())]

    async def packages(self, start: int, stop: int) -> dict[int, bytes]:
        self._check_open()
        return {i: self._packages[i] for i in sorted(self._packages) if start <= i < stop}

    async def anchor(self, below: int) -> AnchorRow | None:
        self._check_open()
        at = bisect.bisect_left(self._anchors, below, key=lambda row: row.index)
        return self._anchors[at - 1] if at else None

    async def anchors(self, start: int, stop: int) -> list[AnchorRow]:
        self._check_open()
        return [row for row in self._anchors if start <= row.index < stop]

    # --- Facts -----------------------------------------------------------------------------------

    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, BulletinFacts]:
        return self._open_rows().facts(ids)

    async def by_nonce(
        self, keys: Iterable[tuple[str, bytes]]
    ) -> dict[tuple[str, bytes], BulletinFacts]:
        rows = self._open_rows()
        ids = {key: rows.nonces[key] for key in keys if key in rows.nonces}
        found = rows.facts(ids.values())
        return {key: found[id_] for key, id_ in ids.items()}

    async def deliveries(self, keys: Iterable[DeliveryKey]) -> dict[DeliveryKey, DeliveryRow]:
        return found(self._open_rows().deliveries, keys)

    async def statements(self, keys: Iterable[StatementKey]) -> dict[StatementKey, int]:
        return found(self._open_rows().statements, keys)

    async def corridors(self, keys: Iterable[Corridor]) -> dict[Corridor, tuple[int, int]]:
        self._check_open()
        return found(self._corridors, keys)

    async def due(self, now: int, limit: int) -> list[DeliveryRow]:
        rows = [
            (row.deadline, row.submitted, row)
            for row in self._open_rows().deliveries.values()
            if row.deadline is not None and row.deadline <= now
        ]
        return [row for _deadline, _submitted, row in sorted(rows, key=lambda r: r[:2])[:limit]]

    async def deliveries_of(self, ids: Iterable[bytes]) -> dict[bytes, list[DeliveryRow]]:
        return self._open_rows().deliveries_of(ids)

    async def holds(self, keys: Iterable[HoldKey]) -> dict[HoldKey, HoldRow]:
        return found(self._open_rows().holds, keys)

    async def holds_of(self, ids: Iterable[bytes]) -> dict[bytes, list[HoldRow]]:
        return self._open_rows().holds_of(ids)

    async def destroyable(self, day: int, limit: int) -> list[DeliveryRow]:
        return self._open_rows().destroyable(day, limit)

    async def stanzas_due(self, below_day: int, limit: int) -> list[StanzaRow]:
        return self._open_rows().stanzas_due(below_day, limit)

    async def first_undestroyed(self) -> int | None:
        return self._open_rows().first_undestroyed()

    async def due_counts(self, upto_day: int) -> list[DayCount]:
        return self._open_rows().due_counts(upto_day)

    async def open_deliveries(self) -> dict[str, int]:
        rows = self._open_rows().deliveries.values()
        return dict(Counter(row.sender for row in rows if row.deadline is not None))

    async def counts(self) -> Counts:
        rows = self._open_rows()
        return Counts(
            directory=self._log("directory").state.head.size,
            evidence=self._log("evidence").state.head.size,
            bulletins=rows.admitted,
            deliveries_waiting=sum(r.deadline is not None for r in rows.deliveries.values()),
        )

    # --- Mailboxes -------------------------------------------------------------------------------

    async def feed(
        self, agency: str, after: int | None, below: int, max_items: int, max_bytes: int
    ) -> list[FeedRow]:
        mailbox = self._open_rows().mailboxes.get(agency, [])
        start = 0 if after is None else bisect.bisect_right(mailbox, after, key=lambda e: e.index)
        rows: list[FeedRow] = []
        for entry in mailbox[start : start + max_items]:
            row = self._rows.feed_row(agency, entry)
            max_bytes -= row.weight
            if entry.index >= below or (rows and max_bytes < 0):
                break
            rows.append(row)
        return rows

    async def last_entry(self, agency: str) -> int | None:
        mailbox = self._open_rows().mailboxes.get(agency)
        return mailbox[-1].index if mailbox else None

    async def entries(self, start: int, stop: int) -> list[EntryRow]:
        entries = self._open_rows().entries
        first = bisect.bisect_left(entries, start, key=lambda e: e.index)
        end = bisect.bisect_left(entries, stop, key=lambda e: e.index)
        return entries[first:end]

    async def bodies(self, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]:
        return found(self._open_rows().bulletins, ids)

    async def stanzas(self, keys: Sequence[DeliveryKey]) -> dict[DeliveryKey, StanzaRow]:
        return found(self._open_rows().stanzas, keys)

    async def signatures(
        self, keys: Mapping[SignatureKey, int]
    ) -> dict[SignatureKey, BatchSignature]:
        return found(self._open_rows().signatures, keys)

    # --- Aging -----------------------------------------------------------------------------------

    async def forget(self, before_day: int, limit: int) -> int:
        return self._open_rows().forget(before_day, limit)

    async def cleanse(self) -> bool:
        self._check_open()  # it has no file that something could be left in
        return True

    # --- life ------------------------------------------------------------------------------------

    async def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise OperatorError("store_closed", "the store is closed")

    def _open_rows(self) -> Rows:
        self._check_open()
        return self._rows

    def _log(self, log: Log) -> _LogData:
        self._check_open()
        return self._logs[log]


def found(rows: Mapping[K, V], keys: Iterable[K]) -> dict[K, V]:
    """The rows of those keys that are there."""
    return {key: rows[key] for key in keys if key in rows}
