"""What a person should look at: shown by status, never lost in a log file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from saphan_schemas.errors import SaphanError

MAX_ALARMS: Final = 64
"""Different codes at once; there are fewer than this in the program."""

log = logging.getLogger("saphan.node")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One kind of trouble: first and last time (ms UTC), how often, the newest words."""

    code: str
    message: str
    hint: str | None
    since: int
    last: int
    count: int


class Alarms:
    """Standing alarms by code. Thread-safe."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._standing: dict[str, Alarm] = {}

    def sound(self, error: SaphanError) -> None:
        """Note an error that somebody must see."""
        now = self._clock()
        with self._lock:
            old = self._standing.get(error.code)
            if old is None and len(self._standing) >= MAX_ALARMS:
                return
            since, count = (old.since, old.count + 1) if old else (now, 1)
            self._standing[error.code] = Alarm(
                error.code, error.message, error.hint, since, now, count
            )
        if old is None:
            log.warning("alarm %s: %s", error.code, error.message)

    def clear(self, code: str) -> None:
        """The trouble is over."""
        with self._lock:
            gone = self._standing.pop(code, None)
        if gone is not None:
            log.info("alarm %s is over", code)

    def standing(self) -> list[Alarm]:
        """Alarms as they stand, oldest first."""
        with self._lock:
            return sorted(self._standing.values(), key=lambda alarm: alarm.since)
