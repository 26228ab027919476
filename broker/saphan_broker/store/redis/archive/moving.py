"""What all parts of the mover share: asking the server, and one counted move."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from saphan_schemas.errors import Unavailable

from saphan_broker.store.base import Log
from saphan_broker.store.redis.archive import index, scripts
from saphan_broker.store.redis.archive.cache import Cache
from saphan_broker.store.redis.archive.envelope import seal
from saphan_broker.store.redis.archive.formats import is_pack
from saphan_broker.store.redis.archive.policy import Policy
from saphan_broker.store.redis.archive.reader import Ask
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Argument, Command
from saphan_broker.store.redis.scripts import outcome

LEASE_LOST: Final = "lease_lost"


class Moving:
    """One store's server and objects, as the mover sees them.

    Args:
        epoch: of the lease under which this process may move things, now.

    Attributes:
        settled: returns once all that the server says is durable, on the replicas too: one that is
            promoted knows of what was put, and does not need what was removed.
    """

    def __init__(
        self,
        ask: Ask,
        keys: Mapping[Log, Keys],
        objects: Cache,
        policy: Policy,
        epoch: Callable[[], int],
    ) -> None:
        self.ask = ask
        self.keys = keys
        self.objects = objects
        self.policy = policy
        self.epoch = epoch
        self.settled: Callable[[], Awaitable[None]] = at_once
        self._noted: list[str] = []

    async def put(self, name: str, body: bytes) -> None:
        """Keep an object with this body; durable when it returns."""
        data = await asyncio.to_thread(seal, self.objects.full_name(name), body)
        await self.objects.put(name, data)

    async def put_noted(self, name: str, body: bytes) -> None:
        """`put` what no index names yet: until one does the server has a note of it, so that a
        crash leaves nothing that nobody knows of."""
        self._noted.append(name)
        await self.write([("ZADD", self.keys["evidence"].notes, self.epoch(), name)])
        await self.settled()
        await self.put(name, body)

    async def give_up(self, names: Sequence[str]) -> None:
        """The lease is lost: what was put by this process and is in no index never will be.

        The next holder removes what it has a note of; but its note may have gone before our put.
        """
        keys = self.keys["evidence"]
        asked: list[Command] = [("ZSCORE", keys.notes, name) for name in names]
        asked += [("EXISTS", keys.refs(name)) for name in names]
        found = await self.ask(asked) if asked else []
        for name, noted, led in zip(names, found, found[len(names) :], strict=False):
            if noted is not None or (is_pack(name) and not led):
                await self.objects.remove(name)

    def noted_since(self, before: int) -> list[str]:
        """Names that were noted here after so many."""
        return self._noted[before:]

    @property
    def noted(self) -> int:
        """How many names were noted here since `abandoned`."""
        return len(self._noted)

    def abandoned(self) -> list[str]:
        """What was noted here, now that nothing is under way; once each."""
        names, self._noted = self._noted, []
        return names

    async def write(self, commands: Sequence[Command]) -> None:
        """Commands that may be given twice, all or none.

        Raises:
            Unavailable: `lease_lost`.
        """
        call = scripts.write(self.keys["evidence"], self.epoch(), commands)
        (reply,) = await self.ask([call])
        word, _size = outcome(reply)
        if word == "fenced":
            raise fenced()

    async def final_size(self, log: Log) -> int:
        """Leaves of a log that nothing can change any more."""
        (head,) = await self.ask([("HMGET", self.keys[log].head, "size", "note_size")])
        return int((head[0] if self.policy.unsigned else head[1]) or 0)

    async def count(self, log: Log, field: str) -> int:
        """How far a kind of things was moved."""
        (said,) = await self.ask([("HGET", index.moved(self.keys[log]), field)])
        return int(said or 0)

    async def move(
        self, log: Log, field: str, before: int, after: int, removals: Sequence[Command]
    ) -> bool:
        """Remove what is in objects by now and count it; False: somebody else has.

        Raises:
            Unavailable: `lease_lost`.
        """
        keys = self.keys[log]
        words: list[Argument] = []
        for command in removals:
            words += (len(command), *command)
        call = scripts.move(
            (keys.head, index.moved(keys)), self.epoch(), field, before or "", after, *words
        )
        (reply,) = await self.ask([call])
        word, _size = outcome(reply)
        if word == "fenced":
            raise fenced()
        return word == "done"


async def at_once() -> None:
    """Nothing to wait for."""


def fenced() -> Unavailable:
    """Another process holds the lease: it archives now."""
    return Unavailable(LEASE_LOST, "another process sequences by now, and archives")
