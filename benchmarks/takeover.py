"""How long nothing is answered when the process that sequences is killed.

Two brokers of one log on this machine, each with a data folder of its own. A sender's session at
the other one offers bulletins one after the other; then the holder of the lease is killed with
SIGKILL. What counts is the time from the kill until a bulletin that was offered after it is
accepted: the lease runs out, another process takes it, reads the store, signs and answers.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import aiohttp
from saphan.keys.keyfiles import read_node
from saphan.node.config import system_clock
from saphan_broker.cli.whole_status import whole_status
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role

from benchmarks import programs
from benchmarks.bulletin import Sealer
from benchmarks.engines import STORE, options
from benchmarks.ingest_client import LineClosed, Session, Tally
from benchmarks.valkey import Valkey, valkey
from benchmarks.world import RECIPIENT, SENDER, World

SIDES: Final = ("a", "b")
PATIENCE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.02


class Pair:
    """Two brokers of one log, each killed and started again by itself."""

    def __init__(self, world: World, server: Valkey, log: Path) -> None:
        self._world = world
        self._server = server
        self._log = log
        self._stacks: dict[str, AsyncExitStack] = {}
        self.programs: dict[str, programs.Program] = {}
        self.urls: dict[str, str] = {}

    async def __aenter__(self) -> Pair:
        return self

    async def __aexit__(self, *_: object) -> None:
        for side in [*self._stacks]:
            await self.stop(side)

    async def start(self, side: str) -> None:
        """Start one of them; it serves when this returns."""
        self._stacks[side] = AsyncExitStack()
        data = self._world.place / f"data-{side}"
        data.mkdir(mode=0o700, exist_ok=True)
        more = options(self._world, self._server)
        running = programs.broker(data, self._world.keys, self._log, *more)
        self.programs[side], self.urls[side] = await self._stacks[side].enter_async_context(running)

    def kill(self, side: str) -> float:
        """SIGKILL; gives the moment."""
        moment = time.perf_counter()
        self.programs[side].process.kill()
        return moment

    async def stop(self, side: str) -> None:
        """End one, or clear away one that was killed."""
        await self._stacks.pop(side).aclose()

    async def holder(self) -> str:
        """Which of them sequences; waits until one does."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for side in self._stacks:
                    data = self._world.place / f"data-{side}"
                    try:
                        status = await asyncio.to_thread(whole_status, data)
                    except OperatorError:  # killed, or not up yet
                        continue
                    if status["role"] == "holder":
                        return side
                await asyncio.sleep(LOOK_SECONDS)


class Offering:
    """Offers bulletins one at a time over one session, opened again when it breaks."""

    def __init__(self, world: World, url: str) -> None:
        office = world.office(SENDER)
        self._url = url
        self._key = read_node(office.key_file(Role.NODE, b""))
        self._sealer = Sealer.of(office, world.office(RECIPIENT), system_clock())
        self._stack = AsyncExitStack()
        self._session: Session | None = None
        self._request = 0

    async def __aenter__(self) -> Offering:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def accepted(self) -> float:
        """Offer a fresh bulletin again and again until it is accepted; gives that moment."""
        self._request += 1
        frame = self._sealer.frame(self._request, 1, system_clock())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    session = self._session or await self._open()
                    answer = await session.ask(frame)
                except (aiohttp.ClientError, LineClosed):
                    self._session = None
                    await self._stack.aclose()
                else:
                    if answer.results[0].code is None:
                        return time.perf_counter()
                await asyncio.sleep(LOOK_SECONDS)

    async def _open(self) -> Session:
        http = await self._stack.enter_async_context(aiohttp.ClientSession())
        ws = await self._stack.enter_async_context(
            http.ws_connect(
                f"{self._url}/v1/session", compress=0, max_msg_size=LIMITS.frame_bytes + 65_536
            )
        )
        session = Session(ws, Tally())
        await session.log_in(SENDER, self._key)
        self._session = session
        return session


async def measure(world: World, kills: int, log: Path) -> list[float]:
    """Seconds from each kill of the holder until the next bulletin is accepted elsewhere."""
    found = []
    async with valkey(world.place / STORE, log) as server, Pair(world, server, log) as pair:
        dead: set[str] = {*SIDES}
        for _ in range(kills):
            for side in dead:
                await pair.start(side)
            holder = await pair.holder()
            (other,) = {*SIDES} - {holder}
            async with Offering(world, pair.urls[other]) as offering:
                await offering.accepted()
                killed = pair.kill(holder)
                found.append(await offering.accepted() - killed)
            await pair.stop(holder)
            dead = {holder}
    return found
