"""A look at the server that carries the logs, by the doctor and by `init`: nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.dialling import dial
from saphan_broker.store.redis.line import LineDown, unreachable
from saphan_broker.store.redis.refusals import Reply
from saphan_broker.store.redis.sentinels import ask
from saphan_broker.store.redis.server import examine

FAR_S: Final = 3_600
"""Of a replica that is still being filled."""


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """What the server is at this moment.

    Args:
        place: where it is; name: of the program, with its version.
        losses: settings by which it may lose data, taken with --accept-loss.
        replicas: how many follow it; wanted: how many must hold a commit.
        lag: seconds since the slowest of them was heard.
        used, most: bytes of memory; most is 0 where the server sets no limit to itself.
        writes: whether its last write to the append-only file went well.
        primary: whether it takes writes at all.
        sentinels: what they say, if they were asked where it is.
    """

    place: str
    name: str
    losses: tuple[str, ...]
    replicas: int
    wanted: int
    lag: int
    used: int
    most: int
    writes: bool
    primary: bool
    sentinels: SentinelsSeen | None = None


@dataclass(frozen=True, slots=True)
class SentinelsSeen:
    """What the sentinels are at this moment.

    Args:
        asked: how many are named; answered: how many were heard; quorum: how many must agree.
        replicas: how many replicas they know; any of them may be promoted.
    """

    asked: int
    answered: int
    quorum: int
    replicas: int


async def check_server(address: RedisAddress) -> None:
    """Log in and ask what it promises, before anything is made that would rest on it.

    Raises:
        OperatorError: `redis_refused`, `store_lossy`, `store_config_unknown`, `key_file_*`;
            Unavailable: `redis_unreachable`.
    """
    line = await dial(address)
    try:
        await examine(line, address)
    except LineDown as error:
        raise unreachable(address, str(error)) from None
    finally:
        line.abort()


async def look_at_server(address: RedisAddress) -> ServerSeen:
    """Log in and ask.

    Raises:
        OperatorError: `redis_refused`, `store_lossy`, `store_config_unknown`, `key_file_*`;
            Unavailable: `redis_unreachable`.
    """
    line = await dial(address)
    try:
        promises = await examine(line, address)
        told = _facts(await line.one("INFO"))
    except LineDown as error:
        raise unreachable(address, str(error)) from None
    finally:
        line.abort()
    lags = [_lag(told[name]) for name in told if name.startswith("slave") and "=" in told[name]]
    return ServerSeen(
        place=address.place,
        name=_name(told),
        losses=promises.losses,
        replicas=len(lags),
        wanted=address.replicas,
        lag=max(lags, default=0),
        used=int(told.get("used_memory", 0)),
        most=int(told.get("maxmemory", 0)),
        writes=told.get("aof_last_write_status", "ok") == "ok",
        primary=told.get("role", "master") == "master",
        sentinels=await _sentinels(address),
    )


async def _sentinels(address: RedisAddress) -> SentinelsSeen | None:
    if not address.sentinels:
        return None
    named = await ask(address, all_of_them=True)
    asked = len(address.sentinels)
    return SentinelsSeen(asked, named.answered, named.quorum, named.replicas)


def _facts(reply: Reply) -> dict[str, str]:
    """`INFO`: lines of name:value."""
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else ""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value for name, colon, value in pairs if colon}


def _name(told: dict[str, str]) -> str:
    if "valkey_version" in told:
        return f"Valkey {told['valkey_version']}"
    return f"Redis {told.get('redis_version', '?')}"


def _lag(told: str) -> int:
    """Seconds, of `ip=...,state=online,offset=...,lag=0`; a replica that is not online is far."""
    values = dict(part.partition("=")[::2] for part in told.split(","))
    lag = values.get("lag", "")
    return int(lag) if values.get("state") == "online" and lag.isdecimal() else FAR_S
