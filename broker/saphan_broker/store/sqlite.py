"""The embedded default engine: one SQLite file in WAL mode, `synchronous=FULL` (design section 9).

Four lines, each a connection with its thread: one writes, one reads facts for the sequencer, one
reads what is long (feeds, exports), one moves the WAL into the file between commits. After an error
that leaves a write unknown the object is dead: whoever holds it closes it, opens anew and reads the
head.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import MIB
from saphan_schemas.records import BatchSignature

from saphan_broker.store import (
    sqlite_aging,
    sqlite_bodies,
    sqlite_file,
    sqlite_read,
    sqlite_wal,
    sqlite_write,
)
from saphan_broker.store.base import (
    AnchorRow,
    BulletinFacts,
    BulletinRow,
    Commit,
    CommitUnknown,
    Corridor,
    CosignatureRow,
    Counts,
    DayCount,
    DeliveryKey,
    DeliveryRow,
    EntryRow,
    FeedRow,
    HoldKey,
    HoldRow,
    Log,
    LogState,
    Sign,
    SignatureKey,
    SignedHead,
    StanzaRow,
    StatementKey,
    TileKey,
)
from saphan_broker.store.sqlite_line import Line, Work

T = TypeVar("T")
_logger = logging.getLogger(__name__)

CHECKPOINT_BYTES: Final = 48 * MIB
"""Written since the last checkpoint before the next one starts, after a group's note is stored."""
WAL_LIMIT_BYTES: Final = 128 * MIB
"""A longer WAL is checkpointed by the writer itself: beside unbroken load none ever catches up."""


