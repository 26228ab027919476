"""A node is killed while it holds and lets go: each delivery is held once, and released once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from saphan.holds.hold_file import HoldFile, format_hold
from saphan_broker.broker import Broker
from saphan_protocol.evidence import parse_leaf
from saphan_schemas.records import LeafType
from support.bridge import KH, LA, Bridge, agreed, wish
from support.command import answered
from support.hold_files import hold_file
from support.node_process import kill, process
from support.threads import accepted

COUNT = 6
TYPE = ("saphan/case_statistics/1",)


async def leaves(broker: Broker, kind: LeafType) -> list[int]:
    """Targets of the log's leaves of a type."""
    size = broker.state.evidence.tree.size
    found = [parse_leaf(leaf) for leaf in await broker.store.leaves("evidence", 0, size)]
    return sorted(leaf.target or 0 for leaf in found if leaf.type is kind)


async def said(broker: Broker, kind: LeafType, count: int) -> list[int]:
    """The same, once there are so many."""
    async with asyncio.timeout(60):
        while True:
            found = await leaves(broker, kind)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def submit(bridge: Bridge, file: HoldFile, place: Path) -> None:
    await asyncio.to_thread(place.write_bytes, format_hold(file))
    await answered("hold", "submit", place, "--dir", bridge.place / KH)


async def test_each_delivery_is_held_and_released_once(bridge: Bridge, tmp_path: Path) -> None:
    async with bridge.broker_running() as broker:
        await bridge.enrol()
        async with bridge.node(LA) as la, process(bridge, KH) as running:
            await agreed(la)
            for _ in range(COUNT):
                await accepted(la, wish())
            held = hold_file(bridge, KH, schemas=TYPE, told=False)
            await submit(bridge, held, tmp_path / "held")
            await kill(bridge, KH, running)
            targets = await said(broker, LeafType.HELD, COUNT)
            assert len(set(targets)) == COUNT
            await accepted(la, wish())  # of what comes later, too
            await said(broker, LeafType.HELD, COUNT + 1)

            gone = hold_file(bridge, KH, number=2, release=held.name, schemas=TYPE, told=False)
            await submit(bridge, gone, tmp_path / "gone")
            await kill(bridge, KH, running)
            released = await said(broker, LeafType.RELEASED, COUNT + 1)
            assert released == await leaves(broker, LeafType.HELD)
