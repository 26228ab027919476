"""What changed, by topics: whoever shows a topic looks again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

WAITING: int = 100
"""Topics that one tab may be behind; a tab that is further behind is told "all"."""


class Topics:
    """Publisher of names, such as "inbox", "line", "sent", "locked"."""

    def __init__(self) -> None:
        self._heard: set[asyncio.Queue[str]] = set()

    def publish(self, topic: str) -> None:
        """Tell every open tab; in the event loop."""
        for queue in self._heard:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(topic)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Queue[str]]:
        """Topics published while the block lasts."""
        queue: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self._heard.add(queue)
        try:
            yield queue
        finally:
            self._heard.discard(queue)
