"""Fetching the newest head with its witnesses' lines, so that proofs become *witnessed*."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan.node.engine import Engine

PAUSE_S: Final = 3.0
"""After new entries: by then the feed itself has told of another witness; asking costs 10 KB."""
LONGEST_PAUSE_S: Final = 30.0


class Proofs:
    """Asks for the cosigned head while entries of this agency lack a witness.

    Args:
        http: the line's client; url: the broker's address; token: admits to the log's pages.
    """

    def __init__(
        self, engine: Engine, http: aiohttp.ClientSession, url: str, token: Callable[[], str | None]
    ) -> None:
        self._engine = engine
        self._http = http
        self._url = checkpoint_url(url)
        self._token = token
        self._grown = asyncio.Event()

    def wake(self) -> None:
        """New entries came."""
        self._grown.set()

    async def run(self) -> None:
        """Look again, ever more seldom, until the newest entry is witnessed; then wait."""
        while True:
            await self._grown.wait()
            pause = PAUSE_S
            while True:
                self._grown.clear()
                await asyncio.sleep(pause)
                if await self._witnessed():
                    break
                pause = PAUSE_S if self._grown.is_set() else min(LONGEST_PAUSE_S, 2 * pause)

    async def _witnessed(self) -> bool:
        """Whether a cosigned head covers the newest entry; asks only if none that came does."""
        if await self._engine.in_reading(self._covered):
            return True
        note = await self._fetch()
        if note is None:
            return False
        logs = self._engine.logs
        try:
            await self._engine.in_frames(partial(logs.take_cosigned, note))
        except InvalidInput:
            return False  # what the page shows is worth nothing without the log's lines
        return await self._engine.in_reading(self._covered)

    def _covered(self) -> bool:
        newest = self._engine.db.row("SELECT max(idx) FROM entries")
        return (newest is None or newest[0] is None) or newest[0] < self._engine.logs.cosigned()

    async def _fetch(self) -> bytes | None:
        headers = {"Authorization": f"Bearer {self._token()}"}
        timeout = aiohttp.ClientTimeout(total=15)
        try:
            async with self._http.get(self._url, headers=headers, timeout=timeout) as response:
                if response.status != 200:
                    return None
                data = await response.content.read(LIMITS.note_bytes + 1)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return data if len(data) <= LIMITS.note_bytes else None


def checkpoint_url(url: str) -> str:
    """Where the evidence log's head stands, from the broker's address."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    path = parts.path.rstrip("/").removesuffix("/v1/session")
    return urlunsplit((scheme, parts.netloc, f"{path}/evidence/checkpoint", "", ""))
