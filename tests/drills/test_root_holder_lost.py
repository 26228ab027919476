"""docs/drills/root-holder-lost.md, as it stands there: holders at five places, a real broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

from saphan.keys.keyfiles import write_sealed
from saphan.node.service import NodeService
from saphan_protocol.pins import format_pins
from saphan_schemas.records import Role
from support.bridge import CHEAP, KH, SECRET, VN, eventually, opened
from support.desks import ready_bridge
from support.rooms import ROOT
from support.root_holders import Holders
from support.terminals import Terminal
from support.walked import blocks, terminals, walk

PAGE = (ROOT / "docs/drills/root-holder-lost.md").read_text(encoding="utf-8")
HOLDERS = ("director", "deputy", "archive")


async def test_a_successor_takes_the_place_of_the_lost_one() -> None:
    async with (
        ready_bridge() as bridge,
        bridge.broker_running() as broker,
        bridge.node(KH) as partner,
    ):
        holders = Holders(*HOLDERS, now=bridge.clock())
        office = await asyncio.to_thread(holders.enrolled, bridge.place / VN, 2, VN)
        office.pins_file.write_bytes(format_pins(bridge.pins))
        await broker.admit_operation(office.enrolment.read_bytes())
        async with bridge.node_with_api(VN) as node:
            await opened(node)
            shown = await asyncio.to_thread(walked, bridge.place, holders)
            await eventually(lambda: version(node) == version(partner) == 2)
            left = {holders.half(name).key_id for name in ("director", "deputy")}
            for roots in (roots_of(node), roots_of(partner)):  # by their own copies of the log
                assert len(roots) == 3
                assert left < roots
                assert holders.half("archive").key_id not in roots
                assert roots == set(office.read_agency().root_ids)
    assert "successor" in shown["Hanoi"].shown


def version(node: NodeService) -> int:
    """The agency's last operation that this node has heard of."""
    return node.logs.directory.version(VN)[0]


def roots_of(node: NodeService) -> set[bytes]:
    return {key.key_id for key in node.logs.directory.keys(VN, Role.ROOT)}


def walked(place: Path, holders: Holders) -> dict[str, Terminal]:
    """The page; each holder has their key at their own place. Blocking."""
    assert PAGE.count("```sh") == len(blocks(PAGE))
    places = {"Hanoi": place}
    for name in ("director", "deputy", "successor"):
        places[name] = place / name
        places[name].mkdir()
    for name in ("director", "deputy"):
        (place / name / "root").mkdir()
        write_sealed(place / name / "root" / f"{name}.key", holders.keys[name], SECRET, CHEAP)
    with terminals(places) as made:
        walk(PAGE, made)
        return made
