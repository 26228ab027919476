"""What a store answers without writing: each question at the part that knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from saphan_schemas.records import BatchSignature

from saphan_broker.store.base import (
    AnchorRow,
    BulletinFacts,
    BulletinRow,
    Corridor,
    Counts,
    DayCount,
    DeliveryKey,
    DeliveryRow,
    EntryRow,
    FeedRow,
    HoldKey,
    HoldRow,
    Log,
    SignatureKey,
    StanzaRow,
    StatementKey,
    TileKey,
)
from saphan_broker.store.redis.due_reads import DueReads
from saphan_broker.store.redis.fact_reads import FactReads
from saphan_broker.store.redis.log_reads import LogReads
from saphan_broker.store.redis.mailbox_reads import MailboxReads


class Reading(ABC):
    """The reads of `RedisStore`; made by it alone."""

    _logs: LogReads
    _facts: FactReads
    _dues: DueReads
    _mailboxes: MailboxReads

    @abstractmethod
    def _check_open(self) -> None:
        """Raises OperatorError `store_closed`, CommitUnknown."""

    # --- Logs ------------------------------------------------------------------------------------

    async def edge_tiles(self, log: Log) -> dict[TileKey, bytes]:
        self._check_open()
        return await self._logs.edge(log)

    async def tile(self, log: Log, level: int, n: int) -> bytes | None:
        self._check_open()
        return await self._logs.tile(log, level, n)

    async def leaves(self, log: Log, start: int, stop: int) -> list[bytes]:
        self._check_open()
        return await self._mailboxes.leaves(log, start, stop)

    async def packages(self, start: int, stop: int) -> dict[int, bytes]:
        self._check_open()
        return await self._logs.packages(start, stop)

    async def anchor(self, below: int) -> AnchorRow | None:
        self._check_open()
        return await self._logs.anchor(below)

    async def anchors(self, start: int, stop: int) -> list[AnchorRow]:
        self._check_open()
        return await self._logs.anchors(start, stop)

    # --- Facts -----------------------------------------------------------------------------------

    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, BulletinFacts]:
        self._check_open()
        return await self._facts.bulletins(ids)

    async def by_nonce(
        self, keys: Iterable[tuple[str, bytes]]
    ) -> dict[tuple[str, bytes], BulletinFacts]:
        self._check_open()
        return await self._facts.by_nonce(keys)

    async def deliveries(self, keys: Iterable[DeliveryKey]) -> dict[DeliveryKey, DeliveryRow]:
        self._check_open()
        return await self._facts.deliveries(keys)

    async def statements(self, keys: Iterable[StatementKey]) -> dict[StatementKey, int]:
        self._check_open()
        return await self._facts.statements(keys)

    async def corridors(self, keys: Iterable[Corridor]) -> dict[Corridor, tuple[int, int]]:
        self._check_open()
        return await self._facts.corridors(keys)

    async def due(self, now: int, limit: int) -> list[DeliveryRow]:
        self._check_open()
        return await self._facts.due(now, limit)

    async def deliveries_of(self, ids: Iterable[bytes]) -> dict[bytes, list[DeliveryRow]]:
        self._check_open()
        return await self._facts.deliveries_of(ids)

    async def holds(self, keys: Iterable[HoldKey]) -> dict[HoldKey, HoldRow]:
        self._check_open()
        return await self._facts.holds(keys)

    async def holds_of(self, ids: Iterable[bytes]) -> dict[bytes, list[HoldRow]]:
        self._check_open()
        return await self._facts.holds_of(ids)

    async def destroyable(self, day: int, limit: int) -> list[DeliveryRow]:
        self._check_open()
        return await self._dues.destroyable(day, limit)

    async def stanzas_due(self, below_day: int, limit: int) -> list[StanzaRow]:
        self._check_open()
        return await self._dues.stanzas_due(below_day, limit)

    async def first_undestroyed(self) -> int | None:
        self._check_open()
        return await self._dues.first_undestroyed()

    async def due_counts(self, upto_day: int) -> list[DayCount]:
        self._check_open()
        return await self._dues.due_counts(upto_day)

    async def open_deliveries(self) -> dict[str, int]:
        self._check_open()
        return await self._facts.open_deliveries()

    async def counts(self) -> Counts:
        self._check_open()
        return await self._logs.counts()

    # --- Mailboxes -------------------------------------------------------------------------------

    async def feed(
        self, agency: str, after: int | None, below: int, max_items: int, max_bytes: int
    ) -> list[FeedRow]:
        self._check_open()
        return await self._mailboxes.feed(agency, after, below, max_items, max_bytes)

    async def last_entry(self, agency: str) -> int | None:
        self._check_open()
        return await self._mailboxes.last_entry(agency)

    async def entries(self, start: int, stop: int) -> list[EntryRow]:
        self._check_open()
        return await self._mailboxes.entries(start, stop)

    async def bodies(self, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]:
        self._check_open()
        return await self._mailboxes.bodies(ids)

    async def stanzas(self, keys: Sequence[DeliveryKey]) -> dict[DeliveryKey, StanzaRow]:
        self._check_open()
        return await self._facts.stanzas(keys)

    async def signatures(
        self, keys: Mapping[SignatureKey, int]
    ) -> dict[SignatureKey, BatchSignature]:
        self._check_open()
        return await self._mailboxes.signatures(keys)
