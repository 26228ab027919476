"""What people may ask of retention, and do: plan, arm, list, show, extend, keep, erase, confirm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from saphan_schemas.limits import DAY_MS

from saphan.node.archive import Archive
from saphan.node.engine import Engine
from saphan.node.restored import Restored
from saphan.node.retaining.armed import Armed, Note, Standing
from saphan.node.retaining.reviews import Decision, Reviews
from saphan.node.retaining.sweeping import Sweeping
from saphan.node.retaining.views import planned, rows_of, shown
from saphan.node.retention.erasing import HeldAmong
from saphan.node.rows.db import Database
from saphan.node.wire.line import Line

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retaining:
    """Of one node; each runs in the thread that it needs. `clock` gives ms UTC."""

    engine: Engine
    line: Line
    db: Database
    archive: Archive
    armed: Armed
    reviews: Reviews
    sweeping: Sweeping
    held: HeldAmong
    restored: Restored
    clock: Callable[[], int]

    async def plan(self, days: int, by: str) -> Json:
        """What would go within so many days, how much and why; noted as seen by somebody.

        Raises:
            OperatorError: the disk.
        """
        while True:
            await self.engine.in_frames(self.sweeping.begin)
            await self.engine.in_reading(self.sweeping.reckoner.finish)
            found = await self.engine.in_reading(partial(self._plan, days, by))
            if found is not None:
                return found

    async def arm(self, by: str, rules: str | None) -> Json:
        """Let the rules act that were seen; raises as `Armed.arm`."""
        standing = await self.engine.in_reading(partial(self.armed.arm, by, rules))
        await self.engine.in_frames(self.sweeping.begin)
        return _standing(standing)

    async def confirm(self) -> Json:
        """Say that a leap of witnessed time is right, and go on.

        Raises:
            OperatorError: the disk.
        """
        leap = await self.engine.in_frames(self.sweeping.confirm)
        await self.sweeping.look()
        return {"leap_days": None if leap is None else leap // DAY_MS}

    async def listed(self, state: str | None, after: int, limit: int) -> list[Json]:
        """Bulletins by their states, in the order of their places; `seq` to go on from."""
        work = partial(rows_of, self.db, self.held, state, after, limit)
        return await self.engine.in_reading(work)

    async def shown(self, bulletin: bytes) -> Json:
        """How one bulletin stands, and who has decided what; raises InvalidInput:
        `bulletin_unknown`."""
        return await self.engine.in_reading(
            partial(shown, self.db, self.archive, self.held, bulletin)
        )

    async def decide(self, bulletin: bytes, decision: Decision) -> Json:
        """Write and do what somebody decided; how it stands then.

        Raises:
            SaphanError: what `Reviews.decide` raises; Unavailable: `catching_up`.
        """
        self.restored.require_heard()
        await self.engine.in_frames(partial(self.reviews.decide, bulletin, decision))
        self.line.wake_statements()
        return await self.shown(bulletin)

    def _plan(self, days: int, by: str) -> Json | None:
        """None: the settings have changed since the days were reckoned; those are to be seen."""
        now = self.sweeping.time.now()
        today = (self.clock() if now is None else now) // DAY_MS
        digest = self.armed.standing().digest
        if digest != self.sweeping.reckoner.reckoned():
            return None
        found = planned(self.db, self.held, today, days)
        self.armed.show(by, digest)
        return {**found, "witnessed": now, **_standing(self.armed.standing())}


def _standing(standing: Standing) -> Json:
    return {
        "rules": standing.digest,
        "acts": standing.acts,
        "shown": _note(standing.shown),
        "armed": _note(standing.armed),
    }


def _note(note: Note | None) -> Json | None:
    return None if note is None else {"rules": note.digest, "by": note.by, "time": note.time}
