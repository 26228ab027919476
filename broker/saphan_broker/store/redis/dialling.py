"""From an address to a line that is logged in: to the server it names, or by its sentinels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ssl import SSLContext

from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import LIMITS

from saphan_broker.store.redis.address import Place, RedisAddress
from saphan_broker.store.redis.line import L, Line, LineDown, connect, credentials, unreachable
from saphan_broker.store.redis.refusals import checked
from saphan_broker.store.redis.sentinels import ask, watch


async def dial(address: RedisAddress) -> Line:
    """Connect, log in, choose the database; errors as `dial_as`."""
    return await dial_as(address, Line)


async def dial_as(address: RedisAddress, make: Callable[[], L]) -> L:
    """The same with a line of another kind.

    By sentinels: to the server that they name now, which must call itself a primary. The line is
    ended once they name another one.

    Raises:
        Unavailable: `redis_unreachable`, `sentinels_unreachable`, `failover_under_way`.
        OperatorError: `redis_refused`, `sentinel_primary_unknown`, and what the address itself
            raises.
    """
    password, tls = await asyncio.to_thread(lambda: (address.password(), address.tls()))
    if not address.sentinels:
        return await _login(address, address.socket or address.server, password, tls, make)
    place = (await ask(address)).place
    line = await _login(address, place, password, tls, make)
    try:
        await _check_primary(address, line, place)
    except BaseException:
        line.abort()
        raise
    line.place = place
    watch(address, line)
    return line


async def _login(
    address: RedisAddress,
    where: Place | str,
    password: str | None,
    tls: SSLContext | None,
    make: Callable[[], L],
) -> L:
    database = address.database
    try:
        line = await connect(where, tls, LIMITS.store_connect_ms, make)
    except OSError as error:
        raise unreachable(address, str(error) or "it did not answer in time") from None
    hello = [*credentials(address.user, password), ("SELECT", database)]
    try:
        for reply in await line.ask(hello):
            checked(reply)
    except LineDown as error:
        raise unreachable(address, str(error)) from None
    except BaseException:
        line.abort()
        raise
    return line


async def _check_primary(address: RedisAddress, line: Line, place: Place) -> None:
    """A server that was the primary, or is going to be, is not written to and not read from."""
    try:
        told = await line.one("INFO", "replication")
    except LineDown as error:
        raise unreachable(address, str(error)) from None
    if b"role:master" not in told.split():
        raise Unavailable(
            "failover_under_way",
            f"the sentinels name the server at {place[0]}:{place[1]}, which is a replica",
            field="redis",
            hint="a failover takes some seconds; the broker goes on by itself",
        )
