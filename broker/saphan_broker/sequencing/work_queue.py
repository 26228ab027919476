"""The sequencer's queue: bounded in items and bytes; beyond it the answer is "retry".

An agency may hold as much of it as it leaves free: one alone half of the queue, two alone a third
each. However much some send, what others send finds room.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import LIMITS

from saphan_broker.sequencing.work import ForDirectory, Item, Rejected, Work


class WorkQueue:
    """First in, first out; owned by the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Work] = deque()
        self._bytes = 0
        self._items_of: Counter[str | None] = Counter()
        self._bytes_of: Counter[str | None] = Counter()
        self._arrived = asyncio.Event()
        self._closed = False
        self._refusing: Unavailable | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def bytes(self) -> int:
        """What the waiting items weigh, about."""
        return self._bytes

    def put(self, item: Item) -> Work:
        """Queue an item.

        Raises:
            Unavailable: `busy` when the queue is full, `shutting_down` once it is closed, and what
                `refuse` was given.
        """
        if self._closed:
            raise Unavailable("shutting_down", "the broker is shutting down; send it again later")
        if self._refusing is not None:
            raise again(self._refusing)
        peer = item.peer
        if (
            self._items_of[peer] >= LIMITS.queue_items - len(self._waiting)
            or self._bytes_of[peer] >= LIMITS.queue_bytes - self._bytes
        ):
            raise Unavailable(
                "busy",
                f"{self._items_of[peer]} items of this agency are waiting already, "
                f"{len(self._waiting)} in all",
                hint="the node sends it again by itself",
                retry_after_ms=500,
            )
        work = Work(item)
        self._waiting.append(work)
        self._count(item, 1)
        self._arrived.set()
        return work

    def close(self) -> None:
        """Take no more; what waits is still worked off."""
        self._closed = True
        self._arrived.set()

    def refuse(self, why: Unavailable) -> None:
        """Take nothing until `accept`; what waits is answered with the same."""
        self._refusing = why
        while self._waiting:
            work = self._waiting.popleft()
            self._count(work.item, -1)
            work.resolve(Rejected(why))

    def accept(self) -> None:
        """Take items again."""
        self._refusing = None

    async def wait(self) -> bool:
        """Wait for an item; False once the queue is closed and worked off."""
        while not self._waiting:
            if self._closed:
                return False
            self._arrived.clear()
            await self._arrived.wait()
        return True

    def take(self, items: int = LIMITS.commit_items, size: int = LIMITS.commit_bytes) -> list[Work]:
        """The next group: what waits, as far as one commit takes it, or so many items and bytes.

        Of one agency's directory items few: each is judged alone, and while a group is nobody else
        gets an answer. What follows them from the same agency waits with them, in its order.
        """
        group: list[Work] = []
        left: list[Work] = []
        entries: Counter[str | None] = Counter()
        weight = 0
        while self._waiting and len(group) < items and weight < size:
            work = self._waiting.popleft()
            entries[work.item.peer] += isinstance(work.item, ForDirectory)
            if entries[work.item.peer] > LIMITS.commit_entries:
                left.append(work)
                continue
            group.append(work)
            weight += work.item.weight
            self._count(work.item, -1)
        self._waiting.extendleft(reversed(left))
        return group

    def _count(self, item: Item, sign: int) -> None:
        self._bytes += sign * item.weight
        self._items_of[item.peer] += sign
        self._bytes_of[item.peer] += sign * item.weight
        if not self._items_of[item.peer]:
            del self._items_of[item.peer], self._bytes_of[item.peer]


def again(why: Unavailable) -> Unavailable:
    """The same to raise once more: an exception that was raised keeps its traceback."""
    return Unavailable(
        why.code,
        why.message,
        field=why.field,
        hint=why.hint,
        retry_after_ms=why.retry_after_ms,
    )
