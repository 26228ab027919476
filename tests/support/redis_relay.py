"""A relay between a store and its server that loses words on either way, when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import hiredis
from saphan_broker.store.redis.address import RedisAddress


@dataclass
class RedisRelay:
    """Carries bytes between `port` and the server at `target`.

    Attributes:
        hold_up: keep what is on its way to the server, instead of giving it on.
        hold_down: keep the server's answers.
        held: connections whose words were held, with those words, as they are after `cut`.
        swallowed: a whole command, or an answer, was held.
        answered: the server said something.
    """

    target: int
    port: int = 0
    hold_up: bool = False
    hold_down: bool = False
    held: list[tuple[asyncio.StreamWriter, bytearray]] = field(default_factory=list)
    swallowed: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    _near: set[asyncio.StreamWriter] = field(default_factory=set)
    _far: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def address(self, **fields: object) -> RedisAddress:
        """The server, by way of this relay."""
        return RedisAddress(url=f"redis://127.0.0.1:{self.port}", **fields)  # type: ignore[arg-type]

    def cut(self) -> None:
        """End every connection of the store; what was held is still on its way to the server."""
        for writer in self._near:
            writer.transport.abort()
        self._near.clear()
        self.hold_up = self.hold_down = False

    async def deliver_held(self) -> None:
        """Bring the held words to the server, and wait for an answer nobody else waits for."""
        self.answered.clear()
        for writer, words in self.held:
            writer.write(bytes(words))
            await writer.drain()
        self.held.clear()
        async with asyncio.timeout(20):
            await self.answered.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._near.add(writer)
        self._far.add(back)
        down = asyncio.create_task(self._down(there, writer))
        self._tasks.add(down)
        await self._up(reader, back)

    async def _up(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        held: bytearray | None = None
        whole = hiredis.Reader()
        try:
            while data := await reader.read(65_536):
                if self.hold_up or held is not None:
                    if held is None:
                        held = bytearray()
                        self.held.append((back, held))
                    held += data
                    whole.feed(data)
                    if whole.gets() is not False:
                        self.swallowed.set()
                    continue
                back.write(data)
                await back.drain()
        except OSError:
            return

    async def _down(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await there.read(65_536):
                self.answered.set()
                if self.hold_down:
                    self.swallowed.set()
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        if not self.hold_down:
            writer.transport.abort()

    async def close(self) -> None:
        for writer in self._near | self._far:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def redis_relay(port: int) -> AsyncIterator[RedisRelay]:
    """A relay that listens for as long as the block lasts."""
    relay = RedisRelay(port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        await relay.close()
