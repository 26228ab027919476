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


def steady_clock() -> int:
    """Milliseconds that pass on this machine, whatever its time of day is set to."""
    return time.monotonic_ns() // 1_000_000


def steady(clock: Clock) -> Clock:
    """By what time passes for `clock`; one that is not this machine's has no measure but itself."""
    return steady_clock if clock is system_clock else clock


class SessionClocks:
    """What the clocks of the open sessions show.

    An agency has one voice, however many sessions it has open, and one wrong agency among others
    stops nothing: more than half of the agencies must contradict us.

    Args:
        steady: by it they are carried on from when they were told, a minute ago or less. By our
            time of day a step of that would move them along, and nobody would contradict it.
    """

    def __init__(self, steady: Clock) -> None:
        self._steady = steady
        self._ahead: dict[Hashable, tuple[str, int]] = {}

    def report(self, session: Hashable, agency: str, theirs: int) -> None:
        """A session's clock, as it stands now; of any process."""
        self._ahead[session] = agency, theirs - self._steady()

    def forget(self, session: Hashable) -> None:
        """A session has ended."""
        self._ahead.pop(session, None)

    def here(self, ours: int) -> list[tuple[str, int]]:
        """(agency, ms ahead of our clock) of this process's own sessions, which are numbered."""
        lead = self._steady() - ours
        return [
            (agency, ahead + lead)
            for key, (agency, ahead) in self._ahead.items()
            if isinstance(key, int)
        ]

    def check(self, record_time: int) -> None:
        """Refuse to log `record_time` when it is more than 60 s off most agencies' clocks.

        Raises:
            Unavailable: `clock_disagrees`.
        """
        sessions: dict[str, list[int]] = defaultdict(list)
        now = self._steady()
        for agency, ahead in self._ahead.values():
            sessions[agency].append(now + ahead)
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
