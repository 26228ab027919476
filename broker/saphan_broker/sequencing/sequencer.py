"""The sequencer: one task owns both logs; groups of items become commits, heads, answers.

Order of effects for a group (design 4.2): judge; one commit of leaves, records, mailboxes and the
unsigned head; sign the head (the signer's own file first); make the note durable; publish; answer.
What a crash means: before the commit, nothing happened; after it, `settle` signs what is committed,
at the next start or right here, by the same function as always; senders that heard nothing send
again and get their first answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from saphan_schemas.errors import OperatorError, SaphanError, Unavailable

from saphan_broker.sequencing.committing import Committer
from saphan_broker.sequencing.preparing import Prepared, prepare
from saphan_broker.sequencing.registering import Registrar
from saphan_broker.sequencing.work import ForDirectory, Item, Logged, NewHead, Rejected, Work
from saphan_broker.sequencing.work_queue import WorkQueue
from saphan_broker.state import State
from saphan_broker.store.base import CommitUnknown, HeadMoved

_log = logging.getLogger("saphan.broker")

WORTH_JUDGING = 64
"""Items waiting before the next group is judged beside the write of the one before: fewer are
judged in less time than a commit costs, and better gather into one group meanwhile."""
FULL = frozenset({"disk_full", "store_memory_full"})
STOPPING = FULL | {
    "clock_disagrees",
    "failover_under_way",
    "node_not_heard",
    "redis_unreachable",
    "replicas_missing",
    "sentinels_unreachable",
}
"""Failures that leave no doubt about the store, but while which nothing is logged."""
LEASE_LOST = "lease_lost"
"""Another process sequences by now; what this one wrote meanwhile was refused."""
RETRY_SECONDS = 1.0
"""Between attempts to get the logs going again after a failure."""

Leads = Callable[[], Awaitable[bool]]
"""Asks whether this process is still the one that sequences."""


async def alone() -> bool:
    """No other process serves this store."""
    return True


class _Writing:
    """The group that is on its way to the disk."""

    task: asyncio.Task[None]

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.failed = False


class Sequencer:
    """Takes groups from the queue and works them off, one at a time.

    Nothing is worked off before the signers are released: a node's session has opened since the
    start, or none is enrolled, or the operator has overridden it (bytes.md, Signer).

    Args:
        leads: asked after a failure, before the logs go on: another process may have taken over.
    """

    def __init__(self, state: State, committer: Committer, leads: Leads = alone) -> None:
        self._state = state
        self._committer = committer
        self._registrar = Registrar(state, committer)
        self._queue = WorkQueue()
        self._broken = False
        self._alarmed: set[str] = set()
        self._writing: _Writing | None = None
        self._leads = leads
        self._turn = asyncio.Lock()

    def submit(self, item: Item) -> Work:
        """Queue an item; its outcome follows its durable signed head.

        Raises:
            Unavailable: `busy`, `shutting_down`, and what `stand_down` was given.
        """
        return self._queue.put(item)

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return len(self._queue)

    @property
    def waiting_bytes(self) -> int:
        """What they weigh, about."""
        return self._queue.bytes

    @property
    def broken(self) -> bool:
        """Whether the logs stand still after a failure."""
        return self._broken

    def close(self) -> None:
        """Take no more work; `run` ends when what waits is worked off."""
        self._queue.close()

    async def run(self) -> None:
        """Work until closed. A failing group is answered with "retry", never with silence."""
        while await self._queue.wait():
            if len(self._queue) < WORTH_JUDGING:
                await self._written()
            async with self._turn:
                group = self._queue.take()
                try:
                    if group:  # or it was answered by `stand_down`
                        await self._group(group)
                except Exception as error:
                    await self._failed(group, error)
        await self._written()

    def rest(self, why: Unavailable) -> None:
        """Take nothing until `take_up`: the answer is `why`."""
        self._queue.refuse(why)

    async def stand_down(self, why: Unavailable) -> None:
        """Another process sequences: answer what waits with `why`, and wait for what is under way.

        That is fenced by the store: it is written whole, or answered with "retry".
        """
        self.rest(why)
        async with self._turn:
            await self._written()
        self._broken = False
        self._all_clear()

    def take_up(self) -> None:
        """This process sequences from now on; the state was read and settled for it."""
        self._queue.accept()

    async def _group(self, group: Sequence[Work]) -> None:
        evidence = [w for w in group if not isinstance(w.item, ForDirectory | NewHead)]
        if len(evidence) < len(group) or self._writing is None:
            await self._written()
            await self._alone(group, evidence)
            return
        prepared = await self._beside(evidence, self._writing)
        if prepared is None:
            await self._alone(group, evidence)
        else:
            self._write(evidence, prepared)

    async def _beside(self, evidence: Sequence[Work], before: _Writing) -> Prepared | None:
        """Judge while the group before is on its way to the disk, then wait until it is there.

        Returns:
            None if that group has failed: what this one was judged by is not there.
        """
        prepared: Prepared | None = None
        failure: Exception | None = None
        if not before.failed:
            try:
                prepared = await prepare(self._state, evidence, before.prepared)
            except Exception as error:
                failure = error
        await asyncio.wait([before.task])
        if before.failed:
            return None
        if failure is not None:
            raise failure
        return prepared

    async def _alone(self, group: Sequence[Work], evidence: Sequence[Work]) -> None:
        """Nothing is under way: the steps that must see both logs at rest."""
        if not all(signer.released for signer in self._state.signers.values()):
            raise Unavailable(
                "node_not_heard",
                "after a start nothing is signed before a node's session has opened",
                hint="start a node, or let the operator override it",
            )
        if self._broken:
            await self._repair()
        await self.settle()
        for work in group:
            if isinstance(work.item, ForDirectory):
                await self._registrar.register(work)
        await self._registrar.register_types()
        await self._freshen([work for work in group if isinstance(work.item, NewHead)])
        self._write(evidence, await prepare(self._state, evidence, None))

    def _write(self, group: Sequence[Work], prepared: Prepared) -> None:
        """Begin to write; a failure is dealt with in the same task, before anything else is."""

        writing = self._writing = _Writing(prepared)
        writing.task = asyncio.create_task(self._write_out(group, writing), name="write")

    async def _write_out(self, group: Sequence[Work], writing: _Writing) -> None:
        try:
            await self._committer.write(writing.prepared)
            self._all_clear()
        except Exception as error:
            writing.failed = True
            await self._failed(group, error)
        finally:
            if self._writing is writing:
                self._writing = None

    async def _written(self) -> None:
        """Wait until nothing is under way."""
        if self._writing is not None:
            await asyncio.wait([self._writing.task])

    async def _freshen(self, asked: Sequence[Work]) -> None:
        """Fresh heads of both logs, so that time goes on while nothing happens."""
        if asked:
            for book in self._state.books.values():
                await self._committer.sign(book)
            self._state.listeners.published(())
        for work in asked:
            work.resolve(Logged(()))

    async def settle(self) -> None:
        """Sign and publish whatever is committed and not under a durable signed head yet."""
        for book in self._state.books.values():
            if book.unsigned:
                await self._committer.sign(book)
                # Whose entries these are is not known any more: everyone looks.
                self._state.listeners.everyone()

    async def _failed(self, group: Sequence[Work], failure: Exception) -> None:
        """Answer the group; after a failure that leaves doubt, stop until the store is re-read."""
        error = failure if isinstance(failure, SaphanError) else _bug(failure)
        doubt = isinstance(error, HeadMoved) or (
            isinstance(error, OperatorError) and error.code not in FULL
        )
        self._broken = self._broken or doubt
        lost = doubt and await self._is_lost()
        if not lost and error.code != LEASE_LOST:
            self._alarmed.add(error.code)
            self._state.alarms.sound_error(error, stops=self._broken or error.code in STOPPING)
        answer = error if isinstance(error, Unavailable) else _retry(error)
        for work in group:
            work.resolve(Rejected(answer))
        if self._broken and not lost:
            await self._try_repair()

    async def _is_lost(self) -> bool:
        """Whether another process sequences by now: then a failure is its doing, and nobody must
        look; `stand_down` follows."""
        try:
            return not await self._leads()
        except SaphanError as error:
            _log.info("whether another process sequences is not known: %s", error)
            return False

    async def _try_repair(self) -> None:
        try:
            await self._repair()
        except Exception as error:
            if isinstance(error, Unavailable) and error.code == LEASE_LOST:
                return  # `stand_down` follows
            if isinstance(error, OperatorError):
                # What keeps it from going on, such as a store that lacks what was signed.
                self._alarmed.add(error.code)
                self._state.alarms.sound_error(error, stops=True)
            # Stays broken: /readyz says so, senders are told to retry, the next group tries again.
            _log.warning("the logs stand still: %r", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _repair(self) -> None:
        """Reopen, re-read, sign what is committed: recovery is normal work (design 4.2)."""
        if not await self._leads():
            raise Unavailable(
                LEASE_LOST,
                "another process has taken over the sequencing",
                hint="the node sends it again by itself",
            )
        await self._state.reopen_store()
        await self.settle()
        self._broken = False
        self._all_clear()
        _log.warning("the logs go on after a failure")

    def _all_clear(self) -> None:
        """A group, or the repair, has succeeded: what stopped the ones before is over."""
        while self._alarmed:
            self._state.alarms.clear(self._alarmed.pop())


def _bug(failure: Exception) -> OperatorError:
    _log.error("the sequencer met a bug; the logs are read anew", exc_info=failure)
    return OperatorError("internal", f"bug: {failure!r}")


def _retry(error: SaphanError) -> Unavailable:
    if isinstance(error, CommitUnknown):
        return Unavailable("not_committed", "the commit's fate is unknown; send the same again")
    return Unavailable(
        "broker_stopped",
        f"the broker cannot log at the moment ({error.code}); send the same again later",
        hint="the broker's operator has been alarmed",
        retry_after_ms=5_000,
    )
