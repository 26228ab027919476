"""The broker's clock and what the open sessions' clocks say about it (bytes.md, Time)."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from statistics import median_low

from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import DAY_MS, LIMITS

Clock = Callable[[], int]
"""Milliseconds UTC since 1970."""


def system_clock() -> int:
    """This machine's clock, in milliseconds."""
    return time.time_ns() // 1_000_000


def day_of(millis: int) -> int:
    """Days since 1970-01-01 of a time in milliseconds."""
    return millis // DAY_MS


class SessionClocks:
    """How far each open session's clock is ahead of ours, in milliseconds.

    An agency has one voice, however many sessions it has open, and one wrong agency among others
    stops nothing: more than half of the agencies must contradict us.
    """

    def __init__(self) -> None:
        self._ahead: dict[Hashable, tuple[str, int]] = {}

    def report(self, session: Hashable, agency: str, theirs: int, ours: int) -> None:
        """A session's clock, as it stood when our clock showed `ours`; of any process."""
        self._ahead[session] = agency, theirs - ours

    def forget(self, session: Hashable) -> None:
        """A session has ended."""
        self._ahead.pop(session, None)

    def here(self) -> list[tuple[str, int]]:
        """(agency, ms ahead of us) of this process's own sessions, which are numbered."""
        return [found for key, found in self._ahead.items() if isinstance(key, int)]

    def check(self, record_time: int, ours: int) -> None:
        """Refuse to log `record_time` when it is more than 60 s off most agencies' clocks.

        Raises:
            Unavailable: `clock_disagrees`.
        """
        sessions: dict[str, list[int]] = defaultdict(list)
        for agency, ahead in self._ahead.values():
            sessions[agency].append(ours + ahead)
        voices = [median_low(clocks) for clocks in sessions.values()]
        against = [theirs for theirs in voices if abs(record_time - theirs) > LIMITS.skew_ms]
        if 2 * len(against) > len(voices):
            raise Unavailable(
                "clock_disagrees",
                f"a record would bear time {record_time}, but {len(against)} of {len(voices)} "
                f"agencies' clocks differ, one shows {against[0]}: nothing is logged on a time "
                f"that is {LIMITS.skew_ms // 1000} s off",
                hint="set this machine's clock (NTP) and look at the agencies' clocks",
                retry_after_ms=LIMITS.backoff_max_ms,
            )
