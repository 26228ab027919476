"""Processes of one broker over a server, nodes that do not give up, and what is true at the end.

Oracle: `saphan audit verify` over the exported logs and the broker's record pack; every bulletin
once; no head that anybody was ever shown has another root than the log has at that size.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.frames import Result

from support.broker_command import saphan_broker
from support.broker_process import BrokerProcess, broker_process
from support.command import saphan
from support.crews import Crew
from support.loads import Stubborn, roots

A, B = "la.ospp", "kh.gpo"
BULLETINS = 24


class House:
    """Processes of one broker, and nodes that do not give up."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.stack = AsyncExitStack()
        self.processes: list[BrokerProcess] = []
        self.told: list[Result] = []
        self.nodes: list[Stubborn] = []

    async def start(self, count: int) -> None:
        """One after the other: the first one sequences."""
        for _ in range(count):
            process = broker_process(self.crew.data, self.crew.keys, self.crew.choice.redis)
            self.processes.append(await self.stack.enter_async_context(process))

    def node(self, name: str, *at: int) -> Stubborn:
        """A node that tries these processes, in this order."""
        crew = self.crew

        def urls() -> list[str]:
            running = self.processes
            return [running[place].url for place in at if place < len(running)]

        made = Stubborn(crew.agencies[name], crew.pins, crew.clock, urls)
        self.nodes.append(made)
        return made

    async def load(self, sender: Stubborn, count: int = BULLETINS) -> None:
        """Bulletins from A to B, a few at a time."""
        slots = asyncio.Semaphore(4)

        async def one() -> None:
            async with slots:
                made = sender.agency.bulletin([B], self.crew.clock())
                (item,), batch = sender.agency.submissions([made], [self.crew.agencies[B]])
                self.told.append(await sender.bring(item, batch))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(one())

    def lease(self) -> bytes | None:
        """Who holds it, as the server has it."""
        with self.crew.server.client() as client:
            found: bytes | None = client.get(Keys("bridge.example", "evidence").lease)
            return found

    async def check(self, count: int, place: Path | None = None) -> None:
        """Everything that was answered is there once, and the oracle finds nothing.

        Args:
            place: where logs and pack are exported to; None: they are not.
        """
        assert {result.code for result in self.told} == {None}
        assert len({result.indices for result in self.told}) == len(self.told) == count
        address = self.crew.choice.named("bridge.example").redis
        assert address is not None
        store = await RedisStore.open(address)
        pins = self.crew.pins
        leaves = {
            pins.directory.origin: await store.leaves("directory", 0, 10**9),
            pins.evidence.origin: await store.leaves("evidence", 0, 10**9),
        }
        rows = await store.entries(0, len(leaves[pins.evidence.origin]))
        await store.close()
        submitted = [row.bulletin for row in rows if row.event == "submitted"]
        assert len(submitted) == len(set(submitted)) == count
        true = {origin: roots(found) for origin, found in leaves.items()}
        shown = set().union(*[node.heads for node in self.nodes])
        assert len(shown) > 2
        assert [one for one in shown if true[one[0]][one[1]] != one[2]] == []
        if place is not None:
            await self._audit(place)

    async def _audit(self, place: Path) -> None:
        crew, logs, pack = self.crew, place / "logs", place / "broker.pack"
        address = crew.choice.redis
        assert address is not None
        server = ("--redis", address.url, "--replicas", str(address.replicas))
        at = ("--data", crew.data, *server)
        keys = ("--keys", crew.keys)
        await asyncio.gather(
            asyncio.to_thread(saphan_broker, "log", "export", *at, "--out", logs),
            asyncio.to_thread(saphan_broker, "records", "export", *at, *keys, "--out", pack),
        )
        pins = crew.data / "pins.json"
        await asyncio.to_thread(saphan, "audit", "verify", logs, "--pins", pins, "--pack", pack)

    async def close(self) -> None:
        for node in self.nodes:
            await node.close()
        await self.stack.aclose()
