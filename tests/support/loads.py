"""A node's stubbornness: it sends the same again, wherever it is let in, until it has an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
from saphan_protocol.checkpoint import Head
from saphan_protocol.merkle import leaf_hash
from saphan_protocol.pins import Pins
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.frames import Result, Submission
from saphan_schemas.records import BatchSignature

from support.agency import Agency
from support.session import Line

PATIENCE_S = 1.5
"""Without an answer for so long it tries elsewhere; a real node waits longer."""


class WatchedLine(Line):
    """A line that remembers every head it was ever shown."""

    def __init__(self, heads: set[tuple[str, int, bytes]], *given: Any) -> None:
        super().__init__(*given)
        self._seen = heads

    async def close(self) -> None:
        """Drop it without a word: a process that stands still would not answer one."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        if self._ws is not None:
            self._ws._response.close()
        if self._http is not None:
            await self._http.close()

    def _head(self, vkeys: tuple[str, ...], frame: Any) -> Head:
        head = super()._head(vkeys, frame)
        self._seen.add((head.origin, head.size, head.root))
        return head


class Stubborn:
    """One agency's node with several addresses; the first that lets it in will do.

    Args:
        urls: asked each time it must connect.
    """

    def __init__(
        self,
        agency: Agency,
        pins: Pins,
        clock: Callable[[], int],
        urls: Callable[[], Sequence[str]],
    ) -> None:
        self.agency = agency
        self.heads: set[tuple[str, int, bytes]] = set()
        """(origin, size, root) of every head it was shown, by anyone."""
        self.refusals: set[str] = set()
        """Codes with which it was not let in, or its line was closed."""
        self._pins = pins
        self._clock = clock
        self._urls = urls
        self._connecting = asyncio.Lock()
        self.line = self._fresh()

    def _fresh(self) -> Line:
        return WatchedLine(self.heads, self.agency, self._pins, self._clock, True)

    def _connected(self) -> bool:
        reading = self.line._reading
        return reading is not None and not reading.done()

    async def connect(self) -> None:
        """Go on from where the last line ended, wherever it is let in."""
        async with self._connecting:
            while not self._connected():
                for url in self._urls():
                    await self._try(url)
                    if self._connected():
                        return
                await asyncio.sleep(0.05)

    async def _try(self, url: str) -> None:
        before, fresh = self.line, self._fresh()
        with suppress(Exception):
            await before.close()
        fresh.heads, fresh.after = dict(before.heads), before.after
        fresh.leaves, fresh.entries = list(before.leaves), dict(before.entries)
        self.line = fresh
        try:
            async with asyncio.timeout(PATIENCE_S):
                await fresh.connect(url)
        except (OSError, TimeoutError, AssertionError, aiohttp.ClientError):
            await fresh.close()
            return
        if fresh.closing is not None:
            self.refusals.add(fresh.closing.code)

    async def bring(self, item: Submission, batch: BatchSignature) -> Result:
        """Send it until it is logged, or refused for good."""
        while True:
            await self.connect()
            line = self.line
            try:
                async with asyncio.timeout(PATIENCE_S):
                    (result,) = await line.submit([item], batch)
            except (TimeoutError, OSError, asyncio.CancelledError, aiohttp.ClientError):
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                if line is self.line:
                    await line.close()
                continue
            if not result.retry_after_ms:
                return result
            await asyncio.sleep(0.05)

    async def fetch(self, count: int) -> None:
        """Stay connected until so many bulletins have come."""
        while len([1 for _, given in self.line.entries.values() if given.header]) < count:
            await self.connect()
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        with suppress(Exception):
            await self.line.close()


def roots(leaves: Sequence[bytes]) -> dict[int, bytes]:
    """The one root that each size of this log has."""
    tree = TileTree(0, {}, lambda level, n: b"")
    found = {}
    for leaf in leaves:
        tree.append([leaf_hash(leaf)])
        found[tree.size] = tree.root()
    return found
