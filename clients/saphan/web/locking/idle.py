"""Whether a person is there: how long ago one caused a request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

LOOKING: Final = "live"
"""Value of X-Desk in requests that a page makes by itself, when it hears of news."""
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def up_ms() -> int:
    """Ms that the machine was up, sleep included: a laptop that wakes up finds its page locked."""
    return time.clock_gettime_ns(_CLOCK) // 1_000_000


@dataclass(slots=True)
class Presence:
    """When a person was last there."""

    up: Callable[[], int] = up_ms
    last: int = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.up()

    def note(self, request: web.Request) -> None:
        """Of a request that was let through; what the page does by itself does not count."""
        alone = request.path == "/events" or request.path.startswith("/static/")
        if not alone and request.headers.get("X-Desk") != LOOKING:
            self.last = self.up()

    def left_ms(self, after_ms: int) -> int:
        """Until the page locks for want of a person; 0 or less: now."""
        return self.last + after_ms - self.up()
