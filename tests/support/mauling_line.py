"""A line between node and broker on which somebody sits and changes what the broker says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from saphan.node.service import NodeService
from saphan_schemas.codec import encode
from saphan_schemas.frames import FromBroker
from saphan_schemas.limits import LIMITS

from support.bridge import Bridge, agreed

Change = Callable[[Any], object]
"""Takes a frame; gives the frame, or bytes or text, to pass on in its place; None: not this one."""
MOST = 2 * LIMITS.frame_bytes
_decoder = msgspec.msgpack.Decoder(FromBroker)


class MaulingLine:
    """Passes everything on; the first frame that `change` answers goes on changed, once."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self.change: Change | None = None
        self.done = asyncio.Event()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One session through the line."""
        node = web.WebSocketResponse(max_msg_size=MOST, compress=False)
        await node.prepare(request)
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{self._broker}/v1/session", max_msg_size=MOST) as broker,
        ):
            tasks = [
                asyncio.create_task(self._up(node, broker)),
                asyncio.create_task(self._down(broker, node)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return node

    async def _up(self, node: web.WebSocketResponse, broker: Any) -> None:
        async for message in node:
            await broker.send_bytes(message.data)

    async def _down(self, broker: Any, node: web.WebSocketResponse) -> None:
        async for message in broker:
            data = message.data
            other = self.change(_decoder.decode(data)) if self.change is not None else None
            if other is None:
                await node.send_bytes(data)
                continue
            self.change = None
            self.done.set()
            if isinstance(other, str):
                await node.send_str(other)
            else:
                await node.send_bytes(other if isinstance(other, bytes) else encode(other))


@asynccontextmanager
async def mauling_line(broker: str) -> AsyncIterator[tuple[MaulingLine, str]]:
    """The line, and the address under which a node reaches the broker through it."""
    line = MaulingLine(broker)
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


@asynccontextmanager
async def between(bridge: Bridge, whose: str) -> AsyncIterator[tuple[MaulingLine, NodeService]]:
    """One agency's node, which reaches the running broker through the line, once it is agreed."""
    async with mauling_line(bridge.url) as (line, address):
        direct, bridge.url = bridge.url, address
        async with bridge.node(whose) as node:
            bridge.url = direct
            await agreed(node)
            yield line, node
