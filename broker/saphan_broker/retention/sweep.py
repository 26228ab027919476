"""The duty that destroys what is due: a little at a time, so that what arrives hardly waits.

Order of effects for a batch (schemas/spec/retention.md, D1 to D5): one commit with the `destroyed`
entries that also takes stanzas and bodies away; its signed head; files of attachments; and once
nothing of a day is left, the day's key. What a crash means: whatever the commit holds has happened,
the rest is found and done by the next look, by the same function as always.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import DAY_MS, HOUR_MS, LIMITS

from saphan_broker.retention.guard import Guard
from saphan_broker.retention.pace import Pace
from saphan_broker.retention.progress import Progress
from saphan_broker.retention.wrapping import wrap_anew
from saphan_broker.sequencing.work import Destruction, Rejected, Submit, Work
from saphan_broker.state import DEAD, State
from saphan_broker.store.base import BulletinFacts, DeliveryRow

_log = logging.getLogger("saphan.broker")

FAILS: Final = "retention_waits"
LATE: Final = "retention_late"
TRACES: Final = "retention_traces"
LOOK_SECONDS: Final = 1.0
ITEM: Final = LIMITS.retention_items
AHEAD: Final = 4 * LIMITS.retention_batch
"""Deliveries that one look into the store finds."""
FORGET_ROWS: Final = 256
"""Old entries removed in one write."""
PAUSE_SECONDS: Final = 0.02
"""Between two writes of what is no commit: others' come first."""


class Parts(NamedTuple):
    """Of the sequencing: where items are handed in, and destroyed bulletins with attachments."""

    submit: Submit
    emptied: list[BulletinFacts]


class _Batch(NamedTuple):
    """Items of one batch, and when they were handed in, on the event loop's clock."""

    works: list[Work]
    begun: float


