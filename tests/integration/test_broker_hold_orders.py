"""Hold orders at a running broker: whose they are, who learns of them, what a restart knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.store.sqlite import SqliteStore
from saphan_protocol.hold_order import parse_hold
from support.asked import A, B
from support.brokers import World
from support.crews import Crew
from support.retained import hold_by


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def test_an_order_sent_again_gets_its_first_answer_and_no_other_has_its_number(
    world: World,
) -> None:
    line = await world.line(B)
    package = hold_by(world.agencies[B])
    first = await line.register(hold=package)
    assert first.code is None
    assert await line.register(hold=package) == first
    assert (await line.register(hold=hold_by(world.agencies[B]))).code == "hold_number"
    assert (await line.register(hold=hold_by(world.agencies[B], 3))).code == "hold_number"


async def test_an_agency_brings_its_own_orders_only(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    assert (await out.register(hold=hold_by(world.agencies[B]))).code == "hold_peer"
    assert (await into.register(hold=b"\x90")).code == "malformed"
    both = await into.register(hold=hold_by(world.agencies[B]), order=b"\x90")
    assert both.code == "malformed"


async def test_its_agency_gets_the_package_and_others_its_commitment_only(world: World) -> None:
    line = await world.line(B)
    package = hold_by(world.agencies[B])
    assert (await line.register(hold=package)).code is None
    size = world.broker.state.directory.size
    for party, opened in ((A, False), (B, True)):
        line = await world.line(party)
        await line.until(lambda line=line: len(line.leaves) == size)  # type: ignore[misc]
        assert (package in line.packages) is opened, party
        assert line.leaves[-1] == b"\x26" + parse_hold(package).commitment


async def test_a_release_ends_what_a_restart_knows(tmp_path: Path) -> None:
    world = World(tmp_path, A, B)
    await world.init()
    held = hold_by(world.agencies[B])
    name = parse_hold(held).commitment
    async with world.running():
        await world.enrol()
        assert (await (await world.line(B)).register(hold=held)).code is None
    async with world.running():
        holds = world.broker.state.directory.holds
        assert list(holds.standing(B)) == [name]
        line = await world.line(B)
        released = await line.register(hold=hold_by(world.agencies[B], 2, name))
        assert released.code is None, released
        assert holds.standing(B) == {}
        assert (await line.register(hold=hold_by(world.agencies[B], 3, name))).code == "hold_over"


async def test_the_store_keeps_the_package_beside_its_leaf(world: World) -> None:
    package = hold_by(world.agencies[B])
    (index,) = (await (await world.line(B)).register(hold=package)).indices
    assert isinstance(world.broker.state.store, SqliteStore)
    assert await world.broker.state.store.packages(index, index + 1) == {index: package}


async def test_a_hold_brought_to_one_is_heeded_by_the_other(tmp_path: Path) -> None:
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        await crew.enrol()
        holder, follower = crew.members
        line = await crew.line_at(follower, B)
        held = hold_by(crew.agencies[B])
        result = await line.register(hold=held)
        assert result.code is None, result
        for member in (follower, holder):
            asking = await crew.line_at(member, B)
            assert await asking.register(hold=held) == result
            await asking.until(lambda asking=asking: held in asking.packages)  # type: ignore[misc]
            standing = member.broker.state.directory.holds.standing(B)
            assert list(standing) == [parse_hold(held).commitment]
