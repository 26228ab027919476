"""Which server is the primary: asked of all sentinels at once; who has seen the newest failover
knows best.

A sentinel that was cut off may still name the primary of before. Each failover has a higher epoch,
so of all answers the one with the highest epoch counts. That nothing is signed twice does not rest
on any of this: the signer's own file sees to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from ssl import SSLContext
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary

import msgspec
from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS

from saphan_broker.store.redis.address import Place, RedisAddress
from saphan_broker.store.redis.line import Command, Line, LineDown, connect, credentials
from saphan_broker.store.redis.refusals import Reply, checked

_log = logging.getLogger("saphan.broker")


MOST_PORT: Final = 65_535
_GONE: Final = frozenset((b"s_down", b"o_down", b"disconnected"))


class Named(msgspec.Struct, frozen=True):
    """What the sentinels say of the primary."""

    place: Place
    epoch: int
    """Of the failover that made it the primary."""
    quorum: int
    """How many of them must find it gone before they replace it."""
    replicas: int
    """How many of its replicas they know."""
    alive: int
    """How many of these they reach: any of them may be promoted."""
    failing: bool
    """One of them has begun to replace it."""
    sentinels: int
    """How many sentinels watch it, heard or not, as far as they know of each other."""
    answered: int = 1
    """How many sentinels were heard."""


async def ask(address: RedisAddress, *, all_of_them: bool = False) -> Named:
    """What the sentinels name as the primary now.

    One that is slow is waited for as long as a server is, unless others have answered.

    Args:
        all_of_them: wait for each; else only until more than half have answered.

    Raises:
        Unavailable: `sentinels_unreachable`; OperatorError: `sentinel_primary_unknown`,
            `redis_refused`, and what the address itself raises.
    """
    password, tls = await asyncio.to_thread(lambda: (address.sentinel_password(), address.tls()))
    sentinels = address.sentinels
    enough = len(sentinels) if all_of_them else len(sentinels) // 2 + 1
    asked = {asyncio.create_task(_ask_one(address, one, password, tls)) for one in sentinels}
    left, soon = asked, monotonic() + LIMITS.sentinel_reply_ms / 1000
    heard: list[Named] = []
    refused: list[SaphanError] = []
    try:
        while left and len(heard) < enough:
            patience = max(0, soon - monotonic()) if heard else None  # each task ends by itself
            done, left = await asyncio.wait(
                left, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            for task in done:
                try:
                    heard.append(task.result())
                except SaphanError as error:
                    refused.append(error)
    finally:
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    if heard:
        newest = max(heard, key=lambda named: named.epoch)
        return msgspec.structs.replace(
            newest,
            answered=len(heard),
            alive=max(named.alive for named in heard),
            failing=any(named.failing for named in heard),
            sentinels=max(named.sentinels for named in heard),
        )
    # One that was reached and refuses is what an operator can mend.
    raise next((error for error in refused if not isinstance(error, Unavailable)), refused[0])


async def _ask_one(
    address: RedisAddress, where: Place, password: str | None, tls: SSLContext | None
) -> Named:
    name = address.primary_name
    questions: list[Command] = [
        ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name),
        ("SENTINEL", "MASTER", name),
        ("SENTINEL", "REPLICAS", name),
    ]
    login = credentials(address.sentinel_user, password)
    try:
        async with asyncio.timeout(LIMITS.store_connect_ms / 1000):
            line = await connect(where, tls, LIMITS.store_connect_ms, Line)
            try:
                replies = await line.ask([*login, *questions])
            finally:
                line.abort()
    except (OSError, LineDown) as error:
        raise Unavailable(
            "sentinels_unreachable",
            f"the sentinel at {where[0]}:{where[1]} cannot be reached: "
            f"{str(error) or 'it did not answer in time'}",
            field="redis",
            hint="check that the sentinels run and that --redis names them",
        ) from None
    try:
        for reply in replies[: len(login)]:
            checked(reply)
        return parse_answers(replies[len(login) :], address.primary_name)
    except OperatorError as error:
        if error.code != "redis_refused":
            raise
        raise OperatorError(
            "redis_refused",
            f"the sentinel at {where[0]}:{where[1]} does not let us in",
            field="redis",
            hint="check --redis-sentinel-user and --redis-sentinel-password-file: sentinels have "
            "an access list of their own",
        ) from None


def parse_answers(replies: Sequence[Reply], name: str) -> Named:
    """What one sentinel says of the primary that it calls `name`.

    Args:
        replies: to SENTINEL GET-MASTER-ADDR-BY-NAME, MASTER and REPLICAS.

    Raises:
        OperatorError: `sentinel_primary_unknown`, `redis_failed` (no sentinel says such a thing),
            and what a refusal means.
    """
    place, told, replicas = replies
    found = checked(place)
    if found is None:
        raise OperatorError(
            "sentinel_primary_unknown",
            f"the sentinels watch no primary named {name!r}",
            field="redis",
            hint="name it as `sentinel monitor NAME ...` in their configuration does",
        )
    try:
        facts = _facts(checked(told))
        flags = [_facts(one)[b"flags"].split(b",") for one in checked(replicas)]
        return Named(
            place=_place(*found),
            epoch=int(facts[b"config-epoch"]),
            quorum=int(facts[b"quorum"]),
            replicas=len(flags),
            alive=sum(not _GONE.intersection(one) for one in flags),
            failing=b"failover_in_progress" in facts[b"flags"].split(b","),
            sentinels=int(facts[b"num-other-sentinels"]) + 1,
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        raise OperatorError(
            "redis_failed",
            "what was asked as a sentinel answers as none does",
            field="redis",
            hint="check that --redis names sentinels, of Redis 7.0 or Valkey 7.2, or newer",
        ) from None


def _place(host: bytes, port: bytes) -> Place:
    number = int(port)
    if not host or not 0 < number <= MOST_PORT:
        raise ValueError("no host and port")
    return host.decode("ascii"), number


def _facts(words: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(words[::2], words[1::2], strict=True))


# --- lines to a primary of before ----------------------------------------------------------------


class _Watch:
    """Ends lines to a server that the sentinels do not name any more.

    A server that stands still, or that is cut off from the sentinels and not from us, does not end
    them itself; what it says may be of before.
    """

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._lines: set[Line] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, line: Line) -> None:
        self._lines.add(line)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="sentinels")

    async def _run(self) -> None:
        """For as long as there is a line."""
        deaf = False
        while self._lines:
            await asyncio.sleep(LIMITS.sentinel_look_ms / 1000)
            try:
                place = (await ask(self._address)).place
            except SaphanError as error:
                if not deaf:  # lines stay; a server that goes is noticed by what is asked of it
                    _log.warning("the sentinels do not say where the primary is: %s", error)
                deaf = True
            else:
                deaf = False
                self._end_others(place)
            self._lines = {line for line in self._lines if not line.down}

    def _end_others(self, place: Place) -> None:
        others = [line for line in self._lines if line.place != place and not line.down]
        if others:
            _log.warning("the sentinels name another primary: %s:%d", *place)
        for line in others:
            line.abort("the sentinels name another primary")


_watches: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[RedisAddress, _Watch]]] = (
    WeakKeyDictionary()
)


def watch(address: RedisAddress, line: Line) -> None:
    """End this line once the sentinels name another server than its place; one look for all lines
    of a process."""
    of_loop = _watches.setdefault(asyncio.get_running_loop(), {})
    of_loop.setdefault(address, _Watch(address)).add(line)
