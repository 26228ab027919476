"""How far this process has come: the day-key seed, the newest time that was acted on.

The process that sequences moves first; the others hear of it with every beat and follow, each in
its own memory and in the file of its host, so that a destroyed day is destroyed everywhere.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from saphan_schemas.errors import SaphanError

from saphan_broker.retention.armed import Armed
from saphan_broker.retention.rule import RULE
from saphan_broker.state import State
from saphan_broker.witnessed import WitnessedTime

BEHIND: Final = "seed_not_moved"
KEPT: Final = "seed_kept"


class Told(NamedTuple):
    """What one process tells the others: first day with a key, time acted on (ms), and the digest
    of the rule that is armed there: another program's is another rule."""

    seed: int
    acted: int
    armed: bytes | None


class Progress:
    """Owned by the event loop."""

    def __init__(self, state: State, armed: Armed, witnessed: WitnessedTime) -> None:
        self._state = state
        self._armed = armed
        self._witnessed = witnessed
        self._hearing = False

    @property
    def witnessed_ms(self) -> int:
        """Witnessed time, ms; 0 before any cosignature since the start."""
        return self._witnessed.now

    async def advance(self, day: int) -> None:
        """Destroy the keys of all days before `day` of which nothing is left.

        What keeps a key for longer than a day is an alarm, `seed_kept`.

        Raises:
            OperatorError: `key_file_*`, and what the store raises.
        """
        first = await self._state.store.first_undestroyed()
        await self._move(day if first is None else min(day, first))
        kept = day - self._state.keys.day
        if kept > 1:
            self._state.alarms.sound(
                KEPT, f"keys of {kept} past days still exist: something under the oldest is left"
            )
        else:
            self._state.alarms.clear(KEPT)

    async def acted(self, now: int) -> None:
        """The guard has let witnessed time `now` (ms) through, and it was acted on.

        Raises:
            OperatorError: `key_file_*`.
        """
        await asyncio.to_thread(self._armed.act, now)

    def tell(self) -> Told:
        """What the others should know."""
        armed = RULE.digest if self._armed.armed else None
        return Told(self._state.keys.day, self._armed.acted, armed)

    async def hear(self, told: Told) -> None:
        """Another process of this broker has come so far: so has this one.

        Until it is done here the alarm `seed_not_moved` says that this host still has old keys;
        each beat of the other one tries again.
        """
        if self._hearing:
            return
        self._hearing = True
        try:
            await self._follow(told)
        except SaphanError as error:
            self._state.alarms.sound(BEHIND, f"keys of destroyed days are still here: {error}")
        else:
            self._state.alarms.clear(BEHIND)
        finally:
            self._hearing = False

    async def _follow(self, told: Told) -> None:
        await self._move(told.seed)
        armed = told.armed == RULE.digest
        if told.acted > self._armed.acted or (armed and not self._armed.armed):
            await asyncio.to_thread(self._armed.act, told.acted, armed=armed)

    async def _move(self, day: int) -> None:
        if day > self._state.keys.day:
            await asyncio.to_thread(self._state.keys.advance, day)
