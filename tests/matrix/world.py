"""A whole bridge whose parties stop, and start again, one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from saphan.audit.records import export_records
from saphan.node.service import NodeService
from saphan_broker.app import make_app, serving
from saphan_broker.broker import open_broker
from saphan_broker.init import init
from saphan_broker.opening import SQLITE, StoreChoice
from saphan_protocol.pins import format_pins
from support.bridge import KH, LA, Bridge, agreed, eventually, opened
from support.broker_command import saphan_broker
from support.desks import ready_bridge
from support.oracle import Exported, Finding, Ledger, judge
from support.servers import Server

from matrix.effects import Effects, quiet
from matrix.seams import BROKER
from matrix.watching import CaseSystems

PATIENCE_S = 40.0
LOOK_S = 0.02


class World:
    """One bridge, its parties, what was promised.

    Args:
        bridge: enrolled and agreed; nothing of it runs.
        choice: where the broker's store lies.
    """

    def __init__(self, bridge: Bridge, effects: Effects, choice: StoreChoice) -> None:
        self.bridge = bridge
        self.effects = effects
        effects.heads.clear()  # of another bridge, which was made in this process before
        self.nodes: dict[str, NodeService] = {}
        self.ledger = Ledger(bridge.place / "promised.jsonl")
        self._systems = CaseSystems(self.ledger, (LA, KH))
        self._watching: asyncio.Task[None] | None = None
        self.exports = 0
        self.orders = 0
        """Hold orders of KH so far."""
        self.back = asyncio.Event()
        """Nobody is being started anew."""
        self.back.set()
        self._choice = choice
        self._port = 0
        self._stacks: dict[str, AsyncExitStack] = {}

    @property
    def la(self) -> NodeService:
        return self.nodes[LA]

    @property
    def kh(self) -> NodeService:
        return self.nodes[KH]

    @property
    def running(self) -> set[str]:
        """Parties that run."""
        return set(self._stacks)

    def pass_time(self, ms: int) -> None:
        """For everybody."""
        self.bridge.clock.ahead += ms
        self.bridge.node_clock.ahead += ms

    async def start(self, whose: str) -> None:
        """Start a party from what is on its disk."""
        stack = AsyncExitStack()
        if whose == BROKER:
            await stack.enter_async_context(self._broker())
        else:
            self.nodes[whose] = await stack.enter_async_context(self.bridge.node(whose))
        self._stacks[whose] = stack

    async def stop(self, whose: str) -> None:
        """Stop it; after a crash nothing of how it ends reaches disk or wire."""
        await self._stacks.pop(whose).aclose()
        self.effects.revive(whose)

    async def restart(self, whose: str) -> None:
        """Start a party anew that has crashed."""
        self.back.clear()
        if whose in self._stacks:
            await self.stop(whose)
        self.effects.revive(whose)
        await self.start(whose)
        self.back.set()

    async def up(self) -> None:
        """Wait until nobody is dead, or being started anew: a dead program answers nobody."""
        await self.until(lambda: not self.effects.dead and self.back.is_set())

    async def start_missing(self) -> None:
        """Whoever does not run."""
        for whose in (BROKER, LA, KH):
            if whose not in self._stacks:
                await self.start(whose)

    async def start_all(self) -> None:
        for whose in (BROKER, LA, KH):
            await self.start(whose)
        for node in (self.la, self.kh):
            await opened(node)
            await agreed(node)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[World]:
        """Case systems look into their nodes all the time; in the end everybody is stopped."""
        self._watching = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            self._watching.cancel()
            await self.stop_all()

    async def _watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(LOOK_S)

    def _look(self) -> None:
        """A node that has crashed answers nobody."""
        for whose in self.running - {BROKER} - self.effects.dead:
            self._systems.look(self.nodes[whose])

    async def stop_all(self) -> None:
        for whose in (KH, LA, BROKER):
            if whose in self._stacks:
                await self.stop(whose)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for it, through whatever errors looking meets meanwhile."""
        await eventually(done, PATIENCE_S)

    async def settled(self) -> None:
        """Whoever runs has its line, the broker takes bulletins, and nobody has anything to do."""
        for whose in self.running - {BROKER}:
            await opened(self.nodes[whose])
        await self.until(lambda: self.bridge.broker.ready().ready)
        await quiet(self.effects)

    @asynccontextmanager
    async def _broker(self) -> AsyncIterator[None]:
        bridge = self.bridge
        data, keys = bridge.place / "data", bridge.place / "keys"
        broker = await open_broker(data, keys, store=self._choice, clock=bridge.clock)
        try:
            await broker.start()
            async with serving(make_app(broker), "127.0.0.1", self._port) as (host, port):
                self._port, bridge.url = port, f"http://{host}:{port}"
                bridge._broker = broker
                yield
        finally:
            await broker.stop()

    # --- the judgement ----------------------------------------------------------------------------

    async def judged(self) -> list[Finding]:
        """Export logs and packs, beside the running parties, and ask the oracle."""
        await self.start_missing()
        await self.settled()
        self.exports += 1
        place = self.bridge.place / f"exported-{self.exports}"
        place.mkdir()
        assert self._watching is not None
        assert not self._watching.done(), self._watching
        self._look()
        return await asyncio.to_thread(self._judged, place)

    def _judged(self, place: Path) -> list[Finding]:
        redis = () if self._choice.redis is None else ("--redis", self._choice.redis.url)
        data = ("--data", self.bridge.place / "data")
        saphan_broker("log", "export", *data, *redis, "--out", place / "logs")
        packs = []
        for agency in (LA, KH):
            packs.append(place / f"{agency}.pack")
            store = self.bridge.place / agency / "node" / "data" / "node.db"
            export_records(store, packs[-1], agency, self.bridge.pins, self.bridge.clock())
        heads = [*self.effects.heads, *_signed_last(self.bridge.place)]
        exported = Exported(self.bridge.pins, [place / "logs"], packs, heads)
        return judge([self.bridge.place / "promised.jsonl"], exported, answered=True)


