"""Alarm: a witness that an agreement needs has been behind for ten minutes.

What counts is an own entry whose proof still lacks the witnesses of its agreement although the line
was open all that time. Who has nothing unproven alarms nothing, however seldom others cosign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS, MINUTE_MS

from saphan.node.alarms import Alarms
from saphan.node.logs import Logs
from saphan.node.proving.witness_policy import counted
from saphan.node.rows.db import Database

BEHIND: Final = "witness_behind"
LOOK_S: Final = MINUTE_MS / 1000
CORRIDORS: Final = 64
"""Named in one alarm at most: it is for people."""

_OVERDUE: Final = (
    "SELECT e.sender, e.recipient, min(e.idx), min(e.time) FROM unproven u"
    " JOIN entries e ON e.idx = u.idx WHERE u.far = 0 AND e.time <= ?"
    " GROUP BY e.sender, e.recipient LIMIT ?"
)


class WitnessLag:
    """Looks once a minute.

    Args:
        opened: since when the line to the broker is open, ms UTC; None: it is not.
        clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        db: Database,
        logs: Logs,
        alarms: Alarms,
        opened: Callable[[], int | None],
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._alarms = alarms
        self._opened = opened
        self._clock = clock

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except OperatorError as error:
                self._alarms.sound(error)
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Sound or end the alarm.

        Raises:
            OperatorError: the disk.
        """
        opened, now = self._opened(), self._clock()
        if opened is None:
            return  # what witnesses have done meanwhile is not known; that is an alarm of its own
        overdue = self._overdue(now) if now - opened >= LIMITS.witness_lag_ms else []
        if not overdue:
            self._alarms.clear(BEHIND)
            return
        missing = sorted(
            {
                name
                for sender, recipient, index, _ in overdue
                for name in self._missing((sender, recipient), index)
            }
        )
        first, since = min(row[2] for row in overdue), min(row[3] for row in overdue)
        self._alarms.sound(
            OperatorError(
                BEHIND,
                f"{', '.join(missing) or 'no witness'} has cosigned no head that covers the own "
                f"entry {first} for {(now - since) // MINUTE_MS} minutes: its proof is logged, "
                "not witnessed",
                hint="ask those agencies whether their nodes run and their clocks are right",
            )
        )

    def _overdue(self, now: int) -> list[tuple[str, str, int, int]]:
        rows = self._db.rows(_OVERDUE, (now - LIMITS.witness_lag_ms, CORRIDORS))
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def _missing(self, pair: tuple[str, str], index: int) -> set[str]:
        """Whose lines would count, and are on no kept head that covers the entry."""
        with self._logs.lock:
            wanted = set(counted(self._logs.directory, pair, self._agency))
        rows = self._db.rows(
            "SELECT DISTINCT witnesses FROM heads"
            " WHERE origin = ? AND size > ? AND witnesses != ''",
            (self._logs.pins.evidence.origin, index),
        )
        return wanted - {name for (names,) in rows for name in names.split()}
