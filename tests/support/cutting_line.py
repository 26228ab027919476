"""A line between node and broker that is cut after so many messages, and counts what went over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from saphan_schemas.frames import FromBroker, FromNode, Part, PartFetched
from saphan_schemas.limits import LIMITS

MOST = 2 * LIMITS.frame_bytes
_up = msgspec.msgpack.Decoder(FromNode)
_down = msgspec.msgpack.Decoder(FromBroker)


class CuttingLine:
    """Each session may pass one message more than the one before, until `enough`.

    Attributes:
        parts: bytes of attachments that passed, up and down.
        cuts: sessions that were cut.
        hold_at: when so many bytes of parts have passed, `held` is set and nothing passes before
            `go`; None: never.
    """

    def __init__(self, broker: str, first: int) -> None:
        self._broker = broker
        self._allowed = first
        self.enough = False
        self.cuts = 0
        self.parts = 0
        self.hold_at: int | None = None
        self.held, self.go = asyncio.Event(), asyncio.Event()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One session through the line."""
        node = web.WebSocketResponse(max_msg_size=MOST, compress=False)
        await node.prepare(request)
        left = [self._allowed]
        self._allowed += 1
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{self._broker}/v1/session", max_msg_size=MOST) as broker,
        ):
            tasks = [
                asyncio.create_task(self._pass(node, broker, left, _up)),
                asyncio.create_task(self._pass(broker, node, left, _down)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if request.transport is not None:
                request.transport.abort()
        return node

    async def _pass(self, source: Any, sink: Any, left: list[int], decoder: Any) -> None:
        async for message in source:
            if not self.enough:
                left[0] -= 1
                if left[0] < 0:
                    self.cuts += 1
                    return
            frame = decoder.decode(message.data)
            if isinstance(frame, Part | PartFetched):
                self.parts += len(frame.data or b"")
            if self.hold_at is not None and self.parts >= self.hold_at:
                self.held.set()
                await self.go.wait()
            await sink.send_bytes(message.data)


@asynccontextmanager
async def cutting_line(broker: str, first: int) -> AsyncIterator[tuple[CuttingLine, str]]:
    """The line, and the address under which a node reaches the broker through it.

    Args:
        first: messages of the first session; an opening takes three.
    """
    line = CuttingLine(broker, first)
    app = web.Application()
    app.router.add_get("/v1/session", line.serve)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    try:
        await site.start()
        host, port = runner.addresses[0][:2]
        yield line, f"http://{host}:{port}"
    finally:
        await runner.cleanup()
