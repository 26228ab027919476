"""How many deliveries go in one commit, so that what arrives meanwhile hardly waits."""

from __future__ import annotations

from typing import Final

from saphan_schemas.limits import LIMITS

from saphan_broker.counters import Counters

LEAST: Final = 2 * LIMITS.retention_items
"""Fewer would cost more in signatures and syncs than they spare anybody."""
LEAST_SECONDS: Final = 0.025
MOST_SECONDS: Final = 0.15
TIMES: Final = 3
"""A batch may take three times as long as what others send takes by itself, on this machine and at
this moment. An arrival waits for one batch at the most, then for its own commit: four such times,
where it waited for two before, when it came just behind another one."""


class Pace:
    """Owned by the event loop; grows by steps, falls by quarters."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._logged = counters.logged
        self.batch: int = LIMITS.retention_batch
        """Deliveries of the next batch."""
        self.alone = False
        """Nobody else had anything logged beside the last batch: the next may wait in the queue."""

    def took(self, seconds: float, items: int) -> None:
        """A batch of so many items of the queue is under its signed head, so long after it was
        handed in."""
        others = self._counters.logged - self._logged - items
        self._logged = self._counters.logged
        self.alone = others <= 0
        if self.alone:
            self.batch = LIMITS.retention_batch
        elif seconds > self._limit:
            self.batch = max(LEAST, 3 * self.batch // 4)
        else:
            self.batch = min(LIMITS.retention_batch, self.batch + LIMITS.retention_items)

    @property
    def _limit(self) -> float:
        return min(MOST_SECONDS, max(LEAST_SECONDS, TIMES * self._counters.plain_seconds))
