"""A relay in front of a broker that counts the bytes of each direction, as a provider would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

PIECE = 64 * 1024


class CountingRelay:
    """Bytes of TCP payload that passed: `up` from the node, `down` from the broker."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._tasks: set[asyncio.Task[None]] = set()
        self.up = self.down = self.connections = 0
        self.pieces = 0
        """Reads, which are about the packets that carry data."""
        self.url = ""
        self.swallows = False
        """What comes is lost, and nobody is told: a line whose middle has forgotten it."""

    @property
    def total(self) -> int:
        """Both directions."""
        return self.up + self.down

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection(*self._to)
        tasks = {
            asyncio.create_task(self._pass(reader, far_writer, up=True)),
            asyncio.create_task(self._pass(far_reader, writer, up=False)),
        }
        self._tasks |= tasks
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for end in (writer, far_writer):
            end.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(PIECE):
                self.pieces += 1
                if up:
                    self.up += len(data)
                else:
                    self.down += len(data)
                if not self.swallows:
                    writer.write(data)
                    await writer.drain()


@asynccontextmanager
async def counting(url: str) -> AsyncIterator[CountingRelay]:
    """A relay to a broker's address; `url` of what it yields leads through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    relay = CountingRelay(parts.hostname, parts.port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.url = f"{parts.scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
