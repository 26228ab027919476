"""A follower's side of the work: items go to the holder, their outcomes come back.

Bounded as the sequencer's own queue is. Whatever may have been lost on the way is answered with
"retry": the node sends it again, and what was logged after all gets its first answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_protocol.batch import RootRef, item_root
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BatchSignature, statement_type

from saphan_broker.processes.channel import Channel
from saphan_broker.processes.wire import (
    Answers,
    ForHead,
    ForHold,
    ForOperation,
    ForOrder,
    ForPackage,
    ForSchema,
    ForStatement,
    ForSubmission,
    Forwarded,
    ForwardedItem,
    from_wire,
    wire_error,
)
from saphan_broker.sequencing.work import (
    Hold,
    Item,
    Logged,
    NewHead,
    Operation,
    Order,
    OwnSchema,
    Package,
    Rejected,
    Stated,
    Submitted,
    Work,
)
from saphan_broker.sequencing.work_queue import WorkQueue

LOOK_SECONDS: Final = 0.5

Holds = Callable[[BatchSignature], bool]
"""Whether a signature was verified here."""


@dataclass(frozen=True, slots=True)
class _OnItsWay:
    work: Work
    since: float


class Forwarding:
    """Owned by the event loop.

    Args:
        holds: tells which signatures need not be checked again.
    """

    def __init__(self, channel: Channel, holds: Holds) -> None:
        self._channel = channel
        self._holds = holds
        self._queue = WorkQueue()
        self._queue.refuse(unled())
        self._holder: bytes | None = None
        self._on_way: dict[int, _OnItsWay] = {}
        self._weight = 0
        self._number = 0
        self._room = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Items that have no outcome yet."""
        return len(self._queue) + len(self._on_way)

    @property
    def waiting_bytes(self) -> int:
        """What they weigh, about."""
        return self._queue.bytes + self._weight

    def submit(self, item: Item) -> Work:
        """Queue an item for the holder.

        Raises:
            Unavailable: `busy`; `no_holder`, `shutting_down`.
        """
        return self._queue.put(item)

    def turn_to(self, holder: bytes | None) -> None:
        """Somebody else sequences from now on, or nobody: what is on its way is asked again."""
        if holder == self._holder:
            return
        self._holder = holder
        self.lost()

    def lost(self) -> None:
        """What is on its way, or its answer, may have been lost.

        What waits may build on it: that does not go alone.
        """
        found, self._on_way, self._weight = self._on_way, {}, 0
        self._room.set()
        why = _silent("a message between this process and the one that sequences may be lost")
        for waiting in found.values():
            waiting.work.resolve(Rejected(why))
        self._queue.refuse(unled() if self._holder is None else why)
        if self._holder is not None:
            self._queue.accept()

    def lost_at(self, process: bytes) -> None:
        """That process did not listen for a while."""
        if process == self._holder:
            self.lost()

    async def run(self) -> None:
        """Send until closed, and give up what stays without an answer."""
        watching = asyncio.create_task(self._watch(), name="forwarded")
        try:
            while await self._queue.wait():
                await self._channel.idle.wait()  # what comes meanwhile travels with it
                await self._find_room()
                group = self._queue.take(LIMITS.commit_items, LIMITS.forward_piece)
                holder = self._holder
                if group and holder is not None:
                    self._send(group, holder)
        finally:
            watching.cancel()

    def close(self) -> None:
        """Take no more; what waits is answered with "retry"."""
        self._queue.refuse(Unavailable("shutting_down", "this process is shutting down"))
        self._queue.close()
        self.lost()

    def answered(self, sender: bytes, answers: Answers) -> None:
        """The holder has worked items off; of another one nothing is believed."""
        if sender != self._holder:
            return
        for outcome in answers.outcomes:
            found = self._on_way.pop(outcome.number, None)
            if found is None:
                continue
            self._weight -= found.work.item.weight
            error = outcome.error
            found.work.resolve(
                Logged(outcome.indices)
                if error is None
                else Rejected(from_wire(error), outcome.indices)
            )
        self._room.set()

    # --- sending ----------------------------------------------------------------------------------

    async def _find_room(self) -> None:
        while (
            len(self._on_way) >= LIMITS.forward_items or self._weight >= LIMITS.forward_bytes
        ) and self._holder is not None:
            self._room.clear()
            await self._room.wait()

    def _send(self, group: Sequence[Work], holder: bytes) -> None:
        now = asyncio.get_running_loop().time()
        items: list[ForwardedItem] = []
        signatures: dict[RootRef, BatchSignature] = {}
        for work in group:
            self._number += 1
            self._on_way[self._number] = _OnItsWay(work, now)
            self._weight += work.item.weight
            items.append(_forwarded(self._number, work.item))
            batch = _signature(work.item)
            if batch is not None:
                signatures[batch.key, batch.size, batch.root] = batch
        verified = [n for n, batch in enumerate(signatures.values()) if self._holds(batch)]
        body = Forwarded(tuple(items), tuple(signatures.values()), tuple(verified))
        numbers = [item.number for item in items]
        self._channel.tell(body, holder, lambda: self._unsent(numbers))

    def _unsent(self, numbers: Sequence[int]) -> None:
        """Nobody listened there."""
        if any(number in self._on_way for number in numbers):
            self.lost()

    def _give_up(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            found = self._on_way.pop(number, None)
            if found is not None:
                self._weight -= found.work.item.weight
                found.work.resolve(Rejected(_silent("the process that sequences is gone")))
        self._room.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            old = asyncio.get_running_loop().time() - LIMITS.forward_ms / 1000
            self._give_up([n for n, found in self._on_way.items() if found.since < old])


def unled() -> Unavailable:
    """Nobody sequences at the moment."""
    return Unavailable(
        "no_holder",
        "no process holds the lease: nothing can be logged at the moment",
        hint="the node sends it again by itself; if it lasts, the signer's host must be looked at",
        retry_after_ms=1_000,
    )


def _silent(why: str) -> Unavailable:
    return Unavailable(
        "not_answered",
        f"{why}; whether it was logged is not known here: send the same again",
        hint="the node sends it again by itself",
        retry_after_ms=500,
    )


def _forwarded(number: int, item: Item) -> ForwardedItem:
    if isinstance(item, Submitted):
        missing = None if item.missing is None else wire_error(item.missing)
        return ForSubmission(number, item.peer, item.submission, missing)
    if isinstance(item, Stated):
        return ForStatement(number, item.peer, item.item)
    if isinstance(item, Operation):
        return ForOperation(number, item.signed, item.peer)
    if isinstance(item, Package):
        return ForPackage(number, item.package, item.peer)
    if isinstance(item, Order):
        return ForOrder(number, item.package, item.peer)
    if isinstance(item, OwnSchema):
        return ForSchema(number, item.package, item.peer)
    if isinstance(item, Hold):
        return ForHold(number, item.package, item.peer)
    if isinstance(item, NewHead):
        return ForHead(number)
    raise RuntimeError(f"{type(item).__name__} is the holder's own")


def _signature(item: Item) -> BatchSignature | None:
    """The one that an item names, out of all that its session has brought."""
    if isinstance(item, Submitted):
        signed, kind, body = item.submission.item, CONSIGNMENT_TYPE, item.submission.consignment
    elif isinstance(item, Stated):
        signed, kind, body = item.item.item, statement_type(item.item.event), item.item.statement
    else:
        return None
    try:
        return item.batches.get((signed.key, signed.size, item_root(signed, kind, body)))
    except InvalidInput:  # a path that leads nowhere: the holder refuses it with the same words
        return None
