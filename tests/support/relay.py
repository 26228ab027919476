"""A man in the middle: another certificate towards the node, and everything is relayed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from saphan_broker.tls_files import Shown


@asynccontextmanager
async def relaying(target: int, shown: Shown) -> AsyncIterator[int]:
    """Listens with `shown`, speaks TLS with the broker at `target`; gives its port."""
    beyond = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    beyond.check_hostname = False
    beyond.verify_mode = ssl.CERT_NONE

    async def connected(near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        far, to_far = await asyncio.open_connection("127.0.0.1", target, ssl=beyond)
        passing = [
            asyncio.create_task(_pass(near, to_far)),
            asyncio.create_task(_pass(far, to_near)),
        ]
        await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        for one in passing:
            one.cancel()
        for end in (to_near, to_far):
            end.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=shown.context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    except OSError:
        return
