"""Noticing that the parent process is gone: its end of our standard input closes with it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_log = logging.getLogger("saphan.broker")


@asynccontextmanager
async def parent_gone(told: asyncio.Event) -> AsyncIterator[None]:
    """Set `told` inside the block when standard input, a pipe of the parent's, ends."""
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()

    def heard() -> None:
        if not os.read(descriptor, 1):
            loop.remove_reader(descriptor)
            _log.error("the parent process is gone: this one ends too")
            told.set()

    loop.add_reader(descriptor, heard)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
