"""What of a feed is on its way to a session, and how much more may be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from saphan_protocol.pace import Pace
from saphan_schemas.limits import KIB, LIMITS, SECOND_MS

from saphan_broker.sessions.deferring import SHORT

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
        self._sent: deque[tuple[int, int, int, float]] = deque()
        self._items = 0
        self._rate = 0

    @property
    def items(self) -> int:
        """Entries that may still be sent."""
        return LIMITS.feed_window_items - self._items

    @property
    def bytes(self) -> int:
        """Bytes that may still be sent."""
        return self.pace.room

    @property
    def longest(self) -> int:
        """The longest ciphertext that goes with its entry: what the line has shown that it carries
        in a second; 0: it has shown that it is slow."""
        return 0 if self.pace.slow else max(SHORT, self._rate)

    @property
    def careful(self) -> bool:
        """Whether there are ciphertexts that do not go with their entries."""
        return self.longest < LIMITS.ciphertext_bytes

    def add(self, after: int, items: int, size: int) -> None:
        """A frame went out that ends at `after`."""
        now = self._clock()
        self.pace.sent(size, now)
        self._sent.append((after, items, size, now))
        self._items += items

    def acknowledge(self, after: int) -> None:
        """Everything up to `after` is durable at the node."""
        now = self._clock()
        while self._sent and self._sent[0][0] <= after:
            _, items, size, sent = self._sent.popleft()
            self._items -= items
            self._rate = max(self._rate, int(size * SECOND_MS / max(now - sent, 1)))
            self.pace.acknowledged(size, now)
