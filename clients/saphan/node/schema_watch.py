"""Fetches bundles of agencies' own types from the broker, in parts; then judges what waited.

What has come stays in memory when the line breaks, and is gone on with in the next session. A
bundle that differs from its registered digest is thrown away and asked for again an hour later, or
when the line opens: nobody else is made to wait for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from saphan_protocol.registrations import Registered
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import KIB, LIMITS

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.events import DIRECTORY, Event, Events
from saphan.node.looking import keep_looking
from saphan.node.own_schemas import OwnSchemas
from saphan.node.recovery import Recovery
from saphan.node.restored import Restored
from saphan.node.wire.line import Line

MISSING: Final = "schema_missing"
FIRST_PIECE: Final = 8 * KIB
"""Asked for at first: a second at 64 kbit/s."""
QUICK_S: Final = 1.0
"""A piece that came so soon is followed by one of twice its size."""


@dataclass(slots=True)
class SchemaWatch:
    """One node's looks at what it lacks."""

    own: OwnSchemas
    engine: Engine
    line: Line
    recovery: Recovery
    restored: Restored
    alarms: Alarms
    events: Events
    _part: tuple[bytes, bytearray] | None = field(default=None, init=False)
    """Digest and beginning of what is on its way: one bundle at most."""
    _piece: int = field(default=FIRST_PIECE, init=False)
    _asked: int = field(default=0, init=False)

    async def run(self) -> None:
        """Look, for ever; what fails now is tried again at the next look."""
        await keep_looking(self.look, self._matters, self.events, self.alarms, "schemas")

    async def look(self) -> None:
        """One look: what this agency may need is fetched, and what waited for it is judged.

        Raises:
            OperatorError: the disk.
        """
        await self.engine.in_reading(self.own.look_foreign)
        if self.restored.listening or not self.line.is_open():
            return
        came, all_given = False, True
        for registered in await self.engine.in_reading(self.own.wanted):
            try:
                given = await self._fetch(registered)
            except Unavailable:
                all_given = False
                break  # the line opens again, and this is looked at again
            came, all_given = came or given is True, all_given and given is not None
        if all_given:
            self.alarms.clear(MISSING)
        if came:
            await self.came()

    async def came(self) -> None:
        """A type is here that was not, from the broker or by hand: judge what waited for it.

        Raises:
            OperatorError: the disk.
        """
        if not await self.engine.in_reading(self.own.wanted):
            self.alarms.clear(MISSING)
        await self.engine.in_reading(self.own.look_foreign)
        self.events.publish([{"type": "schemas"}])
        if self.restored.listening:
            return  # it has not heard yet what it has answered before
        if await self.engine.in_frames(self.recovery.judge_waiting):
            self.line.wake_statements()

    async def _fetch(self, registered: Registered) -> bool | None:
        """Whether it is here now; None: the broker does not give it.

        Raises:
            Unavailable: the line; OperatorError: the disk.
        """
        record = registered.record
        if self._part is None or self._part[0] != record.digest:
            self._part = (record.digest, bytearray())
        data = self._part[1]
        while len(data) <= LIMITS.schema_bytes:
            piece = await self._ask(record.name, len(data))
            if piece is None:
                return None
            data += piece
            if len(piece) < self._asked:
                break
        self._part = None
        return await self.engine.in_reading(partial(self.own.take, registered, bytes(data)))

    async def _ask(self, name: str, offset: int) -> bytes | None:
        """The next bytes; None: the broker does not have them."""
        loop = asyncio.get_running_loop()
        begin, self._asked = loop.time(), self._piece
        answer = await self.line.asking().schema(name, offset, self._piece)
        quick = loop.time() - begin < QUICK_S
        self._piece = min(LIMITS.part_bytes, 2 * self._piece) if quick else FIRST_PIECE
        if answer.data is None:
            self.alarms.sound(
                OperatorError(
                    MISSING,
                    f"the broker does not give the schema {name} ({answer.code})",
                    hint="tell the broker's operator; or get the file that its agency's roots have "
                    "signed, then: saphan keys submit FILE",
                )
            )
            return None
        return answer.data

    def _matters(self, event: Event) -> bool:
        opened = event["type"] == "line" and event["state"] == "open"
        return opened or event["type"] in (DIRECTORY, "lagged")
