"""What of a feed is on its way to a session, and how much more may be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from saphan_protocol.pace import Pace
from saphan_schemas.limits import KIB, LIMITS

FIRST_BYTES: Final = 16 * KIB
"""Of a session's first entries: two seconds at 64 kbit/s, one bulletin."""


class Window:
    """What was sent and not acknowledged yet, in entries and bytes.

    It opens as far as the line acknowledges in time: a frame of 1 MiB takes two minutes of a line
    of 64 kbit/s, and one that is cut every minute would never bring it.

    Args:
        clock: milliseconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.pace = Pace(LIMITS.feed_window_bytes, FIRST_BYTES)
        self._sent: deque[tuple[int, int, int]] = deque()
        self._items = 0
        self._shown = False

    @property
    def items(self) -> int:
        """Entries that may still be sent."""
        return LIMITS.feed_window_items - self._items

    @property
    def bytes(self) -> int:
        """Bytes that may still be sent."""
        return self.pace.room

    @property
    def careful(self) -> bool:
        """Whether the line is slow, or has not shown yet what it is."""
        return self.pace.slow or not self._shown

    def add(self, after: int, items: int, size: int) -> None:
        """A frame went out that ends at `after`."""
        self.pace.sent(size, self._clock())
        self._sent.append((after, items, size))
        self._items += items

    def acknowledge(self, after: int) -> None:
        """Everything up to `after` is durable at the node."""
        while self._sent and self._sent[0][0] <= after:
            _, items, size = self._sent.popleft()
            self._items -= items
            self._shown = True
            self.pace.acknowledged(size, self._clock())
