"""Acts on what happens to agreements: tells senders, and hands over again what waited for `resume`.

It looks at the start, when the directory grows, when the line opens, hourly for agreements whose
last day comes; and when something happens to a bulletin that is on its way under a stopped one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import HOUR_MS

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.events import DIRECTORY, Event, Events, Listener
from saphan.node.recovery import Recovery
from saphan.node.restored import Restored
from saphan.node.trust.in_flight import InFlight
from saphan.node.wire.line import Line

log = logging.getLogger("saphan.node")
LOOK_S: Final = HOUR_MS / 1000


@dataclass(slots=True, kw_only=True)
class AgreementWatch:
    """The parts that agreements concern, looked after together."""

    agency: str
    engine: Engine
    line: Line
    in_flight: InFlight
    recovery: Recovery
    restored: Restored
    alarms: Alarms
    events: Events
    _told: frozenset[str] = field(default=frozenset(), init=False)
    _closed: frozenset[str] = field(default=frozenset(), init=False)

    async def run(self) -> None:
        """Look, for ever; what fails now is tried again at the next look."""
        with self.events.listen() as listener:
            while True:
                try:
                    await self.look()
                except SaphanError as error:
                    self.alarms.sound(error)
                except Exception:
                    log.exception("looking after agreements met a bug")
                await self._until_due(listener)

    async def look(self) -> None:
        """One look: senders are told, and what may be handed over again is.

        Raises:
            OperatorError: the disk.
        """
        if self.restored.listening:
            return  # it has not heard yet what was handed over meanwhile
        if await self.engine.in_frames(self.recovery.hand_over_late):
            self.line.wake_statements()
        found = await self.engine.in_reading(self.in_flight.found)
        self.events.publish(await self.engine.in_frames(partial(self.in_flight.look, found)))
        self._told = await self.engine.in_reading(self.in_flight.told)
        self._closed = await self.engine.in_reading(self.in_flight.closed)

    async def _until_due(self, listener: Listener) -> None:
        """An hour, or less if something has changed; other events do not begin the hour anew."""
        loop = asyncio.get_running_loop()
        due = loop.time() + LOOK_S
        while (left := due - loop.time()) > 0:
            event = await listener.next(left)
            if event is None or self._matters(event):
                break
        listener.drain()  # one look answers all that has happened before it

    def _matters(self, event: Event) -> bool:
        kind = event["type"]
        if kind == "event":
            late = event["sender"] == self.agency and event["recipient"] in self._closed
            return late or event["id"] in self._told
        opened = kind == "line" and event["state"] == "open"
        return opened or kind in (DIRECTORY, "lagged")
