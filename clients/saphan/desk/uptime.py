"""The time by which a desk erases: the node's last witnessed time, and what has passed since.

What has passed is told by a clock that nobody sets: the machine's uptime. While the machine was off
nothing is counted, so that a desk's time may be late, and never ahead; it is right again with the
node's next word. The clock on the wall, which anybody can set, erases nothing: it only bounds what
another start is believed, for the folder may have come to a machine that was up for months.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.limits import DAY_MS

from saphan.desk.store import DeskStore, Shelf

Uptime = Callable[[], tuple[str, int]]
"""Which start of the machine this is, and ms since then."""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_NAME: Final = b"witnessed"
_PROCESS: Final = f"process {time.time_ns()}"
_BEGAN_NS: Final = time.monotonic_ns()


class _Heard(Record, frozen=True):
    """Time at the desk (ms UTC) when its machine was up for `at` ms after the start `boot`."""

    time: int
    boot: str
    at: int


def system_uptime() -> tuple[str, int]:
    """Of this machine; of this process, where the system tells of no start."""
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        # Since this process began: what the machine was up for before, another one has counted.
        return _PROCESS, (time.monotonic_ns() - _BEGAN_NS) // 1_000_000
    return boot, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@dataclass(frozen=True, slots=True)
class DeskTime:
    """The time of one desk; `clock` is the one on its wall, ms UTC."""

    store: DeskStore
    uptime: Uptime
    clock: Callable[[], int]

    def hear(self, witnessed: int) -> None:
        """The node's word (ms UTC); it never goes back. Inside a transaction, or by itself."""
        boot, at = self.uptime()
        self._keep(max(witnessed, self._now(boot, at) or 0), boot, at)

    def now(self) -> int | None:
        """Ms UTC; None while no node has said anything. What has passed is kept, for the next
        start of the machine."""
        boot, at = self.uptime()
        found = self._now(boot, at)
        if found is not None:
            self._keep(found, boot, at)
        return found

    def today(self) -> int | None:
        """Days since 1970-01-01; None as in `now`."""
        found = self.now()
        return None if found is None else found // DAY_MS

    def _now(self, boot: str, at: int) -> int | None:
        kept = self.store.get(Shelf.STATE, _NAME)
        if kept is None:
            return None
        heard = decode(_Heard, kept, 1024, "witnessed")
        passed = at - heard.at if boot == heard.boot else min(at, self.clock() - heard.time)
        return heard.time + max(0, passed)

    def _keep(self, now: int, boot: str, at: int) -> None:
        self.store.put(Shelf.STATE, _NAME, encode(_Heard(now, boot, at)))
