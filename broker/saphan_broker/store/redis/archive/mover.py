"""The mover: at whoever holds the lease, a bounded step at a time (docs/adr/0015)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from saphan_broker.objects.base import Objects
from saphan_broker.store.redis.archive.cleansing import Cleansing
from saphan_broker.store.redis.archive.forgetting import Forgetting
from saphan_broker.store.redis.archive.move_boxes import BoxMover
from saphan_broker.store.redis.archive.move_bulletins import BulletinMover
from saphan_broker.store.redis.archive.move_logs import move_blocks, move_tiles
from saphan_broker.store.redis.archive.moving import Moving
from saphan_broker.store.redis.archive.reader import ArchiveReader


class Mover:
    """Moves what is full or finished from the server's memory into objects.

    A crash at any point loses nothing: an object is durable before the script that removes what is
    in it, and what was cut off is done again.
    """

    def __init__(self, objects: Objects, moving: Moving, reader: ArchiveReader) -> None:
        self._moving = moving
        self._boxes = BoxMover(moving)
        self._bulletins = BulletinMover(moving, reader)
        self._cleansing = Cleansing(objects, moving, reader, self._bulletins)
        self._begun = False
        self._forgetting = Forgetting(moving, reader, self._bulletins)
        self.resting = asyncio.Lock()
        """Held by whoever needs that nothing is moved meanwhile."""

    async def step(self) -> int:
        """Move a little of everything; gives how many things, 0: there is nothing to do.

        Raises:
            Unavailable: `lease_lost`, and when server or objects do not answer;
            OperatorError: `blobs_unusable`, `store_missing`; nothing is half done then that the
                next step would not finish.
        """
        async with self.resting:
            if not self._begun:
                await self._moving.objects.sign()
                self._begun = True
            return (
                await move_blocks(self._moving)
                + await move_tiles(self._moving)
                + await self._boxes.move()
                + await self._bulletins.move()
            )

    def wait_with(self, settled: Callable[[], Awaitable[None]]) -> None:
        """See `Moving.settled`."""
        self._moving.settled = settled

    async def clean(self) -> bool:
        """Take what is destroyed out of the objects; see `Cleansing.clean`."""
        async with self.resting:
            return await self._cleansing.clean()

    async def forget(self, before_day: int, forgotten: int, limit: int) -> int:
        """Take what is forgotten out of packs and blocks, for who holds `resting`."""
        return await self._forgetting.forget(before_day, forgotten, limit)
