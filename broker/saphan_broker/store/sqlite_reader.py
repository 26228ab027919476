"""Reading a SQLite store beside the broker that has it open: no lock is taken, nothing is written.

Each call sees one committed state. What is in the logs never changes, so calls that name indices
below a signed head fit together, however long an export takes.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from saphan_schemas.records import BatchSignature

from saphan_broker.store import sqlite_aging, sqlite_file, sqlite_read
from saphan_broker.store.base import (
    BulletinFacts,
    BulletinRow,
    CosignatureRow,
    DeliveryKey,
    DeliveryRow,
    EntryRow,
    Log,
    SignatureKey,
    SignedHead,
    StanzaRow,
)
from saphan_broker.store.sqlite_line import Work, in_snapshot

T = TypeVar("T")


class SqliteReader:
    """The part of a store that exports need; see `store.base` for each method."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, "store-export")

    @classmethod
    async def open(cls, directory: Path) -> Self:
        """Open for reading.

        Raises:
            OperatorError: `store_missing`, `store_foreign`, `store_format_newer`,
                `store_unreadable`.
        """
        return cls(await asyncio.to_thread(sqlite_file.connect, directory, read_only=True))

    async def close(self) -> None:
        """Free the connection."""
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._connection.close)

    async def note(self, log: Log) -> SignedHead | None:
        return await self._read(lambda db: sqlite_read.read_note(db, log))

    async def cosignatures(self, log: Log) -> list[CosignatureRow]:
        return await self._read(lambda db: sqlite_read.read_cosignatures(db, log))

    async def leaves(self, log: Log, start: int, stop: int) -> list[bytes]:
        return await self._read(lambda db: sqlite_read.read_leaves(db, log, start, stop))

    async def tile(self, log: Log, level: int, n: int) -> bytes | None:
        return await self._read(lambda db: sqlite_read.read_tile(db, log, level, n))

    async def packages(self, start: int, stop: int) -> dict[int, bytes]:
        return await self._read(lambda db: sqlite_read.read_packages(db, start, stop))

    async def entries(self, start: int, stop: int) -> list[EntryRow]:
        return await self._read(lambda db: sqlite_read.read_entries(db, start, stop))

    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, BulletinFacts]:
        return await self._read(lambda db: sqlite_read.read_bulletins(db, ids))

    async def bodies(self, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]:
        return await self._read(lambda db: sqlite_read.read_bodies(db, ids))

    async def deliveries_of(self, ids: Iterable[bytes]) -> dict[bytes, list[DeliveryRow]]:
        return await self._read(lambda db: sqlite_aging.read_deliveries_of(db, ids))

    async def stanzas(self, keys: Sequence[DeliveryKey]) -> dict[DeliveryKey, StanzaRow]:
        return await self._read(lambda db: sqlite_read.read_stanzas(db, keys))

    async def signatures(
        self, keys: Mapping[SignatureKey, int]
    ) -> dict[SignatureKey, BatchSignature]:
        return await self._read(lambda db: sqlite_read.read_signatures(db, keys))

    async def _read(self, work: Work[T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, in_snapshot, self._connection, work)
