"""The archive of one store: what reads it, what moves things into it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from saphan_schemas.errors import OperatorError, Unavailable

from saphan_broker.objects.base import Objects
from saphan_broker.store.base import LOGS, Log
from saphan_broker.store.redis.archive import index
from saphan_broker.store.redis.archive.cache import Cache
from saphan_broker.store.redis.archive.mover import Mover
from saphan_broker.store.redis.archive.moving import Moving
from saphan_broker.store.redis.archive.policy import Policy
from saphan_broker.store.redis.archive.reader import ArchiveReader, Ask
from saphan_broker.store.redis.keys import Keys

_log = logging.getLogger("saphan.broker")

OBJECTS: Final = b"objects"
"""Key that says that a store of objects was signed."""


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
        OperatorError: `objects_elsewhere`: these are not the objects of the store: duplicates would
            not be known for what they are, and what is put there others would miss.
    """
    moved = await _anything_moved(ask, keys)
    if objects is None:
        if moved:
            raise _elsewhere()
        return None
    cache = Cache(objects, store.hex())
    await _check_place(ask, keys["evidence"], cache, moved)
    reader = ArchiveReader(ask, keys, cache, index.Slots(store))
    mover = Mover(objects, Moving(move, keys, cache, policy, epoch), reader)
    return reader, mover


async def _check_place(ask: Ask, keys: Keys, cache: Cache, moved: bool) -> None:
    """All processes have one store of objects: the first one signs it, then says so in the server.

    A crash between the two: the next one signs again.
    """
    begun = keys.prefix + OBJECTS
    (known,) = await ask([("EXISTS", begun)])
    try:
        if not moved and not known:
            await cache.sign()
            await ask([("SET", begun, b"1")])
        elif not await cache.is_here():
            raise _elsewhere()
    except Unavailable as error:
        # It need not keep a broker down: what asks for something there waits, the rest goes on.
        _log.warning("whether these are the objects of the other processes is not known: %s", error)


async def _anything_moved(ask: Ask, keys: Mapping[Log, Keys]) -> bool:
    return any(await ask([("EXISTS", index.moved(keys[log])) for log in LOGS]))


def _elsewhere() -> OperatorError:
    return OperatorError(
        "objects_elsewhere",
        "this broker keeps attachments and long ciphertexts in another place than --blobs "
        "names, or than this data directory where it is not given",
        field="blobs",
        hint="give every process, on every host, the --blobs that the broker was made with; "
        "without one it has run with a single data directory: copy the folder objects in it "
        "to the shared place",
    )
