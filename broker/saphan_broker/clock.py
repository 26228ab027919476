"""The broker's clock and what the open sessions' clocks say about it (bytes.md, Time)."""

from __future__ import annotations

import time
from collections.abc import Callable
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

    One wrong node moves nothing: the median of all sessions is what counts.
    """

    def __init__(self) -> None:
        self._ahead: dict[int, int] = {}

    def report(self, session: int, theirs: int, ours: int) -> None:
        """A session's clock, as it stood when our clock showed `ours`."""
        self._ahead[session] = theirs - ours

    def forget(self, session: int) -> None:
        """A session has ended."""
        self._ahead.pop(session, None)

    def check(self, record_time: int, ours: int) -> None:
        """Refuse to log `record_time` when the sessions' median clock is more than 60 s from it.

        Raises:
            Unavailable: `clock_disagrees`.
        """
        if not self._ahead:
            return
        theirs = ours + median_low(self._ahead.values())
        if abs(record_time - theirs) > LIMITS.skew_ms:
            raise Unavailable(
                "clock_disagrees",
                f"a record would bear time {record_time}, but the open sessions' clocks show "
                f"{theirs}: nothing is logged on a time that is {LIMITS.skew_ms // 1000} s off",
                hint="set this machine's clock (NTP) and look at the agencies' clocks",
                retry_after_ms=LIMITS.backoff_max_ms,
            )
