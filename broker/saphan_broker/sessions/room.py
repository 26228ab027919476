"""What answers under way may hold together: so many of them, and so many bytes."""

from __future__ import annotations

import asyncio

from saphan_schemas.limits import LIMITS


class Room:
    """Owned by the event loop. A request of any size finds room once no other is open.

    Args:
        requests, size: how many at once, and their bytes together; one session's by default.
    """

    def __init__(
        self, requests: int = LIMITS.session_requests, size: int = LIMITS.session_bytes
    ) -> None:
        self._most_requests = requests
        self._most_bytes = size
        self._requests = 0
        self._bytes = 0
        self._freed = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    async def take(self, size: int) -> None:
        """Wait for room for a request of `size` bytes; give it back once it is answered."""
        while self._requests and (
            self._requests >= self._most_requests or self._bytes + size > self._most_bytes
        ):
            self._freed.clear()
            await self._freed.wait()
        self._requests += 1
        self._bytes += size
        self._empty.clear()

    def give_back(self, size: int) -> None:
        """A request was answered."""
        self._requests -= 1
        self._bytes -= size
        self._freed.set()
        if not self._requests:
            self._empty.set()

    async def empty(self) -> None:
        """Wait until every request is answered."""
        await self._empty.wait()
