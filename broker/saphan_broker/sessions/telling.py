"""When a session is told a head that brings it no entry, and whose cosignatures.

A head with its lines takes 3.7 KB, a witness's lines 3.4 KB: told of every commit of others, an
idle agency would pay for everybody's traffic. So a session is told

- soon, when it has entries that no other agency is known to have witnessed: the lines alone, if it
  knows the head that was cosigned, each time after a longer pause; under load once a second, for
  what has come up to then, although more comes all the time;
- when it is asked to look: at its start, and while a deadline waits for a witness;
- else seldom: `LIMITS.head_quiet_ms` after the head it was told last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from saphan_schemas.limits import LIMITS, SECOND_MS

from saphan_broker.logs.log_book import Cosigned, Published

FIRST_PAUSE_MS = SECOND_MS
"""Between lines told; it doubles with each until entries come."""
START_MS = 5 * SECOND_MS
"""A session that got no fresh head at its start is then told the one that there is."""
TOLD_SIZES = 256
"""Heads of a session whose cosignatures can be told without the head: seconds of full load."""
FRESH_MS = 2 * SECOND_MS
"""A head signed so long before it was asked for is as good: heads are dated in seconds."""


@dataclass(frozen=True, slots=True)
class News:
    """What to tell: a head (None: it was told), and lines on the head of that size."""

    head: Published | None
    size: int
    lines: Mapping[str, bytes]


class Telling:
    """What one session knows of heads; times are ms of the broker's clock.

    Args:
        agency: its own cosignatures are nothing new to it.
        known: size of the evidence head that it logged in with; 0: none.
        covered: up to where it has entries: size of the smallest head over all of them; 0: none.
    """

    def __init__(self, agency: str, known: int, covered: int, now: int) -> None:
        self._agency = agency
        self._told: deque[int] = deque([known] if known else [], TOLD_SIZES)
        self._covered = covered
        self._open = covered
        """A head of this size or more says something of entries whose witnesses were not told; 0:
        there are no such entries."""
        self._shown: dict[int, set[str]] = {}
        self._wanted, self._own = 1, False
        self._pause = FIRST_PAUSE_MS
        self._lines_at = now
        """Lines are told a pause after this."""
        self._quiet = START_MS
        self._at = now
        self._asked: int | None = now
        self.note = b""
        """The newest head told; it travels once."""

    def ask(self, since: int) -> None:
        """A head signed since then should be told at once, for its witness."""
        self._asked = since

    def told(self, head: Published, now: int, covered: int | None = None) -> None:
        """A head went out; `covered`: size of the smallest head over the entries under it."""
        self.note = head.note
        if not self._told or self._told[-1] != head.size:
            self._told.append(head.size)
        self._at, self._quiet = now, LIMITS.head_quiet_ms
        if covered is None:
            return
        self._covered, self._pause = covered, FIRST_PAUSE_MS
        if not self._open:
            self._open, self._lines_at = covered, now
            self._shown.clear()

    def showed(self, news: News, now: int) -> None:
        """Lines went out."""
        self._shown.setdefault(news.size, set()).update(news.lines)
        while len(self._shown) > TOLD_SIZES:
            del self._shown[min(self._shown)]
        self._at = self._lines_at = now
        self._pause = min(2 * self._pause, LIMITS.head_quiet_ms)

    def next(
        self,
        head: Published,
        cosigned: Mapping[int, Cosigned],
        wanted: int,
        now: int,
        *,
        own: bool = False,
        busy: bool = False,
    ) -> tuple[int, News] | None:
        """(ms from now until it is told, what) if nothing changes before; None: nothing is new.

        Args:
            wanted: witnesses that its agreements ask for.
            own: its own cosignature, which it has, is one of them.
            busy: entries wait, which bring their head themselves: no other head is told.
        """
        self._wanted, self._own = wanted, own
        if busy:
            return self._next_lines(cosigned, now, busy=True)
        fresh = head.note != self.note
        if self._asked is not None and head.time * SECOND_MS >= self._asked - FRESH_MS:
            self._asked = None
            if fresh:
                return 0, News(head, head.size, {})
        lines = self._next_lines(cosigned, now, busy=False)
        if lines is None and fresh:
            return max(0, self._at + self._quiet - now), News(head, head.size, {})
        return lines

    def _next_lines(
        self, cosigned: Mapping[int, Cosigned], now: int, *, busy: bool
    ) -> tuple[int, News] | None:
        counts = {size: self._count(size, names, cosigned) for size, names in self._shown.items()}
        enough = max((size for size, count in counts.items() if count >= self._wanted), default=0)
        if enough:
            self._shown = {size: of for size, of in self._shown.items() if size > enough}
            self._open = enough + 1 if enough < self._covered else 0
        lines = self._lines(cosigned, counts) if self._open else None
        if lines is None or (busy and lines.head is not None):
            return None
        return max(0, self._lines_at + self._pause - now), lines

    def _count(self, size: int, names: Collection[str], cosigned: Mapping[int, Cosigned]) -> int:
        """Witnesses that one head has for this agency, once it is told these."""
        own = self._own and size in cosigned and self._agency in cosigned[size].lines
        return len(names) + own

    def _lines(self, cosigned: Mapping[int, Cosigned], counts: Mapping[int, int]) -> News | None:
        """Lines by which one head has more witnesses than any told before over the same entries:
        of a head that it knows, or else of a newer one.

        A policy counts the witnesses of one head, not of several; and while one of them is away,
        an agreement that wants fewer goes on being served.
        """
        told, newest = set(self._told), self._told[-1] if self._told else 0
        found, best = None, 0
        sizes = [size for size in cosigned if size >= self._open]
        for size in sorted(sizes, key=lambda size: (size not in told, -size)):
            if size not in told and size < newest:
                continue
            of, known = cosigned[size], self._shown.get(size, set())
            others = sorted(of.lines.keys() - known - {self._agency})
            new = others[: max(0, self._wanted - self._count(size, known, cosigned))]
            reach, count = min(size, self._covered), self._count(size, (*known, *new), cosigned)
            most = max((had for at, had in counts.items() if at >= reach), default=0)
            if new and count > max(best, most):
                best = count
                head = None if size in told else of.head
                found = News(head, size, {agency: of.lines[agency] for agency in new})
        return found
