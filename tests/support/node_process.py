"""A node as a process of its own, for tests that kill it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from support.bridge import Bridge


async def start(bridge: Bridge, agency: str) -> asyncio.subprocess.Process:
    """`saphan node run`, once it says that it runs."""
    log = bridge.place / f"{agency}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-X", "faulthandler", "-m", "saphan", "node", "run",
            "--dir", str(bridge.place / agency), "--broker", bridge.url, "--json",
            stdout=asyncio.subprocess.PIPE, stderr=errors,
        )  # fmt: skip
    assert process.stdout is not None
    first = await process.stdout.readline()
    assert b'"agency"' in first, f"{first!r}, {await process.wait()}: {log.read_text()}"
    return process


@asynccontextmanager
async def process(bridge: Bridge, agency: str) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """A node's process; the caller may put another one in its place."""
    running = [await start(bridge, agency)]
    try:
        yield running
    except BaseException:
        with suppress(ProcessLookupError):
            running[0].kill()
        raise
    running[0].send_signal(signal.SIGTERM)
    assert await running[0].wait() == 0


async def kill(bridge: Bridge, agency: str, running: list[asyncio.subprocess.Process]) -> None:
    """SIGKILL, and the next one."""
    running[0].kill()
    await running[0].wait()
    running[0] = await start(bridge, agency)