class SqliteStore:
    """`store.base.Store` on one SQLite file; made by `create` or `open`, never by hand."""

    def __init__(self, directory: Path, lock: int) -> None:
        self._lock = lock
        self._writer = Line(directory, "write")
        self._reader = Line(directory, "read", read_only=True)
        self._feeder = Line(directory, "feed", read_only=True)
        self._mover = Line(directory, "checkpoint")
        self._pending: dict[tuple[Log, str], CosignatureRow] = {}
        self._unmoved = self._wal_bytes = 0
        self._moving = False
        self._unknown: str | None = None
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def create(cls, directory: Path) -> Self:
        """Make an empty store in a directory (made 0700 if need be) and open it.

        Raises:
            OperatorError: `store_exists`, `store_locked`.
        """
        return await asyncio.to_thread(cls._open, directory, True)

    @classmethod
    async def open(cls, directory: Path) -> Self:
        """Open the store in a directory; never creates one.

        Raises:
            OperatorError: `store_missing`, `store_locked`, `store_foreign`, `store_format_newer`,
                `store_unreadable`.
        """
        return await asyncio.to_thread(cls._open, directory, False)

    @classmethod
    def _open(cls, directory: Path, fresh: bool) -> Self:
        if fresh:
            directory.mkdir(mode=0o700, exist_ok=True)
        held = sqlite_file.lock(directory)
        try:
            if fresh:
                sqlite_file.create(directory)
            else:
                sqlite_file.upgrade(directory)
            return cls(directory, held)
        except BaseException:
            os.close(held)
            raise

    async def close(self) -> None:
        """Finish what has begun, free files and lock; idempotent, also after CommitUnknown."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._pending and self._unknown is None:
            try:
                await self._write(lambda _db: None)
            except (OperatorError, Unavailable) as error:
                _logger.warning("cosignatures are not kept: %s", error)
        await asyncio.to_thread(self._free)

    def _free(self) -> None:
        for line in (self._mover, self._feeder, self._reader, self._writer):
            line.close()
        os.close(self._lock)

    # --- Logs ------------------------------------------------------------------------------------

    async def state(self, log: Log) -> LogState:
        return await self._read(lambda db: sqlite_read.read_state(db, log))

    async def commit(self, commit: Commit, sign: Sign | None = None) -> None:
        def keep_note(db: sqlite3.Connection) -> None:
            if sign is not None:
                self._keep_note(db, commit.log, SignedHead(commit.head.size, sign()))

        self._check_open()
        await self._write(lambda db: sqlite_write.apply_commit(db, commit), keep_note)
        # Without a note another write follows at once; do not wait for it for ever.
        most = WAL_LIMIT_BYTES if sign is None else CHECKPOINT_BYTES
        self._grown(sqlite_wal.size(commit), most)

    async def edge_tiles(self, log: Log) -> dict[TileKey, bytes]:
        return await self._read(lambda db: sqlite_read.read_edge(db, log))

    async def tile(self, log: Log, level: int, n: int) -> bytes | None:
        return await self._read(lambda db: sqlite_read.read_tile(db, log, level, n))

    async def leaves(self, log: Log, start: int, stop: int) -> list[bytes]:
        return await self._read_long(lambda db: sqlite_read.read_leaves(db, log, start, stop))

    async def put_note(self, log: Log, size: int, note: bytes) -> None:
        self._check_open()
        await self._write(lambda db: sqlite_write.apply_note(db, log, SignedHead(size, note)))
        self._grown(0, CHECKPOINT_BYTES)  # the disk is free until the next group of work

    async def note(self, log: Log) -> SignedHead | None:
        return await self._read(lambda db: sqlite_read.read_note(db, log))

    async def put_cosignature(self, log: Log, row: CosignatureRow) -> None:
        # Written with the next commit: it need not be durable, and a sync of its own is dear.
        self._check_open()
        before = self._pending.get((log, row.agency))
        if before is None or (row.size, row.time) >= (before.size, before.time):
            self._pending[log, row.agency] = row

    async def cosignatures(self, log: Log) -> list[CosignatureRow]:
        stored = await self._read(lambda db: sqlite_read.read_cosignatures(db, log))
        newest = {row.agency: row for row in stored}
        for (of_log, agency), row in self._pending.items():
            before = newest.get(agency, row)
            if of_log == log and (row.size, row.time) >= (before.size, before.time):
                newest[agency] = row
        return [newest[agency] for agency in sorted(newest)]

    async def packages(self, start: int, stop: int) -> dict[int, bytes]:
        return await self._read(lambda db: sqlite_read.read_packages(db, start, stop))

    async def anchor(self, below: int) -> AnchorRow | None:
        return await self._read(lambda db: sqlite_read.read_anchor(db, below))

    async def anchors(self, start: int, stop: int) -> list[AnchorRow]:
        return await self._read(lambda db: sqlite_read.read_anchors(db, start, stop))

    # --- Facts -----------------------------------------------------------------------------------

    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, BulletinFacts]:
        return await self._read(lambda db: sqlite_read.read_bulletins(db, ids))

    async def by_nonce(
        self, keys: Iterable[tuple[str, bytes]]
    ) -> dict[tuple[str, bytes], BulletinFacts]:
        return await self._read(lambda db: sqlite_read.read_by_nonce(db, keys))

    async def deliveries(self, keys: Iterable[DeliveryKey]) -> dict[DeliveryKey, DeliveryRow]:
        return await self._read(lambda db: sqlite_read.read_deliveries(db, keys))

    async def statements(self, keys: Iterable[StatementKey]) -> dict[StatementKey, int]:
        return await self._read(lambda db: sqlite_read.read_statements(db, keys))

    async def corridors(self, keys: Iterable[Corridor]) -> dict[Corridor, tuple[int, int]]:
        return await self._read(lambda db: sqlite_read.read_corridors(db, keys))

    async def due(self, now: int, limit: int) -> list[DeliveryRow]:
        return await self._read(lambda db: sqlite_read.read_due(db, now, limit))

    async def deliveries_of(self, ids: Iterable[bytes]) -> dict[bytes, list[DeliveryRow]]:
        return await self._read(lambda db: sqlite_aging.read_deliveries_of(db, ids))

    async def holds(self, keys: Iterable[HoldKey]) -> dict[HoldKey, HoldRow]:
        return await self._read(lambda db: sqlite_aging.read_holds(db, keys))

    async def holds_of(self, ids: Iterable[bytes]) -> dict[bytes, list[HoldRow]]:
        return await self._read(lambda db: sqlite_aging.read_holds_of(db, ids))

    async def destroyable(self, day: int, limit: int) -> list[DeliveryRow]:
        return await self._read(lambda db: sqlite_aging.read_destroyable(db, day, limit))

    async def stanzas_due(self, below_day: int, limit: int) -> list[StanzaRow]:
        return await self._read(lambda db: sqlite_aging.read_stanzas_due(db, below_day, limit))

    async def first_undestroyed(self) -> int | None:
        return await self._read(sqlite_aging.read_first_undestroyed)

    async def due_counts(self, upto_day: int) -> list[DayCount]:
        return await self._read_long(lambda db: sqlite_aging.read_due_counts(db, upto_day))

    async def open_deliveries(self) -> dict[str, int]:
        return await self._read_long(sqlite_read.read_open_deliveries)

    async def counts(self) -> Counts:
        return await self._read(sqlite_read.read_counts)

    # --- Mailboxes -------------------------------------------------------------------------------

    async def feed(
        self, agency: str, after: int | None, below: int, max_items: int, max_bytes: int
    ) -> list[FeedRow]:
        return await self._read_long(
            lambda db: sqlite_read.read_feed(db, agency, after, below, max_items, max_bytes)
        )

    async def last_entry(self, agency: str) -> int | None:
        return await self._read(lambda db: sqlite_read.read_last_entry(db, agency))

    async def entries(self, start: int, stop: int) -> list[EntryRow]:
        return await self._read_long(lambda db: sqlite_read.read_entries(db, start, stop))

    async def bodies(self, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]:
        return await self._read_long(lambda db: sqlite_read.read_bodies(db, ids))

    async def stanzas(self, keys: Sequence[DeliveryKey]) -> dict[DeliveryKey, StanzaRow]:
        return await self._read(lambda db: sqlite_read.read_stanzas(db, keys))

    async def signatures(
        self, keys: Mapping[SignatureKey, int]
    ) -> dict[SignatureKey, BatchSignature]:
        return await self._read(lambda db: sqlite_read.read_signatures(db, keys))

    # --- Aging -----------------------------------------------------------------------------------

    async def forget(self, before_day: int, limit: int) -> int:
        self._check_open()
        done = await self._write(lambda db: sqlite_aging.forget(db, before_day, limit))
        self._grown(done * sqlite_wal.FORGOTTEN_BYTES, CHECKPOINT_BYTES)
        return done

    async def cleanse(self) -> bool:
        self._check_open()
        emptied = await self._remove_emptied()
        await self._mover.run(sqlite_wal.move)  # most of it, beside commits
        return await self._writer.run(sqlite_wal.truncate) and emptied

    async def _remove_emptied(self) -> bool:
        """Free the pages of days of which nothing is left; False: there is more to free."""
        for _ in range(sqlite_bodies.STRETCHES):
            day = await self._read(sqlite_bodies.emptied_day)
            if day is None:
                return True
            await self._write(partial(sqlite_bodies.remove_stretch, day=day))
        return False

    # --- threads ---------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closing is not None:
            raise OperatorError("store_closed", "the store is closed")
        if self._unknown is not None:
            raise CommitUnknown(self._unknown)

    async def _read(self, work: Work[T]) -> T:
        self._check_open()
        return await self._reader.look(work)

    async def _read_long(self, work: Work[T]) -> T:
        """On a line of its own: the sequencer's look-ups do not queue behind feeds."""
        self._check_open()
        return await self._feeder.look(work)

    async def _write(self, work: Work[T], then: Work[None] | None = None) -> T:
        """Run one transaction on the writer, with the cosignatures that wait for one.

        Args:
            then: what follows it on the same thread: waking that, and the loop again, costs more
                than a small transaction.
        """
        waiting = dict(self._pending)

        def run(db: sqlite3.Connection) -> T:
            done = self._transact(db, work, waiting)
            if then is not None:
                then(db)
            return done

        done = await self._writer.run(run)
        for key, row in waiting.items():
            if self._pending.get(key) is row:
                del self._pending[key]
        return done

    def _keep_note(self, db: sqlite3.Connection, log: Log, head: SignedHead) -> None:
        self._transact(db, lambda db: sqlite_write.apply_note(db, log, head), {})

    def _transact(
        self,
        db: sqlite3.Connection,
        work: Work[T],
        waiting: dict[tuple[Log, str], CosignatureRow],
    ) -> T:
        if self._unknown is not None:  # it died while this call was queued
            raise CommitUnknown(self._unknown)
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise Unavailable(
                "store_busy", f"the store does not take a write now: {error}"
            ) from None
        try:
            done = work(db)
            rows = [(log, row) for (log, _agency), row in waiting.items()]
            sqlite_write.apply_cosignatures(db, rows)
            db.execute("COMMIT")
        except BaseException as error:
            self._undo(db, error)
            raise
        return done

    def _undo(self, db: sqlite3.Connection, error: BaseException) -> None:
        """Roll back and give the failure its name; the object dies where SQLite cannot tell."""
        code = error.sqlite_errorcode & 0xFF if isinstance(error, sqlite3.Error) else None
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.Error as second:
            self._die(second)
        if code == sqlite3.SQLITE_FULL:  # the commit frame was never complete
            raise OperatorError(
                "disk_full",
                "the disk of the store is full; nothing of this write was kept",
                field="data",
                hint="free space on the disk of --data; the broker goes on by itself",
            ) from None
        if code == sqlite3.SQLITE_CONSTRAINT:
            raise RuntimeError(f"commit: a row is stored already ({error})") from None
        if isinstance(error, sqlite3.Error):
            self._die(error)

    def _die(self, error: sqlite3.Error) -> None:
        self._unknown = f"{error} ({getattr(error, 'sqlite_errorname', 'no code')})"
        raise CommitUnknown(self._unknown) from None

    def _grown(self, size: int, most: int) -> None:
        """The WAL has about so many bytes more; move it when `most` are nowhere else."""
        self._unmoved += size
        if self._unmoved > most:
            self._checkpoint()

    def _checkpoint(self) -> None:
        """Start moving the WAL into the file, unless that is under way."""
        if self._moving or self._closing is not None:
            return
        self._moving = True
        line = self._writer if self._wal_bytes > WAL_LIMIT_BYTES else self._mover
        job = line.run(sqlite_wal.move)
        job.add_done_callback(self._moved)

    def _moved(self, job: asyncio.Future[tuple[int, int]]) -> None:
        self._moving = False
        if not job.cancelled() and job.exception() is None:
            self._wal_bytes, self._unmoved = job.result()
