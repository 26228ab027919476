"""The archive of one store: what reads it, what moves things into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from saphan_schemas.errors import OperatorError

from saphan_broker.objects.base import Objects
from saphan_broker.store.base import LOGS, Log
from saphan_broker.store.redis.archive import index
from saphan_broker.store.redis.archive.cache import Cache
from saphan_broker.store.redis.archive.mover import Mover
from saphan_broker.store.redis.archive.moving import Moving
from saphan_broker.store.redis.archive.policy import Policy
from saphan_broker.store.redis.archive.reader import ArchiveReader, Ask
from saphan_broker.store.redis.keys import Keys


async def open_archive(
    ask: Ask,
    move: Ask,
    keys: Mapping[Log, Keys],
    objects: Objects | None,
    store: bytes,
    policy: Policy,
    epoch: Callable[[], int],
) -> tuple[ArchiveReader, Mover] | None:
    """Reader and mover of a store; None without a store of objects, if nothing was ever moved.

    Args:
        ask: the server, for what somebody waits for; `move`: for what nobody does.
        store: random id of the store; the objects lie under it.

    Raises:
        OperatorError: `archive_elsewhere`: what was moved is not in these objects: duplicates
            would not be known for what they are.
    """
    moved = await _anything_moved(ask, keys)
    if objects is None:
        if moved:
            raise _elsewhere("no store of objects is named")
        return None
    cache = Cache(objects, store.hex())
    if moved and not await cache.is_here():
        raise _elsewhere("it is not in the store of objects that is named")
    reader = ArchiveReader(ask, keys, cache)
    mover = Mover(Moving(move, keys, cache, policy, epoch), reader)
    return reader, mover


async def _anything_moved(ask: Ask, keys: Mapping[Log, Keys]) -> bool:
    return any(await ask([("EXISTS", index.moved(keys[log])) for log in LOGS]))


def _elsewhere(why: str) -> OperatorError:
    return OperatorError(
        "archive_elsewhere",
        f"part of this store was moved out of the Redis server's memory, and {why}",
        field="blobs",
        hint="name the store of objects that the broker ran with, with --blobs",
    )
