"""A real broker on real files and a real socket, inside the test's own event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from saphan_broker.app import make_app, serving
from saphan_broker.broker import Broker, open_broker
from saphan_broker.init import init
from saphan_broker.opening import SQLITE
from saphan_protocol.pins import Pins

from support.agency import Agency, agreement
from support.session import Line


class Clock:
    """The real time, moved by the test."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead


class World:
    """One broker, agencies that are enrolled and agreed, and their lines."""

    def __init__(self, place: Path, *names: str) -> None:
        self.place = place
        self.clock = Clock()
        self.choice = SQLITE
        """Which store it runs on; `init` makes one of SQLite."""
        self.agencies = {name: Agency(name, self.clock()) for name in names}
        self._pins: Pins | None = None
        self._broker: Broker | None = None
        self.url = ""
        self._lines: list[Line] = []

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def keys(self) -> Path:
        return self.place / "keys"

    @property
    def pins(self) -> Pins:
        assert self._pins is not None
        return self._pins

    @property
    def broker(self) -> Broker:
        assert self._broker is not None
        return self._broker

    async def init(self) -> None:
        """`saphan-broker init`."""
        invitation, _heads = await asyncio.to_thread(
            lambda: init(self.data, self.keys, "bridge.example", clock=self.clock)
        )
        self._pins = invitation.pins

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Broker]:
        """Start the broker, serve it, stop it."""
        self._broker = await open_broker(self.data, self.keys, store=self.choice, clock=self.clock)
        try:
            await self._broker.start()
            async with serving(make_app(self._broker), "127.0.0.1", 0) as (host, port):
                self.url = f"http://{host}:{port}"
                try:
                    yield self._broker
                finally:
                    for line in self._lines:
                        await line.close()
                    self._lines.clear()
        finally:
            await self._broker.stop()

    async def enrol(self) -> None:
        """The operator admits every agency; the agreement comes over the first one's session."""
        for agency in self.agencies.values():
            await self.broker.admit_operation(agency.enrolment())
        parties = list(self.agencies.values())
        line = await self.line(parties[0].name)
        package = agreement(parties, *self.pins.lasting, self.clock())
        result = await line.register(agreement=package)
        assert result.code is None, result
        await line.close()

    async def line(
        self,
        name: str,
        *,
        ack: bool = True,
        resume: Line | None = None,
        login: Mapping[str, Any] | None = None,
    ) -> Line:
        """A logged-in session of an agency; `resume` goes on where another line ended.

        Args:
            login: fields of the login that are exchanged after it was signed.
        """
        line = Line(self.agencies[name], self.pins, self.clock, ack)
        if resume is not None:
            line.heads, line.after = dict(resume.heads), resume.after
            line.leaves, line.entries = list(resume.leaves), dict(resume.entries)
        self._lines.append(line)
        await line.connect(self.url, **(login or {}))
        return line
