"""A TCP relay that ends its connections after so many bytes of one direction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNK = 512
"""Small, so that a cut falls inside messages and between them."""


@dataclass
class CuttingRelay:
    """Carries bytes to `target`; `up` is towards it.

    `cut_up` and `cut_down`: bytes of that direction after which every connection ends; None: none.
    """

    target: tuple[str, int]
    address: str = ""
    carried: dict[str, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    cut: dict[str, int | None] = field(default_factory=lambda: {"up": None, "down": None})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection until either end, or the relay, ends it."""
        there, back = await asyncio.open_connection(*self.target)
        tasks = [
            asyncio.create_task(self._carry("up", reader, back)),
            asyncio.create_task(self._carry("down", there, writer)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for end in (back, writer):
                end.transport.abort()

    async def _carry(
        self, way: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(CHUNK):
            limit = self.cut[way]
            if limit is not None and self.carried[way] + len(data) > limit:
                return
            self.carried[way] += len(data)
            sink.write(data)
            await sink.drain()


@asynccontextmanager
async def cutting_relay(host: str, port: int) -> AsyncIterator[CuttingRelay]:
    """A relay that listens for as long as the block lasts."""
    relay = CuttingRelay((host, port))
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield relay
        server.close()
