"""Which connected witnesses are behind: told a head, and silent about it.

Measured from what a session was told, not from the newest head: an agency to which nothing happens
is told of heads rarely, to save its line, and is not behind for that. A witness that is away is the
concern of those whose entries wait for it: their nodes alarm, and here a deadline that passes does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from saphan_protocol.directory import Directory
from saphan_schemas.limits import LIMITS, MINUTE_MS, SECOND_MS
from saphan_schemas.records import Role

from saphan_broker.alarms import Alarms

BEHIND: Final = "witness_behind"
LOOK_SECONDS: Final = 30.0


@dataclass(slots=True)
class _Owed:
    """Heads told and not cosigned: the oldest one's size and when it was told, the newest's size
    and when."""

    size: int
    since: int
    newest: int
    newest_at: int


class WitnessLag:
    """The witnesses of one process's sessions; owned by the event loop. Times in ms.

    Args:
        directory: gives the directory, to tell who has a witness key.
    """

    def __init__(
        self, directory: Callable[[], Directory], alarms: Alarms, clock: Callable[[], int]
    ) -> None:
        self._directory = directory
        self._alarms = alarms
        self._clock = clock
        self._owed: dict[str, _Owed] = {}
        self._signed: dict[str, int] = {}

    def told(self, agency: str, size: int) -> None:
        """A session of that agency was sent a head of the evidence log."""
        if size <= self._signed.get(agency, 0):
            return
        now, owed = self._clock(), self._owed.get(agency)
        if owed is None:
            self._owed[agency] = _Owed(size, now, size, now)
        elif size > owed.newest:
            owed.newest, owed.newest_at = size, now

    def cosigned(self, agency: str, size: int) -> None:
        """Its lines on a head of that size were checked and kept: that answers for all before."""
        self._signed[agency] = max(size, self._signed.get(agency, 0))
        owed = self._owed.get(agency)
        if owed is None or size < owed.size:
            return
        if size >= owed.newest:
            del self._owed[agency]
        else:
            owed.size, owed.since = owed.newest, owed.newest_at

    def left(self, agency: str) -> None:
        """No session of it is open here any more."""
        self._owed.pop(agency, None)

    def behind(self) -> dict[str, int]:
        """For how many ms each connected witness owes a cosignature, if it does."""
        now, directory = self._clock(), self._directory()
        return {
            agency: max(0, now - owed.since)
            for agency, owed in sorted(self._owed.items())
            if directory.keys(agency, Role.WITNESS)
        }

    def look(self) -> None:
        """Sound or end the alarm."""
        late = {name: ms for name, ms in self.behind().items() if ms >= LIMITS.witness_lag_ms}
        if not late:
            self._alarms.clear(BEHIND)
            return
        named = ", ".join(f"{name} for {ms // MINUTE_MS} minutes" for name, ms in late.items())
        self._alarms.sound(
            BEHIND,
            f"witnesses are connected and cosign nothing that they are told: {named}; ask them "
            "what their nodes alarm about, and whether their clocks are right",
        )

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def worst_seconds(self) -> float:
        """Of the witness that is behind the longest; 0 where none is."""
        return max(self.behind().values(), default=0) / SECOND_MS
