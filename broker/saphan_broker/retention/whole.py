"""The broker's retention in one place: what is armed, how far it has come, and what would go."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from saphan_broker.retention.armed import Armed
from saphan_broker.retention.guard import Guard
from saphan_broker.retention.progress import Progress
from saphan_broker.retention.sweep import Parts, RetentionSweep
from saphan_broker.state import State
from saphan_broker.store.base import DayCount
from saphan_broker.witnessed import WitnessedTime

MOST_DAYS: Final = 3_660
"""A plan of ten years: whoever wants more looks at the agreement."""


class Plan(NamedTuple):
    """What is due within some days, and what stands in its way.

    Args:
        today: of the broker's clock, days since 1970-01-01.
        counts: by due-day, what is overdue first.
        leaps: whether witnessed time has leapt, so that a person must confirm it.
    """

    today: int
    counts: list[DayCount]
    armed: bool
    leaps: bool


class Retention:
    """Owned by the event loop.

    Args:
        parts: of the sequencing of this process.
    """

    def __init__(self, state: State, parts: Parts, witnessed: WitnessedTime, armed: Armed) -> None:
        self._state = state
        self._witnessed = witnessed
        self.armed = armed
        self.guard = Guard(armed, witnessed, state.alarms)
        self.progress = Progress(state, armed, witnessed)
        self.sweep = RetentionSweep(state, parts, self.guard, self.progress)

    async def plan(self, today: int, days: int) -> Plan:
        """What would go until `days` after `today`; that somebody has seen it is kept.

        Raises:
            OperatorError: `key_file_*`, and what the store raises.
        """
        counts = await self._state.store.due_counts(today + days)
        await asyncio.to_thread(self.armed.show)
        return Plan(today, counts, self.armed.armed, self.guard.leaps())

    async def arm(self) -> bool:
        """Let the rule of this program act; gives whether it was armed before.

        Raises:
            Refused: `rule_not_seen`; OperatorError: `key_file_*`.
        """
        before = self.armed.armed
        if not before:
            # Before any witness: the clock by which the plan was shown, or a leap would be none.
            now = self._witnessed.now or self._state.clock()
            await asyncio.to_thread(self.armed.arm, now)
        return before

    async def confirm(self) -> int:
        """A person has compared the clocks: witnessed time is right. Gives it, ms.

        Raises:
            OperatorError: `key_file_*`.
        """
        now = self._witnessed.now
        await asyncio.to_thread(self.armed.confirm, now)
        return now
