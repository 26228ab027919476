"""The end of a listener: whoever has just connected is closed too, and waits for nothing."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

TURNS_TO_COME_UP: Final = 4
"""Accepted, its transport made, its protocol told; and one to spare."""


def turn_deaf(server: asyncio.Server) -> None:
    """Take no more connections; whoever connects waits at the socket."""
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())


async def close(runner: web.AppRunner, *servers: asyncio.Server) -> None:
    """Take no more connections, let those just accepted come up, then close them all.

    The server can close only what it knows, and an accepted connection needs some turns of the
    event loop until it does. Before Python 3.12 a server that is closed in those turns drops it
    unclosed, and who connected waits until their patience ends: so it turns deaf first.

    Args:
        servers: of the runner's, beside its sites.
    """
    for one in (*servers, *(site._server for site in runner.sites)):
        if isinstance(one, asyncio.Server):
            turn_deaf(one)
    for _ in range(TURNS_TO_COME_UP):
        await asyncio.sleep(0)
    for one in servers:
        one.close()
    await runner.cleanup()
