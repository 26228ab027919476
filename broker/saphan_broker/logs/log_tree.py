"""A log's tree whose tiles lie in the store: proofs that load what they miss."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

ReadTile = Callable[[int, int], Awaitable[bytes]]
"""(level, n) -> the 8,192 bytes of a full tile; raises its own error if there is none."""


class _TileWantedError(Exception):
    """A proof needs a tile that is not in memory; never leaves this module."""

    def __init__(self, level: int, n: int) -> None:
        super().__init__(level, n)
        self.at = (level, n)


class TileSource:
    """Feeds a `TileTree`, which computes without waiting, from a store that has to be awaited.

    The tree's `fetch` raises when a tile is not at hand; `prove` loads that tile and starts the
    computation again. A proof needs a few tiles per level, so it ends after as many rounds.
    """

    def __init__(self, read: ReadTile) -> None:
        self._read = read
        self._loaded: dict[tuple[int, int], bytes] = {}

    def fetch(self, level: int, n: int) -> bytes:
        """The loaded tile, once: afterwards it is in the tree's own bounded cache."""
        data = self._loaded.pop((level, n), None)
        if data is None:
            raise _TileWantedError(level, n)
        return data

    async def prove(self, work: Callable[[], T]) -> T:
        """Result of `work`, which reads one tree; what it raises by itself passes through."""
        while True:
            try:
                return work()
            except _TileWantedError as wanted:
                self._loaded[wanted.at] = await self._read(*wanted.at)
