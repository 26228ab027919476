"""A bridge one of whose nodes serves an officer's desk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from saphan.desk.desk import Desk
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Inbox
from saphan.desk.line import DeskLine
from saphan.desk.outbox import Outbox
from saphan.desk.syncing import sync
from saphan_broker.opening import SQLITE
from saphan_schemas.errors import Unavailable
from support.bridge import KH, LA, Bridge, states
from support.desk_letters import letter
from support.desks import ANYWHERE, DeskBridge, on_line, ready_bridge

from matrix.effects import Effects
from matrix.seams import DESK
from matrix.stories import Sent, Story, both, delivered
from matrix.world import World


class DeskWorld(World):
    """As a `World`, with a desk of kh.gpo; it is a program that runs while something is asked."""

    def __init__(self, bridge: Bridge, effects: Effects) -> None:
        super().__init__(bridge, effects, SQLITE)
        self.folder = DeskFolder(bridge.place / "unset")
        self._closed = asyncio.Event()
        self._closed.set()

    async def start(self, whose: str) -> None:
        if whose != KH:
            await super().start(whose)
            return
        stack = AsyncExitStack()
        node = self.bridge.node_with_api(KH, desks=ANYWHERE)
        self.nodes[KH] = await stack.enter_async_context(node)
        self._stacks[KH] = stack

    async def restart(self, whose: str) -> None:
        if whose != DESK:
            await super().restart(whose)
            return
        await self._closed.wait()  # nothing of a program that has crashed has any effect
        self.effects.revive(DESK)

    @asynccontextmanager
    async def at_desk(self) -> AsyncIterator[tuple[Desk, DeskLine]]:
        """The desk's program, on its line."""
        address = "{}:{}".format(*self.kh.listening["desks"])
        self._closed.clear()
        try:
            async with on_line(self.folder, self.bridge, address=address) as (desk, line):
                yield desk, line
        finally:
            self._closed.set()


@asynccontextmanager
async def with_desk(effects: Effects) -> AsyncIterator[DeskWorld]:
    """Everything runs, and a desk is enrolled."""
    async with ready_bridge() as bridge:
        world = DeskWorld(bridge, effects)
        async with world.watched():
            await world.start_all()
            world.folder = await DeskBridge(bridge, world.la, world.kh).desk()
            yield world


@dataclass
class Written:
    """An officer's letter: how many were in the outbox before, and its id once it has one."""

    before: int
    bulletin: bytes = b""


def _of(world: World) -> DeskWorld:
    assert isinstance(world, DeskWorld)
    return world


def listed(world: World, rows: list[dict[str, Any]]) -> None:
    """The officer sees them on the list for the first time."""
    for row in rows:
        world.ledger.shown(KH, "officer", row["id"])


async def blank(world: World, _number: int) -> Written:
    async with _of(world).at_desk() as (desk, _line):
        return Written(len(await asyncio.to_thread(Outbox(desk).all)))


async def sent_from_desk(world: World, written: Written) -> None:
    """Sign it, unless it lies in the outbox already; send what waits there."""
    async with _of(world).at_desk() as (desk, line):
        outbox = Outbox(desk)
        if len(await asyncio.to_thread(outbox.all)) == written.before:
            corridors = await asyncio.to_thread(Inbox(desk).corridors)
            await asyncio.to_thread(outbox.queue, letter(LA), corridors)
        listed(world, (await sync(desk, line)).new)
        last = (await asyncio.to_thread(outbox.all))[-1]
        if last.bulletin is None:
            raise Unavailable("not_sent", "it waits in the desk's outbox")
        written.bulletin = last.bulletin
        world.ledger.acknowledged(written.bulletin.hex(), KH, [LA])


def arrived(world: World, written: Written) -> bool:
    found = written.bulletin
    done = bool(found) and both(world, found, "accepted")
    return done and states(world.kh, found) == ["accepted"]


async def read_at_desk(world: World, sent: Sent) -> None:
    """The officer signs that they read it; the content is kept."""
    async with _of(world).at_desk() as (desk, line):
        inbox = Inbox(desk)
        listed(world, await inbox.pull(line))
        content = await inbox.read(line, sent.bulletin)
        await asyncio.to_thread(inbox.keep, content)


DESK_STORIES = {
    "desk sends": Story(blank, sent_from_desk, arrived),
    "desk reads": Story(
        delivered, read_at_desk, lambda world, sent: both(world, sent.bulletin, "read")
    ),
}
