"""One connection to the server: commands go out in order, answers come back in the same order.

What a commit is worth depends on which connection asks (`WAIT` speaks of the writes of its own), so
the engine holds its connections itself instead of borrowing them from a pool.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from ssl import SSLContext
from typing import Final, TypeVar

import hiredis
from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import LIMITS

from saphan_broker.store.redis.address import Place, RedisAddress
from saphan_broker.store.redis.refusals import Reply, checked

Argument = bytes | str | int
Command = Sequence[Argument]

UNREADABLE: Final = (hiredis.ProtocolError, TypeError)
"""What the parser says of bytes that are no answer; the second of a map whose keys are maps."""

_MORE: Final = object()
_pack: Final[Callable[[tuple[Argument, ...]], bytes]] = hiredis.pack_command  # type: ignore[assignment]


class LineDown(Exception):
    """The connection is gone: what was under way may have been done or not."""


class Silent(LineDown):
    """It was given up, because the server holds it and says nothing."""


class _Batch:
    """Commands that were written together and are answered together."""

    __slots__ = ("answer", "left", "replies")

    def __init__(self, number: int, answer: asyncio.Future[list[Reply]]) -> None:
        self.left = number
        self.replies: list[Reply] = []
        self.answer = answer


class Line(asyncio.Protocol):
    """A connection; see `connect`. Many may ask at a time; nobody waits for another's answer.

    Attributes:
        place: of the server, where sentinels have named it.
    """

    def __init__(self) -> None:
        self.place: Place | None = None
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._reader.setmaxbuf(0)
        self._waiting: deque[_Batch] = deque()
        self._transport: asyncio.Transport | None = None
        self._down: LineDown | None = None

    @property
    def down(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._down is not None

    async def ask(self, commands: Sequence[Command], wait_ms: int = 0) -> list[Reply]:
        """Send commands in one piece and wait for all their answers.

        Args:
            wait_ms: how long the commands themselves may wait, beside `LIMITS.store_reply_ms`.

        Raises:
            LineDown: also when the answer takes too long: the line is given up then.
        """
        answer = self.send(commands)
        try:
            async with asyncio.timeout((LIMITS.store_reply_ms + wait_ms) / 1000):
                return await answer
        except TimeoutError:
            silent = Silent("it did not answer in time")
            self._drop(silent)
            raise silent from None

    def send(self, commands: Sequence[Command]) -> asyncio.Future[list[Reply]]:
        """Send commands; the future is given their answers, or LineDown."""
        if self._down is not None or self._transport is None:
            raise self._gone()
        answer: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        if not commands:
            answer.set_result([])
            return answer
        self._waiting.append(_Batch(len(commands), answer))
        self._transport.write(b"".join([_pack(tuple(command)) for command in commands]))
        return answer

    async def one(self, *command: Argument) -> Reply:
        """One command; a refusal is raised as `refusal` says."""
        (reply,) = await self.ask([command])
        return checked(reply)

    def abort(self, why: str = "closed") -> None:
        """Drop the connection without a word; everybody who waits gets LineDown."""
        self._drop(LineDown(why))

    def _drop(self, why: LineDown) -> None:
        if self._down is None:
            self._down = why
        if self._transport is not None:
            self._transport.abort()
        self._fail()

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _MORE:
                self._answered(reply)
        except UNREADABLE as error:
            self.abort(f"it does not speak the protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._down is None:
            self._down = LineDown(str(exc) if exc else "it closed the connection")
        self._fail()

    def _answered(self, reply: Reply) -> None:
        if not self._waiting:
            self.abort("it answered what nobody asked")
            return
        batch = self._waiting[0]
        batch.replies.append(reply)
        batch.left -= 1
        if not batch.left:
            self._waiting.popleft()
            if not batch.answer.done():
                batch.answer.set_result(batch.replies)

    def _fail(self) -> None:
        while self._waiting:
            answer = self._waiting.popleft().answer
            if not answer.done():
                answer.set_exception(self._gone())

    def _gone(self) -> LineDown:
        """One for each who waits: all of them learn that the line was silent."""
        why = self._down or LineDown("not connected")
        return type(why)(*why.args)


L = TypeVar("L", bound=Line)


async def connect(
    where: Place | str, tls: SSLContext | None, limit_ms: int, make: Callable[[], L]
) -> L:
    """A line to a host and port, or to a socket; nobody has logged in on it yet.

    Raises:
        OSError: also TimeoutError, after so many ms.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(limit_ms / 1000):
        if isinstance(where, str):
            _, line = await loop.create_unix_connection(make, where)
        else:
            name = where[0] if tls is not None else None
            try:
                _, line = await loop.create_connection(make, *where, ssl=tls, server_hostname=name)
            except ValueError as error:  # a name that nobody could ever look up
                raise OSError(f"{where[0][:100]!r} is no host: {error}") from None
    return line


def credentials(user: str | None, password: str | None) -> list[Command]:
    """The command by which somebody logs in; none where no password is asked."""
    if user:
        return [("AUTH", user, password or "")]
    return [] if password is None else [("AUTH", password)]


def unreachable(address: RedisAddress, why: str) -> Unavailable:
    """The error while there is no line to the server."""
    return Unavailable(
        "redis_unreachable",
        f"the Redis server at {address.place} cannot be reached: {why}",
        field="redis",
        hint="check that it runs and that --redis names it; what it holds is not lost",
    )
