"""One session's part in a succession: it tells what is known, follows, brings what is lacking."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import aiohttp
from saphan_schemas.frames import Challenge
from saphan_schemas.succession_frames import AskReport, Report

from saphan.node.engine import Engine
from saphan.node.login import asked_succession, follows
from saphan.node.succession.adopting import Adopting
from saphan.node.succession.bringing import Bringing
from saphan.node.succession.reporting import report
from saphan.node.wire.asking import Asking
from saphan.node.witness import Witness

NOTHING: Final[dict[str, bytes | None]] = {"operation": None, "agreement": None, "order": None}

log = logging.getLogger("saphan.node")


class Succeeding:
    """Of one session; `send` writes one frame.

    Attributes:
        brought: set once the broker has what this node holds of agreements and schemas: without
            the text of its agreement a bulletin would be refused for good.
    """

    def __init__(
        self,
        engine: Engine,
        witness: Witness,
        adopting: Adopting,
        bringing: Bringing,
        asking: Asking,
        send: Callable[[object], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._witness = witness
        self._adopting = adopting
        self._bringing = bringing
        self._asking = asking
        self._send = send
        self._welcome = asyncio.Event()
        self.brought = asyncio.Event()

    async def follow(self, ws: aiohttp.ClientWebSocketResponse, challenge: Challenge) -> None:
        """Before the login: adopt the log that the broker keeps now; then see what it lacks.

        Raises:
            SaphanError: what `asked_succession` and `Adopting.adopt` raise.
        """
        if follows(challenge, self._engine.logs.pins):
            found = await asked_succession(ws)
            await self._engine.in_frames(partial(self._adopting.adopt, found.steps))
        if not await self._engine.in_reading(self._bringing.wanted):
            self.brought.set()

    def welcomed(self) -> None:
        """The broker answers what it is asked from here on."""
        self._welcome.set()

    async def report(self, asked: AskReport) -> None:
        """The broker has lost its log: tell what is known of it here."""
        engine, logs = self._engine, self._engine.logs
        heads = logs.directory_heads, logs.evidence_heads
        told = report(engine.db, *heads, self._witness, asked.start)
        frame: Report | None
        while (frame := await engine.in_frames(partial(next, told, None))) is not None:
            await self._send(frame)

    async def run(self) -> None:
        """Bring everything, if it is to be brought; ends once the broker has answered all of it.

        What it refuses is brought again in the next session.

        Raises:
            Unavailable: the line; OperatorError: the disk.
        """
        if self.brought.is_set():
            return
        await self._welcome.wait()
        packages = await self._engine.in_frames(lambda: list(self._bringing.packages()))
        refused = False
        for kind, package in packages:
            while True:
                result = await self._asking.register(**(NOTHING | {kind: package}))
                if not (result.code and result.retry_after_ms):
                    break
                await asyncio.sleep(result.retry_after_ms / 1000)
            if result.code is not None:
                log.warning("the broker does not take %s again: %s", kind, result.message)
                refused = True
        if not refused:
            await self._engine.in_frames(self._bringing.brought)
        self.brought.set()
