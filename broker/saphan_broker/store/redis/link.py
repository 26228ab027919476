"""A line that is dialled again when it has dropped; for reads, which may simply be asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from saphan_schemas.errors import OperatorError

from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.dialling import dial
from saphan_broker.store.redis.line import (
    Argument,
    Command,
    Line,
    LineDown,
    Silent,
    unreachable,
)
from saphan_broker.store.redis.refusals import Reply, checked
from saphan_broker.store.redis.scripts import missing


class Link:
    """Asks one server, over one line at a time.

    Args:
        identity: key and field that must hold `store`: a server that was restarted empty, or one
            of another name, is not read from as if nothing had happened.
    """

    def __init__(self, address: RedisAddress, identity: tuple[bytes, bytes], store: bytes) -> None:
        self.address = address
        self._identity = identity
        self._store = store
        self._line: Line | None = None
        self._dialling: asyncio.Task[Line] | None = None
        self._closed = False

    async def ask(self, commands: Sequence[Command]) -> list[Reply]:
        """Answers of all commands, each of which only reads.

        Raises:
            Unavailable: `redis_unreachable`, `store_busy`; OperatorError: `store_missing`,
                `store_foreign`, `redis_refused`, ...
        """
        try:
            return [checked(reply) for reply in await (await self.line()).ask(commands)]
        except Silent as error:  # it would be as silent on a new line
            raise unreachable(self.address, str(error)) from None
        except LineDown:  # an idle line may have been dropped long ago
            pass
        try:
            return [checked(reply) for reply in await (await self.line()).ask(commands)]
        except LineDown as error:
            raise unreachable(self.address, str(error)) from None

    async def one(self, *command: Argument) -> Reply:
        """The answer of one command."""
        (reply,) = await self.ask([command])
        return reply

    async def line(self) -> Line:
        """The line, dialled anew if need be: once for all who ask meanwhile, and its failure is
        everybody's."""
        line = self._line
        if line is not None and not line.down:
            return line
        if self._closed:  # what was under way ends: nobody would drop another line
            raise OperatorError("store_closed", "the store is closed")
        if self._dialling is None:
            self._dialling = asyncio.ensure_future(self._dial())
            self._dialling.add_done_callback(self._dialled)
        return await asyncio.shield(self._dialling)

    def _dialled(self, task: asyncio.Task[Line]) -> None:
        self._dialling = None
        if not task.cancelled() and task.exception() is None:
            self._line = task.result()

    async def _dial(self) -> Line:
        line = await dial(self.address)
        try:
            await self.check(line)
        except LineDown as error:
            raise unreachable(self.address, str(error)) from None
        except BaseException:
            line.abort()
            raise
        if self._closed:
            line.abort()
        return line

    async def check(self, line: Line) -> None:
        """Refuse a server that does not hold this store."""
        found = await line.one("HGET", *self._identity)
        if found is None:
            raise missing()
        if found != self._store:
            raise OperatorError(
                "store_foreign",
                "the Redis server holds another store than the one that was opened",
                field="redis",
                hint="name the server that this broker's data is on; then start the broker again",
            )

    def close(self) -> None:
        """Drop the line; there is none after this."""
        self._closed = True
        if self._line is not None:
            self._line.abort()