class RetentionSweep:
    """A duty of the process that sequences; owned by the event loop."""

    def __init__(self, state: State, parts: Parts, guard: Guard, progress: Progress) -> None:
        self._state = state
        self._submit = parts.submit
        self._emptied = parts.emptied
        self._guard = guard
        self._progress = progress
        self._pace = Pace(state.counters)
        self._refused: list[SaphanError] = []
        """Why some of what a look has found stays as it is."""
        self._cleansed = -1  # after a start nobody knows what was removed before
        self._clean_ms = 0
        """Witnessed time at which no trace of anything was left, or the first one seen."""
        self.lag_ms = 0
        """How long the earliest bulletin that may be destroyed has been due, on witnessed time."""

    async def run(self) -> None:
        """Look again and again until cancelled; a failing look is tried again."""
        try:
            while True:
                await self._try()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._guard.quiet()  # from here on it is for another process to say
            for code in (FAILS, LATE, TRACES):
                self._state.alarms.clear(code)

    async def _try(self) -> None:
        try:
            await self.look()
        except Unavailable as error:  # a full queue, a lost lease: the next look goes on
            _log.info("what is due waits: %s", error)
        except SaphanError as error:
            self._state.alarms.sound(FAILS, f"what is due is not destroyed now: {error}")
        except Exception:  # a bug; the next look must still come
            _log.exception("a look at what is due has failed")
        else:
            self._state.alarms.clear(FAILS)

    async def look(self) -> None:
        """Destroy what is due, wrap anew what is held, forget old records, move the seed.

        What cannot be read or removed stays as it is, and keeps nothing else from its end.

        Raises:
            SaphanError: what the store, the sequencer and the seed's file raise; at last, why
                something stayed.
        """
        self._refused.clear()
        await self._each(self._look)
        if self._refused:
            raise min(self._refused, key=_rank)

    async def _look(self) -> None:
        await self._remove_files()  # what a failed look has left
        if self._guard.leaps() and not (await self._state.store.counts()).bulletins:
            await self._progress.acted(self._progress.witnessed_ms)  # nothing to lose yet
        await self._each(self._destroy_due)
        # Witnessed time goes on, and may leap, while these wait: they take what was judged here.
        day, now = self._guard.day(), self._progress.witnessed_ms
        if day is None:
            return
        for work in (self._wrap_anew, self._forget, self._cleanse):
            await self._each(partial(work, day))
        # Whatever has failed is in the store, which says how far the seed may go.
        await self._progress.advance(day)
        await self._progress.acted(now)

    async def _each(self, work: Callable[[], Awaitable[None]]) -> None:
        """One part of a look; what stops it is said at the end, and stops no other part."""
        try:
            await work()
        except SaphanError as error:
            self._refused.append(error)

    async def _destroy_due(self) -> None:
        while (day := self._guard.day()) is not None:
            rows = await self._state.store.destroyable(day, AHEAD)
            self._note(rows)
            if not rows or not await self._destroy(rows, day):
                break

    async def _wrap_anew(self, day: int) -> None:
        self._refused += await wrap_anew(self._state, self._submit, day)

    def _note(self, rows: Sequence[DeliveryRow]) -> None:
        now = self._progress.witnessed_ms
        self.lag_ms = max(0, now - rows[0].due_day * DAY_MS) if rows else 0
        if self.lag_ms > DAY_MS:
            late = f"what was due {self.lag_ms // DAY_MS} days ago is not destroyed yet"
            self._state.alarms.sound(LATE, f"{late}: see what else alarms, and the disk's load")
        else:
            self._state.alarms.clear(LATE)

    async def _destroy(self, rows: Sequence[DeliveryRow], day: int) -> int:
        """Log and remove in batches; gives how many.

        While nobody else sends anything, one batch waits in the queue while another is written.
        """
        under_way: deque[_Batch] = deque()
        at = destroyed = 0
        while at < len(rows) or under_way:
            if at < len(rows):
                batch = rows[at : at + self._pace.batch]
                at += len(batch)
                under_way.append(self._hand_in(await self._doom(batch), day))
            if len(under_way) > self._pace.alone or at == len(rows):
                destroyed += await self._done(under_way.popleft())
        return destroyed

    def _hand_in(self, batch: Sequence[DeliveryRow], day: int) -> _Batch:
        items = [tuple(batch[at : at + ITEM]) for at in range(0, len(batch), ITEM)]
        works = [self._submit(Destruction(rows, day)) for rows in items]
        return _Batch(works, asyncio.get_running_loop().time())

    async def _done(self, batch: _Batch) -> int:
        """A batch is under a signed head: what lies in files goes, too."""
        outcomes = await asyncio.gather(*(work.outcome for work in batch.works))
        count = sum(len(one.indices) for one in outcomes)
        self._refused += [one.error for one in outcomes if isinstance(one, Rejected)][:1]
        self._pace.took(asyncio.get_running_loop().time() - batch.begun, len(batch.works))
        self._state.counters.destroyed += count
        # A crash here leaves files that nobody can open; their markers lead a sweep to them.
        await self._remove_files()
        return count

    async def _doom(self, rows: Sequence[DeliveryRow]) -> list[DeliveryRow]:
        """Mark attachments first: a crash after the commit must not leave them unknown.

        Returns:
            Those rows whose attachments are marked, and all that have none.
        """
        found = await self._state.store.bulletins({row.bulletin for row in rows})
        unmarked = {facts.id: facts.sender for facts in found.values() if facts.attachments}
        for bulletin, sender in tuple(unmarked.items()):
            try:
                await self._state.blobs.doom(sender, bulletin)
                del unmarked[bulletin]
            except SaphanError as error:
                self._refused.append(error)
                if isinstance(error, Unavailable):
                    break  # a service that is away is not asked for each of them
        return [row for row in rows if row.bulletin not in unmarked]

    async def _remove_files(self) -> None:
        """One that stays is tried again with the next ones, and keeps none of them."""
        for _ in range(len(self._emptied)):
            facts = self._emptied.pop(0)
            try:
                await self._state.blobs.destroy(facts.sender, facts.id, facts.attachments)
            except SaphanError as error:
                self._emptied.append(facts)
                self._refused.append(error)
                return

    async def _forget(self, day: int) -> None:
        """Records, headers and salts whose own, longer life is over."""
        while gone := await self._state.store.forget(day, FORGET_ROWS):
            self._state.counters.forgotten += gone
            await asyncio.sleep(PAUSE_SECONDS)

    async def _cleanse(self, _day: int) -> None:
        """Let the store clean its own files of what was removed; what waits is tried again."""
        counters = self._state.counters
        removed = counters.destroyed + counters.rewrapped + counters.forgotten
        now = self._progress.witnessed_ms
        if removed == self._cleansed or await self._state.store.cleanse():
            self._cleansed, self._clean_ms = removed, now
            self._state.alarms.clear(TRACES)
            return
        self._clean_ms = self._clean_ms or now
        if now - self._clean_ms > HOUR_MS:
            hours = (now - self._clean_ms) // HOUR_MS
            text = f"for {hours} h traces of what was destroyed are left in the store's files"
            self._state.alarms.sound(TRACES, f"{text}: end what reads it for so long, or make room")


def _rank(error: SaphanError) -> int:
    """Of several the operator is told of the first that is neither waiting nor, last of all, of a
    store that the sequencer opens anew."""
    return 2 if error.code in DEAD else int(isinstance(error, Unavailable))
