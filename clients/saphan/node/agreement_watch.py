"""Acts on what happens to agreements: tells senders, and hands over again what waited for `resume`.

It looks at the start, when the directory grows, when the line opens, hourly for agreements whose
last day comes; and when something happens to a bulletin that is on its way under a stopped one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.events import DIRECTORY, Event, Events
from saphan.node.looking import keep_looking
from saphan.node.recovery import Recovery
from saphan.node.restored import Restored
from saphan.node.trust.in_flight import InFlight
from saphan.node.wire.line import Line


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
        await keep_looking(self.look, self._matters, self.events, self.alarms, "agreements")

    async def look(self) -> None:
        """One look: senders are told, and what may be handed over again is.

        Raises:
            OperatorError: the disk.
        """
        if self.restored.listening:
            return  # it has not heard yet what was handed over meanwhile
        if await self.engine.in_frames(self.recovery.hand_over_late):
            self.line.wake_statements()
        self.line.say_again(await self.engine.in_frames(self.recovery.let_go))
        found = await self.engine.in_reading(self.in_flight.found)
        self.events.publish(await self.engine.in_frames(partial(self.in_flight.look, found)))
        self._told = await self.engine.in_reading(self.in_flight.told)
        self._closed = await self.engine.in_reading(self.in_flight.closed)

    def _matters(self, event: Event) -> bool:
        kind = event["type"]
        if kind == "event":
            late = event["sender"] == self.agency and event["recipient"] in self._closed
            return late or event["id"] in self._told
        opened = kind == "line" and event["state"] == "open"
        return opened or kind in (DIRECTORY, "lagged")
