"""What the broker logs no more of for a while: bulletins rest, and are sent again by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from saphan_schemas.errors import Unavailable
from saphan_schemas.frames import Result
from saphan_schemas.limits import SECOND_MS

from saphan.node.engine import Engine

QUOTA: Final = frozenset({"quota_rate", "quota_bytes", "quota_deliveries"})
CALM_S: Final = 60.0
"""A backlog is over its quota again and again until it is sent: one alarm, not one a second."""


class OverQuota:
    """Of one session; owned by the event loop.

    Args:
        wake: called when bulletins may be sent again.
    """

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._wake = wake
        self._until = 0.0
        self._probing = False
        self._resting: asyncio.TimerHandle | None = None
        self._calming: asyncio.TimerHandle | None = None

    @property
    def resting(self) -> bool:
        """Whether whatever is sent now would be refused like what was sent before."""
        return self._resting is not None

    @property
    def probing(self) -> bool:
        """Whether one frame should show first that there is room again: a slow line would carry
        what is refused, again and again."""
        return self._probing

    def hear(self, results: Iterable[Result]) -> None:
        """Look through an answer for items that were over a quota."""
        over = [result for result in results if result.code in QUOTA]
        if not over:
            self._probing = False
            return
        longest = max(over, key=lambda result: result.retry_after_ms)
        assert longest.code is not None
        self._engine.sound(Unavailable(longest.code, longest.message, hint=longest.hint))
        loop = asyncio.get_running_loop()
        self._until = max(self._until, loop.time() + longest.retry_after_ms / SECOND_MS)
        self.close()
        self._resting = loop.call_at(self._until, self._rested)
        self._calming = loop.call_at(self._until + CALM_S, self._calm)

    def close(self) -> None:
        """Forget the timers."""
        for timer in (self._resting, self._calming):
            if timer is not None:
                timer.cancel()
        self._resting = None

    def _rested(self) -> None:
        self._resting, self._probing = None, True
        self._wake()

    def _calm(self) -> None:
        for code in QUOTA:
            self._engine.quiet(code)
