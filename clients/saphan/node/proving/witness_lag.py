"""Alarm: a witness that an agreement needs has been behind for ten minutes.

What counts is an own entry that lacked the witnesses of its agreement ten open minutes ago and
lacks them still. Who has nothing unproven alarms nothing, however seldom others cosign. Minutes are
looks at an open line: no clock that jumps begins or ends them, and no cut begins them anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS, MINUTE_MS

from saphan.node.alarms import Alarms
from saphan.node.logs import Logs
from saphan.node.proving.witness_policy import counted
from saphan.node.rows.db import Database
from saphan.node.rows.places import place_of

BEHIND: Final = "witness_behind"
LOOK_S: Final = MINUTE_MS / 1000
LOOKS: Final = LIMITS.witness_lag_ms // MINUTE_MS
CORRIDORS: Final = 64
"""Named in one alarm at most: it is for people."""

_OVERDUE: Final = (
    "SELECT e.sender, e.recipient, min(e.idx), min(e.time) FROM unproven u"
    " JOIN entries e ON e.idx = u.idx WHERE u.far = 0 AND u.idx BETWEEN ? AND ?"
    " GROUP BY e.sender, e.recipient LIMIT ?"
)


class WitnessLag:
    """Looks once a minute.

    Args:
        is_open: whether the line to the broker is.
        clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        db: Database,
        logs: Logs,
        alarms: Alarms,
        is_open: Callable[[], bool],
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._alarms = alarms
        self._is_open = is_open
        self._clock = clock
        self._waited: deque[int] = deque(maxlen=LOOKS + 1)
        """The newest entry without its witnesses at each of the last looks; -1: there was none."""

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
        if not self._is_open():
            return  # what witnesses have done meanwhile is not known; that is an alarm of its own
        row = self._db.row(
            "SELECT max(idx) FROM unproven WHERE far = 0 AND idx >= ?", (self._logs.first,)
        )
        self._waited.append(-1 if row is None or row[0] is None else row[0])
        overdue = self._overdue() if len(self._waited) > LOOKS else []
        if overdue:
            self._sound(overdue)
        else:
            self._alarms.clear(BEHIND)

    def _sound(self, overdue: list[tuple[str, str, int, int]]) -> None:
        missing = sorted(
            {
                name
                for sender, recipient, index, _ in overdue
                for name in self._missing((sender, recipient), index)
            }
        )
        first, since = min(row[2] for row in overdue), min(row[3] for row in overdue)
        lacks = f"nothing came from {', '.join(missing)}" if missing else "no head has enough"
        self._alarms.sound(
            OperatorError(
                BEHIND,
                f"the own entry {first} has waited "
                f"{max(LOOKS, (self._clock() - since) // MINUTE_MS)} minutes for the cosignatures "
                f"that its agreement wants: its proof is logged, not witnessed; {lacks}",
                hint="ask those agencies whether their nodes run and their clocks are right",
            )
        )

    def _overdue(self) -> list[tuple[str, str, int, int]]:
        rows = self._db.rows(_OVERDUE, (self._logs.first, self._waited[0], CORRIDORS))
        return [(row[0], row[1], place_of(row[2]).index, row[3]) for row in rows]

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
