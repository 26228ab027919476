"""Deadlines: what time alone says, judged on witnessed time only (design 4.6, bytes.md, Time)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import DAY_MS, LIMITS, SECOND_MS

from saphan_broker.clock import day_of
from saphan_broker.sequencing.work import Expiry, NewHead, Submit
from saphan_broker.state import State
from saphan_broker.store.base import DeliveryRow
from saphan_broker.witnessed import WitnessedTime

_log = logging.getLogger("saphan.broker")

ALARM = "time_unwitnessed"
LOOK_SECONDS = 1.0
DUE_AT_ONCE = 256
PARTIES = 16
"""Of what waits to be destroyed: so many deliveries' parties are asked for the time, then all."""
RESIGN_MS = 10 * SECOND_MS
"""While something is due that no witness has seen the time of: ask them with a fresh head. Each
time that nobody has answered the pause doubles, to `LIMITS.head_quiet_ms`: an ask costs everybody
who listens 4 KB, and who comes anew is shown a fresh head anyway."""
UNWITNESSED_MS = 10 * LIMITS.skew_ms
"""A deadline passed so long ago without a witness is an alarm; bulletins stay deliverable."""


class Sweep:
    """Logs `unanswered` and `expired` when their time has come; keeps an idle log's head fresh."""

    def __init__(self, state: State, submit: Submit, witnessed: WitnessedTime) -> None:
        self._state = state
        self._submit = submit
        self._witnessed = witnessed
        self._asked = (0, 0)
        """When witnesses were asked last, and the witnessed time then: unmoved, the next ask is to
        everyone."""
        self._pause = RESIGN_MS

    async def run(self) -> None:
        """Look again and again until cancelled; a failing look is tried again."""
        try:
            await self._run()
        finally:
            self._state.alarms.clear(ALARM)  # from here on it is for another process to say

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except SaphanError as error:
                _log.warning("deadlines wait: %s", error)
            except Exception:  # a bug, or a read error of the disk: without this task time stands
                _log.exception("a look at the deadlines failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """One look at the deadlines and at the age of the heads."""
        now, witnessed = self._state.clock(), self._witnessed.now
        while True:
            begun = asyncio.get_running_loop().time()
            due = await self._state.store.due(now, DUE_AT_ONCE)
            ready = [row for row in due if row.deadline is not None and row.deadline <= witnessed]
            if not await self._log(ready, witnessed) or len(ready) < DUE_AT_ONCE:
                break
            # Many end on one day, and are destroyed after this: no pause but as much for others.
            await asyncio.sleep(asyncio.get_running_loop().time() - begun)
        waiting = due[len(ready) :]
        if day_of(now) > day_of(witnessed):  # bulletins are destroyed at the day's first instant
            waiting += await self._state.store.destroyable(day_of(now), PARTIES)
        await self._freshen(now, waiting)
        self._warn(now, waiting)

    async def _log(self, ready: Sequence[DeliveryRow], witnessed: int) -> int:
        """Hand in what time says of these, and wait for it; gives of how many it is logged."""
        works = [
            self._submit(Expiry(row.bulletin, row.sender, row.recipient, witnessed))
            for row in ready
        ]
        outcomes = [await work.outcome for work in works]
        return sum(len(one.indices) for one in outcomes)

    async def _freshen(self, now: int, waiting: Sequence[DeliveryRow]) -> None:
        """Sign anew: at least hourly, and while a deadline waits for a witness.

        Only while a session is open: without one nobody vouches for this clock, and nobody looks.
        """
        published = self._state.evidence.published
        if published is None or not self._state.listeners.anybody():
            return
        if self._moved:
            self._pause = RESIGN_MS
        ask = bool(waiting) and abs(now - self._asked[0]) >= self._pause
        if ask or now - published.time * SECOND_MS >= LIMITS.head_idle_ms:
            await self._submit(NewHead()).outcome
        if ask:
            self._ask(now, waiting)

    @property
    def _moved(self) -> bool:
        """Whether a witness has vouched for a later time since it was asked."""
        return self._witnessed.now > self._asked[1]

    def _ask(self, now: int, waiting: Sequence[DeliveryRow]) -> None:
        """Show the fresh head to the parties' witnesses; to everybody's if that did not help."""
        listeners, moved = self._state.listeners, self._moved
        self._pause = RESIGN_MS if moved else min(2 * self._pause, LIMITS.head_quiet_ms)
        self._asked = (now, self._witnessed.now)
        parties = {name for row in waiting for name in (row.sender, row.recipient)}
        if not (moved and listeners.ask(parties, now)):
            listeners.ask_everyone(now)

    def _warn(self, now: int, unwitnessed: Sequence[DeliveryRow]) -> None:
        first = min((_since(row) for row in unwitnessed), default=now)
        if now - first > UNWITNESSED_MS:
            self._state.alarms.sound(
                ALARM,
                f"{len(unwitnessed)} deliveries are due, but no witness has cosigned the time",
            )
        else:
            self._state.alarms.clear(ALARM)


def _since(row: DeliveryRow) -> int:
    """When time was to act on it, ms: by its deadline, or after its outcome by its due-day."""
    return row.due_day * DAY_MS if row.deadline is None else row.deadline


def freshen(state: State, submit: Submit) -> None:
    """A session has opened: an idle log shows it a fresh head (bytes.md, Signer)."""
    published = state.evidence.published
    now = state.clock()
    if published is None or state.evidence.unsigned or now - published.time * SECOND_MS > SECOND_MS:
        try:
            submit(NewHead())
        except Unavailable:
            _log.info("no fresh head for a new session: the queue is full or closing")
