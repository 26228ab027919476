"""A broker that has lost its disk, or is behind, and the successor that its operator makes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from contextlib import AsyncExitStack
from typing import Any

from support.bridge import Bridge

PATIENCE = 90
"""Seconds after which a command is hopeless; nothing is decided by it."""


def lose(bridge: Bridge) -> None:
    """The broker's disk is gone; blocking."""
    shutil.rmtree(bridge.place / "data")


async def succeed(bridge: Bridge, *agencies: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    """`saphan-broker succeed --yes --json` where the broker was; what it has made.

    Args:
        agencies: whose nodes run meanwhile, from when it listens on.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "saphan_broker",
        "succeed",
        *("--data", str(bridge.place / "data"), "--keys", str(bridge.place / "keys")),
        *("--listen", bridge.url.rpartition("//")[2], "--plain", "--yes", "--json", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said: list[bytes] = []
    try:
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as nodes:
            assert process.stdout is not None
            said.append(await process.stdout.readline())
            for agency in agencies:
                await nodes.enter_async_context(bridge.node(agency))
            said += [line async for line in process.stdout]
            await process.wait()
    except TimeoutError:
        raise AssertionError(said) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.stderr is not None
    assert process.returncode == 0, (said, await process.stderr.read())
    made: dict[str, Any] = json.loads(said[-1])
    assert made["event"] == "made", said
    return made
