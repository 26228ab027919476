"""What one session's unanswered requests may hold: so many of them, and so many bytes."""

from __future__ import annotations

import asyncio

from saphan_schemas.limits import LIMITS


class Room:
    """Owned by the event loop. A request of any size finds room once no other is open."""

    def __init__(self) -> None:
        self._requests = 0
        self._bytes = 0
        self._freed = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    async def take(self, size: int) -> None:
        """Wait for room for a request of `size` bytes; give it back once it is answered."""
        while self._requests and (
            self._requests >= LIMITS.session_requests or self._bytes + size > LIMITS.session_bytes
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