def _signed_last(place: Path) -> list[bytes]:
    """Heads in the state files of both witnesses."""
    files = [place / agency / "node" / "data" / "witness.json" for agency in (LA, KH)]
    states = [json.loads(file.read_bytes()) for file in files if file.exists()]
    return [log["note"].encode() for state in states for log in state["logs"].values()]


@asynccontextmanager
async def on_sqlite(effects: Effects) -> AsyncIterator[World]:
    """Everything runs, the broker on SQLite."""
    async with ready_bridge() as bridge:
        world = World(bridge, effects, SQLITE)
        async with world.watched():
            await world.start_all()
            yield world


@asynccontextmanager
async def on_valkey(effects: Effects, place: Path) -> AsyncIterator[World]:
    """Everything runs, the broker on a Valkey of its own."""
    with Server(place / "server") as server:
        await asyncio.to_thread(server.start)
        choice = StoreChoice(redis=server.address())
        bridge = Carried(place, choice)
        await asyncio.to_thread(bridge.prepare)
        world = World(bridge, effects, choice)
        try:
            async with world.watched():
                await world.start(BROKER)
                await bridge.enrol()
                for agency in (LA, KH):
                    await world.start(agency)
                    await agreed(world.nodes[agency])
                yield world
        finally:
            await asyncio.to_thread(bridge.remove)


class Carried(Bridge):
    """A bridge whose broker keeps its store on a server."""

    def __init__(self, place: Path, choice: StoreChoice) -> None:
        super().__init__(place)
        self._choice = choice

    def prepare(self) -> None:
        super().prepare()
        for name in ("data", "keys"):
            (self.place / name).rename(self.place / f"{name}-unused")
        invitation, _ = init(
            self.place / "data",
            self.place / "keys",
            "bridge.example",
            store=self._choice,
            clock=self.clock,
        )
        self.pins = invitation.pins
        for office in self.offices.values():
            office.pins_file.write_bytes(format_pins(self.pins))
