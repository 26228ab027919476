"""What changed, by topics: whoever shows a topic looks again. Never what changed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

STREAMS: Final = 16
"""Browsers that listen; all tabs of one share a stream. Beyond, the oldest one ends."""
TOLD: Final = 32
"""Topics that one of them may be behind; one that is further behind hears `ALL`."""
ALL: Final = "all"


class Hearing:
    """What one browser has still to hear: each topic once, however often it was published."""

    def __init__(self) -> None:
        self._topics: dict[str, None] = {}
        self._any = asyncio.Event()
        self.over = False
        """Nothing more comes."""

    def tell(self, topic: str) -> None:
        """In the event loop."""
        if len(self._topics) >= TOLD:
            self._topics = {ALL: None}
        self._topics[topic] = None
        self._any.set()

    def end(self) -> None:
        """Let it go."""
        self.over = True
        self._any.set()

    async def next(self) -> list[str]:
        """Topics published since, the oldest first; waits for one. Empty: it is over."""
        await self._any.wait()
        found, self._topics = list(self._topics), {}
        if not self.over:
            self._any.clear()
        return found


class Topics:
    """Publisher of names, such as "inbox", "line", "sent", "locked"."""

    def __init__(self) -> None:
        self._heard: list[Hearing] = []
        self.number = secrets.randbelow(2**32)
        """Another one after each topic, and in each process: a page that was made before it shows
        what was."""

    def publish(self, topic: str) -> None:
        """Tell everybody; in the event loop."""
        self.number += 1
        for one in self._heard:
            one.tell(topic)

    @contextmanager
    def listening(self) -> Iterator[Hearing]:
        """Topics published while the block lasts."""
        one = Hearing()
        self._heard.append(one)
        if len(self._heard) > STREAMS:
            self._heard.pop(0).end()
        try:
            yield one
        finally:
            if one in self._heard:
                self._heard.remove(one)
