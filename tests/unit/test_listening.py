"""Who connects in the very moment in which a listener ends is closed, and does not wait."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import saphan.listening
import saphan_broker.listening
from aiohttp import web

Close = Callable[[web.AppRunner], Awaitable[None]]

TURNS = range(7)
"""Of the event loop between the connection and the end: before it is accepted, and long after."""


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("close", [saphan.listening.close, saphan_broker.listening.close])
async def test_who_connects_as_the_listener_ends_is_closed(close: Close, turns: int) -> None:
    with TemporaryDirectory() as made, socket.socket(socket.AF_UNIX) as client:
        folder = Path(made)  # a short name: tmp_path may be too long for a socket
        runner = web.AppRunner(web.Application(), handle_signals=False)
        await runner.setup()
        await web.SockSite(runner, listener(folder / "s")).start()
        client.setblocking(False)
        client.connect(str(folder / "s"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await close(runner)
        async with asyncio.timeout(10):
            assert await ended(client)


def listener(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


async def ended(client: socket.socket) -> bool:
    """Whether the other end closes it; one that was never accepted is reset."""
    try:
        return await asyncio.get_running_loop().sock_recv(client, 1) == b""
    except ConnectionError:
        return True
