"""What lies in packs and is due: a pack's deliveries enter the server's index of what may go.

Until its day comes an archived delivery takes no memory of its own: its pack stands in `days`, once
for 256 of them. A crash before the script leaves the pack there; after it, the deliveries are where
those of the server's own bulletins are.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Final

from saphan_schemas.errors import OperatorError

from saphan_broker.store.base import DeliveryKey, DeliveryRow
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import scripts
from saphan_broker.store.redis.archive.envelope import UNREADABLE
from saphan_broker.store.redis.archive.moving import fenced
from saphan_broker.store.redis.archive.reader import ArchiveReader, Ask
from saphan_broker.store.redis.before import place
from saphan_broker.store.redis.fact_reads import FactReads
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Argument
from saphan_broker.store.redis.scripts import outcome

_log = logging.getLogger("saphan.broker")

PAUSE_S: Final = 30.0
"""Until a pack that could not be read is looked at again."""


class Waking:
    """Over one line to the server; its caller lets no commit run beside `wake`."""

    def __init__(
        self,
        ask: Ask,
        keys: Keys,
        reader: ArchiveReader,
        facts: FactReads,
        epoch: Callable[[], int],
    ) -> None:
        self._ask = ask
        self._keys = keys
        self._reader = reader
        self._facts = facts
        self._epoch = epoch
        self._unreadable: dict[int, float] = {}

    async def earliest(self) -> tuple[int, int] | None:
        """Number and day of the pack that is due first, whether it can be read or not."""
        (found,) = await self._ask([("ZRANGE", self._keys.days, 0, 0, "WITHSCORES")])
        return (int(found[0]), int(found[1])) if found else None

    async def first(self, day: int) -> tuple[int, int] | None:
        """Number and day of the earliest pack with something due up to a day, its facts read
        already; one that cannot be read is passed over, and stays where it is."""
        command = ("ZRANGE", self._keys.days, "-inf", day, "BYSCORE", "LIMIT")
        at = 0
        while True:
            (found,) = await self._ask([(*command, at, 1, "WITHSCORES")])
            if not found:
                return None
            if await self._is_readable(int(found[0])):
                return int(found[0]), int(found[1])
            at += 1

    async def _is_readable(self, number: int) -> bool:
        """One that is not is looked at again after a while: a sweep asks before each commit."""
        if monotonic() < self._unreadable.get(number, 0.0):
            return False
        try:
            await self._reader.pack(number)
        except OperatorError as error:
            if error.code not in UNREADABLE:
                raise
            _log.warning("what is due in a pack cannot be destroyed: %s", error)
            self._unreadable[number] = monotonic() + PAUSE_S
            return False
        self._unreadable.pop(number, None)
        return True

    async def has_free(self, number: int) -> bool:
        """Whether something of a pack is still destroyable when its day comes."""
        return any(place(row) == "free" for row in await self._rows(number))

    async def wake(self, number: int) -> None:
        """Move the destroyable deliveries of a pack to the server's index.

        Raises:
            Unavailable: `lease_lost`; OperatorError: `object_missing`, `object_damaged`.
        """
        words: list[Argument] = []
        for row in await self._rows(number):
            if place(row) == "free":
                words += (row.due_day, packing.due_member(row))
        keys = (self._keys.head, self._keys.days, self._keys.destroyable)
        (reply,) = await self._ask([scripts.wake(keys, self._epoch(), number, *words)])
        word, _size = outcome(reply)
        if word == "fenced":
            raise fenced()

    async def every(self, upto_day: int) -> AsyncIterator[list[DeliveryKey]]:
        """Deliveries of all packs that are due up to a day, and stand in no index of the server."""
        command = ("ZRANGE", self._keys.days, "-inf", upto_day, "BYSCORE")
        (numbers,) = await self._ask([command])
        for number in numbers:
            rows = await self._rows(int(number))
            members = [packing.due_member(row) for row in rows]
            if not members:
                continue
            indices = (self._keys.destroyable, self._keys.held)
            here, held = await self._ask([("ZMSCORE", index, *members) for index in indices])
            yield [
                (row.bulletin, row.recipient)
                for row, one, other in zip(rows, here, held, strict=True)
                if one is None and other is None
            ]

    async def _rows(self, number: int) -> list[DeliveryRow]:
        """Every delivery of the bulletins that the pack's index still leads to, as it is now."""
        keys = [
            (row.id, name[1:].decode())
            for row in await self._reader.members(number)
            for name in row.fields
            if name[:1] == b"d"
        ]
        return list((await self._facts.deliveries(keys)).values())
