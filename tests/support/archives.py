"""Stores from whose server's memory everything that can leave leaves after each commit."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.base import Commit, Sign
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.store import RedisStore


class EagerStore(RedisStore):
    """A `RedisStore` whose mover never rests."""

    @classmethod
    async def make(cls, address: RedisAddress, place: Path) -> Self:
        """An empty store with its objects in a directory."""
        return await cls.create(address, objects=DirectoryObjects(place), policy=EAGER)

    async def commit(self, commit: Commit, sign: Sign | None = None) -> None:
        await super().commit(commit, sign)
        await archive_all(self)

    async def close(self) -> None:
        await super().close()
        if self._objects is not None:
            await self._objects.close()


async def archive_all(store: RedisStore) -> int:
    """Call the mover until it has nothing to do; gives how many things were moved."""
    gone = 0
    while some := await store.archive_some():
        gone += some
    return gone
