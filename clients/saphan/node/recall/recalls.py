"""Recalls of one node, both ways: looked after at the start, at what the log says, every hour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from saphan_schemas.records import Event as Said

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.events import Event, Events
from saphan.node.holding.watch import HOLDS
from saphan.node.looking import keep_looking
from saphan.node.recall.alarming import SILENT, UNLOGGED, silent, unlogged
from saphan.node.recall.answering import Answering
from saphan.node.recall.ordering import Ordering
from saphan.node.rows.db import Database
from saphan.node.rows.places import cursor_of, stored_at
from saphan.node.rows.recalled import listed, recalled_here
from saphan.node.wire.line import Line

Json = dict[str, Any]
RECALL: Final = "recall"
"""Type of the event that a recall was ordered or answered here."""
ASKS: Final = "recalls"
"""Type of the event by which the node asks itself for another look."""
_OVERDUE: Final = (("silent", SILENT, silent), ("sending", UNLOGGED, unlogged))
_HEARD: Final = frozenset(one.value for one in (Said.RECALLED, Said.OBEYED, Said.DECLINED))


@dataclass(slots=True)
class Recalls:
    """Of one node; `run` and what is async on the event loop, `show` and `received` block.

    Args:
        forget: takes away what was kept of recalls and is over; in the frames' thread.
    """

    engine: Engine
    line: Line
    ordering: Ordering
    answering: Answering
    alarms: Alarms
    events: Events
    db: Database
    forget: Callable[[], None]
    _open: frozenset[str] = field(default=frozenset())
    _timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Look, for ever; what fails now is tried again at the next look."""
        await keep_looking(self.look, self._matters, self.events, self.alarms, "recalls")

    async def look(self) -> None:
        """Say what is to be said, answer what needs no person, name who is silent.

        Raises:
            OperatorError: the disk.
        """
        await self.engine.in_frames(self.forget)
        said = await self.engine.in_frames(self.ordering.look)
        looked = await self.engine.in_frames(self.answering.look)
        overdue, self._open = await self.engine.in_reading(self._watched)
        for state, code, alarm in _OVERDUE:
            if found := [one for one in overdue if one[1].state == state]:
                self.alarms.sound(alarm(found))
            else:
                self.alarms.clear(code)
        if said or looked.said:
            self.line.wake_statements()
        if looked.again_s is not None:
            self._ask_again(looked.again_s)

    async def order(self, bulletin: bytes, code: str, caller: str) -> Json:
        """Take one of our own back; raises what `Ordering.order` raises."""
        work = partial(self.ordering.order, bulletin, code, caller)
        self.line.send_again(await self.engine.in_frames(work))
        self._open |= {bulletin.hex()}
        self._told(bulletin)
        return await self.engine.in_reading(partial(self.show, bulletin))

    async def answer(self, bulletin: bytes, declined: str | None, caller: str) -> Json:
        """Answer for one received; raises what `Answering.answer` raises."""
        work = partial(self.answering.answer, bulletin, declined, caller)
        await self.engine.in_frames(work)
        self._told(bulletin)
        return await self.engine.in_reading(partial(self.show, bulletin))

    def show(self, bulletin: bytes) -> Json:
        """How a recall stands: of our own bulletin the table, of a received one our answer.

        Raises:
            InvalidInput: `bulletin_unknown`.
        """
        found, here = self.ordering.table(bulletin), recalled_here(self.db, bulletin)
        if here is not None:
            found |= {"code": here.code, "time": here.time}
        return found | {"here": None if here is None else here.json()}

    def received(self, after: int, limit: int) -> Json:
        """Recalls by others, in the log's order; `next` is the place to go on from."""
        rows = listed(self.db, stored_at(after), limit)
        return {
            "recalls": [one.json() for one in rows],
            "next": cursor_of(rows[-1].index) if rows else after,
            "more": len(rows) == limit,
        }

    # --- inside -----------------------------------------------------------------------------------

    def _ask_again(self, seconds: float) -> None:
        """One timer, however often it is looked."""
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self.events.publish, [{"type": ASKS}])

    def _told(self, bulletin: bytes) -> None:
        self.line.wake_statements()
        self.events.publish([{"type": RECALL, "id": bulletin.hex()}])

    def _watched(self) -> tuple[list[Any], frozenset[str]]:
        rows = self.db.rows("SELECT bulletin FROM recall_orders WHERE open = 1")
        return self.ordering.overdue(), frozenset(bulletin.hex() for (bulletin,) in rows)

    def _matters(self, event: Event) -> bool:
        match event["type"]:
            case "event":
                return event["event"] in _HEARD or event["id"] in self._open
            case "line":
                return bool(event["state"] == "open")
            case kind:
                return kind in ("settings", "lagged", HOLDS, ASKS)
