"""The Redis engine: one line that writes, one for look-ups, one for what is long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from saphan_schemas.errors import OperatorError, SaphanError

from saphan_broker.objects.base import Objects
from saphan_broker.store.base import (
    Commit,
    CommitUnknown,
    CosignatureRow,
    Log,
    LogState,
    Sign,
    SignedHead,
)
from saphan_broker.store.checks import check_shape
from saphan_broker.store.redis import creating, writing
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.archive.mover import Mover
from saphan_broker.store.redis.archive.moving import LEASE_LOST, at_once
from saphan_broker.store.redis.archive.opening import open_archive
from saphan_broker.store.redis.archive.policy import Policy
from saphan_broker.store.redis.archive.reader import ArchiveReader
from saphan_broker.store.redis.archive.waking import Waking
from saphan_broker.store.redis.archived import Archive, NothingArchived
from saphan_broker.store.redis.before import read_before
from saphan_broker.store.redis.due_reads import DueReads
from saphan_broker.store.redis.fact_reads import FactReads
from saphan_broker.store.redis.forgetting import Forgetting
from saphan_broker.store.redis.keys import Keys, all_keys
from saphan_broker.store.redis.line import LineDown, unreachable
from saphan_broker.store.redis.link import Link
from saphan_broker.store.redis.log_reads import LogReads
from saphan_broker.store.redis.long_bodies import LongBodies
from saphan_broker.store.redis.mailbox_reads import MailboxReads
from saphan_broker.store.redis.reading import Reading
from saphan_broker.store.redis.rewriting import Rewriting
from saphan_broker.store.redis.server import examine
from saphan_broker.store.redis.upgrading import upgrade
from saphan_broker.store.redis.writer import Writer

T = TypeVar("T")
_logger = logging.getLogger(__name__)


class RedisStore(Reading):
    """`store.base.Store` in a Redis or Valkey server; made by `create` or `open`, never by hand."""

    def __init__(
        self, writer: Writer, links: tuple[Link, ...], keys: dict[Log, Keys], **parts: Any
    ) -> None:
        opened: tuple[ArchiveReader, Mover] | None = parts["archive"]
        archive: Archive = NothingArchived() if opened is None else opened[0]
        self._mover = None if opened is None else opened[1]
        self.archived = None if opened is None else opened[0]
        objects: Objects | None = parts["objects"]
        settled = writer.settled if writer.address.replicas else at_once
        self._long = LongBodies(objects, links[0], keys["evidence"], settled)
        self._writer = writer
        self._links = links
        self._keys = keys
        self._logs = LogReads(links[0], keys, archive)
        self._facts = FactReads(links[0], keys, archive)
        self._mailboxes = MailboxReads(links[1], keys, archive, objects)
        self._waking = None
        if opened is not None:
            of_evidence = (keys["evidence"], opened[0], self._facts)
            self._waking = Waking(links[2].ask, *of_evidence, lambda: writer.epoch)
        self._dues = DueReads(links[0], keys, self._facts, self._logs, self._waking, self._wake)
        reader = None if opened is None else opened[0]
        self._forgetting = Forgetting(writer, links[0], keys, self._logs, self._facts, reader)
        self._rewriting = Rewriting(links[2], keys["evidence"], lambda: writer.epoch)
        self._writing = asyncio.Lock()
        self._begun: set[asyncio.Task[Any]] = set()
        self._pending: dict[tuple[Log, str], CosignatureRow] = {}
        self._unknown: str | None = None
        if self._mover is not None:
            self._mover.wait_with(lambda: self._begin(writer.settled()))
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def create(
        cls,
        address: RedisAddress,
        *,
        objects: Objects | None = None,
        policy: Policy | None = None,
    ) -> Self:
        """Make an empty store in the server, among whatever else it holds, and open it.

        Raises:
            OperatorError: `store_exists`, and as `open`.
        """
        await creating.create(address)
        return await cls.open(address, objects=objects, policy=policy)

    @classmethod
    async def open(
        cls,
        address: RedisAddress,
        *,
        objects: Objects | None = None,
        policy: Policy | None = None,
        epoch: int = 0,
    ) -> Self:
        """Open the store in the server; never creates one. What it holds is durable then.

        Args:
            objects: where long bodies lie, and what has left the server's memory.
            policy: how much stays in its memory.
            epoch: of the lease under which will be written (`Lease.epoch`).

        Raises:
            OperatorError: `store_missing`, `store_foreign`, `store_format_newer`, `store_lossy`,
                `store_config_unknown`, `redis_refused`, `objects_elsewhere`; Unavailable:
                `redis_unreachable`, `replicas_missing`.
        """
        keys = all_keys(address.name)
        identity = (keys["evidence"].head, b"store")
        store = await creating.identify(address)
        links = tuple(Link(address, identity, store) for _ in range(3))
        writer = Writer(links[0], keys, epoch)
        try:
            await writer.open()
            archive = await open_archive(
                links[0].ask,
                links[2].ask,
                keys,
                objects,
                store,
                policy or Policy(),
                lambda: writer.epoch,
            )
            await upgrade(links[2].ask, keys, None if archive is None else archive[0])
        except BaseException:
            writer.close()
            for link in links:
                link.close()
            raise
        return cls(writer, links, keys, objects=objects, archive=archive)

    @property
    def accepted_losses(self) -> tuple[str, ...]:
        """Settings of the server by which it may lose data, accepted by --accept-loss."""
        return self._writer.promises.losses

    @property
    def epoch(self) -> int:
        """Of the lease under which this object writes; set it when the lease was taken."""
        return self._writer.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._writer.epoch = epoch

    async def examine(self) -> tuple[str, ...]:
        """Look at the server's settings; gives `accepted_losses`. Commits look by themselves, too.

        Raises:
            OperatorError: `store_lossy`, `store_config_unknown`; Unavailable: `redis_unreachable`.
        """
        self._check_open()
        link = self._links[0]
        try:
            return (await examine(await link.line(), link.address)).losses
        except LineDown as error:
            raise unreachable(link.address, str(error)) from None

    async def close(self) -> None:
        """Finish what has begun and free the lines; idempotent, also after CommitUnknown."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._begun:
            await asyncio.wait(self._begun)
        if self._pending and self._unknown is None:
            try:
                await self._keep_cosignatures()
            except (SaphanError, LineDown) as error:
                _logger.warning("cosignatures are not kept: %s", error)
        self._writer.close()
        for link in self._links:
            link.close()

    # --- Logs ------------------------------------------------------------------------------------

    async def state(self, log: Log) -> LogState:
        self._check_open()
        settled = not self._writing.locked()
        state, commit = await self._logs.state(log)
        if settled and not self._writing.locked():
            # Another process may have committed since: the next commit of ours is one upon it.
            self._writer.saw(log, commit)
        return state

    async def commit(self, commit: Commit, sign: Sign | None = None) -> None:
        self._check_open()
        check_shape(commit, LogState(commit.expected, 0))
        await self._begin(self._commit(commit, sign))

    async def _commit(self, commit: Commit, sign: Sign | None) -> None:
        keys = self._keys[commit.log]
        new = writing.new_keys(keys, commit)
        in_objects = await self._long.put(commit.bulletins, self._writer.epoch)
        before = await read_before(self._facts, commit)
        words = writing.operations(keys, commit, in_objects, before)
        await self._keep_cosignatures()
        # A crash in here: all of it or nothing of it is in the server, signed or not yet.
        await self._writer.commit(commit, words, new)
        if sign is not None:
            # A crash here: the next holder finds a committed head without a note, and signs it.
            note = await asyncio.to_thread(sign)
            await self._writer.note(commit.log, SignedHead(commit.head.size, note))

    async def put_note(self, log: Log, size: int, note: bytes) -> None:
        self._check_open()
        await self._begin(self._writer.note(log, SignedHead(size, note)))

    async def note(self, log: Log) -> SignedHead | None:
        self._check_open()
        return await self._logs.note(log)

    async def put_cosignature(self, log: Log, row: CosignatureRow) -> None:
        # Written with the next commit: it need not be durable, and a sync of its own is dear.
        self._check_open()
        before = self._pending.get((log, row.agency))
        if before is None or (row.size, row.time) >= (before.size, before.time):
            self._pending[log, row.agency] = row

    async def cosignatures(self, log: Log) -> list[CosignatureRow]:
        self._check_open()
        newest = {row.agency: row for row in await self._logs.cosignatures(log)}
        for (of_log, agency), row in self._pending.items():
            before = newest.get(agency, row)
            if of_log == log and (row.size, row.time) >= (before.size, before.time):
                newest[agency] = row
        return [newest[agency] for agency in sorted(newest)]

    async def archive_some(self) -> int:
        """Move a little of what is full or finished out of the server's memory.

        At the holder of the lease only; gives how many things were moved, 0: nothing is left to
        do, or there is no store of objects. What was cut off is done by the next call.

        Raises:
            Unavailable: `lease_lost`, `redis_unreachable`, `blobs_unreachable`, ...;
            OperatorError: `blobs_unusable`, `store_missing`, ...
        """
        self._check_open()
        return 0 if self._mover is None else await self._mover.step()

    async def sweep_bodies(self) -> int:
        """Remove objects whose commit has failed, or has not waited for them; gives how many.

        At the holder of the lease only. Errors as `archive_some`.
        """
        self._check_open()
        return await self._long.sweep(self._writer.epoch)

    async def _wake(self, number: int) -> None:
        if self._waking is not None:
            await self._begin(self._waking.wake(number))

    # --- Aging -----------------------------------------------------------------------------------

    async def forget(self, before_day: int, limit: int) -> int:
        """See `Aging.forget`; at the holder of the lease only."""
        self._check_open()
        if self._mover is None:
            return await self._begin(self._forget(before_day, limit))
        async with self._mover.resting:  # nothing is archived that is forgotten meanwhile
            gone = await self._begin(self._forget(before_day, limit))
            if gone:
                return gone
            return await self._mover.forget(before_day, await self._logs.forgotten(), limit)

    async def _forget(self, before_day: int, limit: int) -> int:
        gone = await self._forgetting.entries(before_day, limit)
        return gone or await self._forgetting.bulletins(before_day, limit)

    async def cleanse(self) -> bool:
        """See `Aging.cleanse`; at the holder of the lease only. Errors as `archive_some`."""
        self._check_open()
        clean, failure = True, None
        if self._mover is not None:
            try:
                clean = await self._mover.clean()
            except SaphanError as error:
                if error.code == LEASE_LOST:
                    raise
                failure = error  # objects that are away keep nothing in the server's file
        rewritten = await self._rewriting.rewrite()
        if failure is not None:
            raise failure
        return rewritten and clean

    # --- writing ---------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closing is not None:
            raise OperatorError("store_closed", "the store is closed")
        if self._unknown is not None:
            raise CommitUnknown(self._unknown)

    async def _begin(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a write to its end, one at a time, whether or not its caller still waits."""
        task = asyncio.ensure_future(self._alone(work))
        self._begun.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._begun.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone

    async def _alone(self, work: Coroutine[Any, Any, T]) -> T:
        async with self._writing:
            try:
                if self._unknown is not None:  # it died while this call was queued
                    raise CommitUnknown(self._unknown)
                return await work
            except CommitUnknown as error:
                self._unknown = self._unknown or error.message
                raise
            finally:
                work.close()

    async def _keep_cosignatures(self) -> None:
        waiting = dict(self._pending)
        if not waiting:
            return
        rows = [(log, row) for (log, _agency), row in waiting.items()]
        try:
            await self._writer.cosignatures(rows)
        except LineDown:
            return  # the commit behind it finds out; they wait for the next one
        for key, row in waiting.items():
            if self._pending.get(key) is row:
                del self._pending[key]
