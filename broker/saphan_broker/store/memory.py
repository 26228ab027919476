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

from saphan_protocol.merkle import EMPTY_ROOT
from saphan_protocol.tiles import edge_tiles
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import BatchSignature

from saphan_broker.store.base import (
    BODY_EVENTS,
    LOGS,
    STANZA_EVENTS,
    AnchorRow,
    BulletinFacts,
    BulletinRow,
    Commit,
    Corridor,
    CosignatureRow,
    Counts,
    DeliveryKey,
    DeliveryRow,
    EntryRow,
    FeedRow,
    HeadMoved,
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
        self._entries: list[EntryRow] = []
        self._bulletins: dict[bytes, BulletinRow] = {}
        self._nonces: dict[tuple[str, bytes], bytes] = {}
        self._deliveries: dict[DeliveryKey, DeliveryRow] = {}
        self._stanzas: dict[DeliveryKey, StanzaRow] = {}
        self._statements: dict[StatementKey, int] = {}
        self._corridors: dict[Corridor, tuple[int, int]] = {}
        self._signatures: dict[SignatureKey, BatchSignature] = {}
        self._mailboxes: dict[str, list[EntryRow]] = {}
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
        self._check_rows(commit)
        # From here on nothing can fail: all or nothing.
        data.leaves += commit.leaves
        data.tiles.update(commit.tiles)
        data.state = LogState(commit.head, commit.time)
        self._packages.update(commit.packages)
        self._anchors += commit.anchors
        self._apply_rows(commit)

    def _check_rows(self, commit: Commit) -> None:
        known = set(self._bulletins)
        nonces = set(self._nonces)
        for row in commit.bulletins:
            if row.id in known or (row.sender, row.nonce) in nonces:
                raise RuntimeError("commit: a bulletin or its nonce is already stored")
            known.add(row.id)
            nonces.add((row.sender, row.nonce))
        deliveries = {(row.bulletin, row.recipient) for row in commit.deliveries}
        for delivery in commit.deliveries:
            if delivery.bulletin not in known:
                raise RuntimeError("commit: a delivery of an unknown bulletin")
            if not delivery.submitted <= delivery.last < commit.head.size:
                raise RuntimeError("commit: a delivery names an index that is not logged")
        for stanza in commit.stanzas:
            key = (stanza.bulletin, stanza.recipient)
            if key not in deliveries and key not in self._deliveries:
                raise RuntimeError("commit: a stanza without a delivery")

    def _apply_rows(self, commit: Commit) -> None:
        self._entries += commit.entries
        for entry in commit.entries:
            for agency in {entry.sender, entry.recipient}:
                self._mailboxes.setdefault(agency, []).append(entry)
        for row in commit.bulletins:
            self._bulletins[row.id] = row
            self._nonces[row.sender, row.nonce] = row.id
        for delivery in commit.deliveries:
            self._deliveries[delivery.bulletin, delivery.recipient] = delivery
        for stanza in commit.stanzas:
            self._stanzas[stanza.bulletin, stanza.recipient] = stanza
        for signature in commit.signatures:
            key = (signature.key, signature.size, signature.root)
            self._signatures.setdefault(key, signature)
        for statement, index in commit.statements.items():
            self._statements.setdefault(statement, index)
        self._corridors.update(commit.corridors)

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
        self._check_open()
        return {id_: _facts(self._bulletins[id_]) for id_ in ids if id_ in self._bulletins}

    async def by_nonce(
        self, keys: Iterable[tuple[str, bytes]]
    ) -> dict[tuple[str, bytes], BulletinFacts]:
        self._check_open()
        return {
            key: _facts(self._bulletins[self._nonces[key]]) for key in keys if key in self._nonces
        }

    async def deliveries(self, keys: Iterable[DeliveryKey]) -> dict[DeliveryKey, DeliveryRow]:
        self._check_open()
        return {key: self._deliveries[key] for key in keys if key in self._deliveries}

    async def statements(self, keys: Iterable[StatementKey]) -> dict[StatementKey, int]:
        self._check_open()
        return {key: self._statements[key] for key in keys if key in self._statements}

    async def corridors(self, keys: Iterable[Corridor]) -> dict[Corridor, tuple[int, int]]:
        self._check_open()
        return {key: self._corridors[key] for key in keys if key in self._corridors}

    async def due(self, now: int, limit: int) -> list[DeliveryRow]:
        self._check_open()
        rows = [
            (row.deadline, row.submitted, row)
            for row in self._deliveries.values()
            if row.deadline is not None and row.deadline <= now
        ]
        return [row for _deadline, _submitted, row in sorted(rows, key=lambda r: r[:2])[:limit]]

    async def open_deliveries(self) -> dict[str, int]:
        self._check_open()
        rows = self._deliveries.values()
        return dict(Counter(row.sender for row in rows if row.deadline is not None))

    async def counts(self) -> Counts:
        return Counts(
            directory=self._log("directory").state.head.size,
            evidence=self._log("evidence").state.head.size,
            bulletins=len(self._bulletins),
            deliveries_waiting=sum(r.deadline is not None for r in self._deliveries.values()),
        )

    # --- Mailboxes -------------------------------------------------------------------------------

    async def feed(
        self, agency: str, after: int | None, below: int, max_items: int, max_bytes: int
    ) -> list[FeedRow]:
        self._check_open()
        mailbox = self._mailboxes.get(agency, [])
        start = 0 if after is None else bisect.bisect_right(mailbox, after, key=lambda e: e.index)
        rows: list[FeedRow] = []
        for entry in mailbox[start : start + max_items]:
            row = self._feed_row(agency, entry)
            max_bytes -= row.weight
            if entry.index >= below or (rows and max_bytes < 0):
                break
            rows.append(row)
        return rows

    async def last_entry(self, agency: str) -> int | None:
        self._check_open()
        mailbox = self._mailboxes.get(agency)
        return mailbox[-1].index if mailbox else None

    def _feed_row(self, agency: str, entry: EntryRow) -> FeedRow:
        if entry.bulletin is None or entry.recipient != agency:
            return FeedRow(entry, None, None)
        body = entry.event in BODY_EVENTS
        release = entry.event in STANZA_EVENTS
        return FeedRow(
            entry,
            self._bulletins.get(entry.bulletin) if body else None,
            self._stanzas.get((entry.bulletin, agency)) if release else None,
        )

    async def entries(self, start: int, stop: int) -> list[EntryRow]:
        self._check_open()
        first = bisect.bisect_left(self._entries, start, key=lambda e: e.index)
        end = bisect.bisect_left(self._entries, stop, key=lambda e: e.index)
        return self._entries[first:end]

    async def bodies(self, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]:
        self._check_open()
        return {id_: self._bulletins[id_] for id_ in ids if id_ in self._bulletins}

    async def stanzas(self, keys: Sequence[DeliveryKey]) -> dict[DeliveryKey, StanzaRow]:
        self._check_open()
        return {key: self._stanzas[key] for key in keys if key in self._stanzas}

    async def signatures(
        self, keys: Mapping[SignatureKey, int]
    ) -> dict[SignatureKey, BatchSignature]:
        self._check_open()
        return {key: self._signatures[key] for key in keys if key in self._signatures}

    # --- life ------------------------------------------------------------------------------------

    async def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise OperatorError("store_closed", "the store is closed")

    def _log(self, log: Log) -> _LogData:
        self._check_open()
        return self._logs[log]


def _facts(row: BulletinRow) -> BulletinFacts:
    return BulletinFacts(*(getattr(row, name) for name in BulletinFacts.__struct_fields__))
