"""When a session is told a head that brings it no entry, and whose cosignatures.

A head with its lines takes 3.7 KB, a witness's lines 3.4 KB: told of every commit of others, an
idle agency would pay for everybody's traffic. So a session is told

- soon, when it has entries that no other agency is known to have witnessed: the lines alone, if it
  knows the head that was cosigned, each time after a longer pause;
- when it is asked to look: at its start, and while a deadline waits for a witness;
- else seldom: `LIMITS.head_quiet_ms` after the head it was told last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from saphan_schemas.limits import LIMITS, SECOND_MS

from saphan_broker.logs.log_book import Cosigned, Published

FIRST_PAUSE_MS = SECOND_MS
"""Between heads told without entries; it doubles with each until entries come."""
START_MS = 5 * SECOND_MS
"""A session that got no fresh head at its start is then told the one that there is."""
TOLD_SIZES = 32
"""Heads of a session whose cosignatures can be told without the head."""
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
        self._shown: set[str] = set()
        self._pause = FIRST_PAUSE_MS
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
        if covered is not None:
            self._covered, self._pause = covered, FIRST_PAUSE_MS
            self._shown.clear()

    def showed(self, news: News, now: int) -> None:
        """Lines went out."""
        self._shown.update(news.lines)
        self._at = now
        self._pause = min(2 * self._pause, LIMITS.head_quiet_ms)

    def next(
        self, head: Published, cosigned: Mapping[int, Cosigned], wanted: int, now: int
    ) -> tuple[int, News] | None:
        """(ms from now until it is told, what) if nothing changes before; None: nothing is new.

        Args:
            wanted: witnesses, of other agencies, that its agreements ask for.
        """
        fresh = head.note != self.note
        if self._asked is not None and head.time * SECOND_MS >= self._asked - FRESH_MS:
            self._asked = None
            if fresh:
                return 0, News(head, head.size, {})
        if len(self._shown) < wanted:
            lines = self._lines(cosigned, wanted)
            if lines is not None:
                return max(0, self._at + self._pause - now), lines
        if fresh:
            return max(0, self._at + self._quiet - now), News(head, head.size, {})
        return None

    def _lines(self, cosigned: Mapping[int, Cosigned], wanted: int) -> News | None:
        """Lines that are new to it: on a head that it knows, or else on a newer one."""
        if not self._covered:
            return None
        newest = self._told[-1] if self._told else 0
        sizes = [size for size in cosigned if size >= self._covered]
        for size in sorted(sizes, key=lambda size: (size not in self._told, -size)):
            if size not in self._told and size < newest:
                continue
            of = cosigned[size]
            new = {
                a: of.lines[a] for a in sorted(of.lines) if a not in self._shown | {self._agency}
            }
            if new:
                few = dict(list(new.items())[: wanted - len(self._shown)])
                return News(None if size in self._told else of.head, size, few)
        return None
