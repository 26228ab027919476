"""How many bytes may be on their way on a line whose speed nobody knows.

What is handed to a socket cannot be taken back: an urgent bulletin waits behind all of it, and a
cut throws it away. So bulk (attachments, backlogs) asks a `Pace` first. It keeps about one second
of the line's own rate on its way: it starts small, doubles while acknowledgements come in time,
and shrinks when they come late, by half when they come very late. In time means within `LATE_MS`
beyond the quickest one seen, so that a satellite's round trip is no sign of a slow line.

Used the same way in both directions: who sends counts `sent` and the other side's
acknowledgements; who fetches counts what it has asked for as sent, and what came as acknowledged.

    pace = Pace()
    while data := take(pace.piece(LIMITS.part_bytes)):   # 0: wait for an acknowledgement
        send(data); pace.sent(len(data), now)
    ...
    pace.acknowledged(len(data), now)                    # wakes the loop above
    pace.cut()                                           # the line broke: nothing is on its way

Times are milliseconds of any clock that only goes forward (`time.monotonic() * 1000`).
"""

from __future__ import annotations

from collections import deque
from typing import Final

KIB: Final = 1024
LEAST: Final = 4 * KIB
"""The smallest window, and the smallest piece worth its frame: half a second at 64 kbit/s."""
LATE_MS: Final = 1_000
"""What may wait in buffers along the way; an urgent bulletin waits so long at most."""
SLOW: Final = 64 * KIB
"""A window below this, found too large before, is a slow line: large things are put off on it."""


class Pace:
    """The window of one direction of one line; bytes and milliseconds.

    Args:
        most: the window never grows beyond it.
        first: where it starts, and starts again after a cut.
    """

    def __init__(self, most: int = KIB * KIB, first: int = LEAST) -> None:
        self._most = most
        self._first = min(first, most)
        self._window = self._first
        self._on_way: deque[tuple[int, float]] = deque()
        self._bytes = 0
        self._total = 0
        self._full_to = 0
        self._quickest: float | None = None
        self._shrunk_at = float("-inf")
        self._was_late = False
        self._settled = False

    @property
    def window(self) -> int:
        """Bytes that may be on their way in all."""
        return self._window

    @property
    def on_way(self) -> int:
        """Bytes that are sent and not acknowledged."""
        return self._bytes

    @property
    def quickest_ms(self) -> float:
        """The shortest time that an acknowledgement took on this line; 0 before the first."""
        return self._quickest or 0.0

    @property
    def slow(self) -> bool:
        """Whether the line has shown that it is slow; false until it has shown anything."""
        return self._was_late and self._window <= SLOW

    @property
    def room(self) -> int:
        """Bytes that may be sent now; 0: too few to be worth a frame."""
        room = self._window - self._bytes
        return max(room, LEAST) if not self._bytes else room if room >= LEAST else 0

    def piece(self, most: int) -> int:
        """Bytes of the next piece, at most `most`; 0: wait for an acknowledgement first.

        Pieces below `LEAST` are not worth their frames, and with nothing on its way there is
        always room for one.
        """
        if not self.may_send(min(LEAST, most)):
            return 0
        # Several pieces to a window: the next is on its way while one is acknowledged.
        return min(most, max(LEAST, min(self._window // 4, self._window - self._bytes)))

    def may_send(self, size: int) -> bool:
        """Whether something of `size` bytes that cannot be cut may go now.

        With nothing on its way anything may, however large.
        """
        return not self._bytes or self._bytes + size <= self._window

    def sent(self, size: int, now: float) -> None:
        """`size` bytes were handed to the line."""
        self._bytes += size
        self._total += size
        self._on_way.append((size, now))
        if self._window - self._bytes < LEAST:
            self._full_to = self._total

    def acknowledged(self, size: int, now: float) -> None:
        """The other side has `size` bytes more, in the order in which they were sent."""
        while size > 0 and self._on_way:
            count, at = self._on_way[0]
            if size < count:
                self._on_way[0] = (count - size, at)
                self._bytes -= size
                return
            limited = self._total - self._bytes < self._full_to
            self._on_way.popleft()
            self._bytes -= count
            size -= count
            self._learn(count, at, now, limited)

    def cut(self) -> None:
        """The line broke: nothing is on its way, and the next line shows itself what it is."""
        self._on_way.clear()
        self._bytes = 0
        self._window = min(self._window, self._first)
        self._quickest = None
        self._settled = False

    def _learn(self, size: int, at: float, now: float, limited: bool) -> None:
        """`limited`: the window was full in the round of these bytes, or it need not grow."""
        took = now - at
        self._quickest = took if self._quickest is None else min(took, self._quickest)
        if took > self._quickest + LATE_MS:
            # What was sent before the window shrank says nothing about the smaller one.
            if at >= self._shrunk_at:
                if self._window == LEAST:
                    # Late with nothing to wait behind: the way has become longer.
                    self._quickest, self._settled, self._was_late = took, False, False
                    return
                much = took > self._quickest + 2 * LATE_MS
                self._window = max(LEAST, self._window // 2 if much else self._window * 3 // 4)
                self._shrunk_at = now
                self._was_late = self._settled = True
            return
        # Twice as much in each round trip; an eighth once bytes are seen to wait somewhere: what
        # is sent before the first late acknowledgement comes must not be a second second's worth.
        self._settled |= took > self._quickest + LATE_MS // 4
        if limited:
            self._window = min(self._most, self._window + (size // 8 if self._settled else size))
