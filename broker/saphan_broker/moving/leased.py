"""Holding a server's lease while its store is moved: no process sequences meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from saphan_schemas.errors import OperatorError, SaphanError, Unavailable

from saphan_broker.objects.base import Objects
from saphan_broker.store.base import CommitUnknown, HeadMoved
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.archive.policy import Policy
from saphan_broker.store.redis.lease import LEASE_MS, RENEW_MS, Lease
from saphan_broker.store.redis.store import RedisStore

TRIES: Final = LEASE_MS // RENEW_MS + 1
"""Of taking it: what a killed process held runs out meanwhile."""

MOVING: Final = Policy(unsigned=True)
"""A copy's signed heads come last; what is above them is known to be the source's, and leaves."""


async def open_alone(address: RedisAddress, objects: Objects, create: bool) -> RedisStore:
    """The store that is moved from or to.

    Args:
        create: make an empty one where there is none; what is finished leaves the server's memory
            while it is copied, or a long history would not fit.

    Raises:
        OperatorError: `store_missing`, `store_lossy`, ...; Unavailable: `redis_unreachable`, ...
    """
    if not create:
        return await RedisStore.open(address, objects=objects)
    try:
        return await RedisStore.create(address, objects=objects, policy=MOVING)
    except OperatorError as error:
        if error.code != "store_exists":  # what a copy that was cut off has left
            raise
    return await RedisStore.open(address, objects=objects, policy=MOVING)


@asynccontextmanager
async def leased(address: RedisAddress, store: RedisStore) -> AsyncIterator[None]:
    """Hold the lease, and let `store` write under it.

    Whoever takes it from us fences us: nothing of our next commit is written.

    Raises:
        OperatorError: `store_in_use`; what the block raises, with a hint if it can be gone on from.
    """
    lease = Lease(address, secrets.token_hex(16))  # a name as the processes have
    renewing = None
    try:
        await _take(lease)
        store.epoch = lease.epoch
        renewing = asyncio.create_task(_renew(lease))
        yield
    except HeadMoved:
        raise _in_use() from None
    except (CommitUnknown, Unavailable) as error:
        error.hint = "give the same command again: it goes on where it was"
        raise
    finally:
        if renewing is not None:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            with suppress(SaphanError):  # it runs out by itself
                await lease.release()
        await lease.close()


async def _take(lease: Lease) -> None:
    for _ in range(TRIES):
        if await lease.take():
            return
        await asyncio.sleep(RENEW_MS / 1000)
    raise _in_use()


def _in_use() -> OperatorError:
    return OperatorError(
        "store_in_use",
        "a broker process sequences in the server's store",
        field="redis",
        hint="stop every `saphan-broker run` on it, on all hosts; then give the command again",
    )


async def _renew(lease: Lease) -> None:
    """Until it is another's: the next write then finds out."""
    held = True
    while held:
        await asyncio.sleep(RENEW_MS / 1000)
        with suppress(Unavailable):  # a server that restarts may have it still
            held = await lease.renew()
