"""A log lost on a server: an older copy of it, or a server that has come back with nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saphan_broker.init import init
from saphan_broker.opening import StoreChoice
from saphan_broker.store.redis.store import RedisStore
from saphan_protocol.succession import check_chain
from saphan_schemas.errors import OperatorError
from support.broker_command import saphan_broker_here
from support.brokers import World
from support.command import saphan_here
from support.lost_logs import KH, LA, renamed
from support.reporting import Copy, copy_of
from support.servers import Server
from support.succeeding import exchange, reporters, signed_last, succeeding


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "server") as made:
        yield made.start()


async def _world(place: Path, server: Server) -> World:
    """A broker on the server, agencies enrolled."""
    world = World(place, LA, KH)
    world.choice = StoreChoice(redis=server.address())
    invitation, _heads = await asyncio.to_thread(
        lambda: init(
            world.data, world.keys, "bridge.example", store=world.choice, clock=world.clock
        )
    )
    world._pins = invitation.pins
    async with world.running():
        await world.enrol()
    return world


async def _made(world: World, copy: Copy) -> Any:
    async with succeeding(world, choice=world.choice) as command:
        url = await command.url()
        for reporter in reporters(world, copy).values():
            assert (await reporter.report(url)).code == "log_lost"
        return await command.made


async def _lived_on(world: World) -> Copy:
    async with world.running() as broker:
        first, second = world.agencies.values()
        await exchange(world, first, second)
        return await copy_of(broker.state)


def test_a_server_that_lost_everything_carries_the_log_that_follows(
    server: Server, tmp_path: Path
) -> None:
    async def scenario() -> None:
        world = await _world(tmp_path, server)
        copy = await _lived_on(world)
        before, before_pins = signed_last(world), world.pins
        server.kill()
        server.start_empty()
        made = await _made(world, copy)
        assert made.plan.lost == before["evidence"]
        assert made.place is None
        async with renamed(world).running() as broker:
            assert (await copy_of(broker.state)).leaves == copy.leaves
            answer = await reporters(world, copy)[LA].ask_succession(world.url)
            assert check_chain(before_pins, answer.steps)[0][0].ref == before["evidence"]

    asyncio.run(scenario())


def test_a_server_that_is_behind_keeps_the_old_log_under_its_own_name(
    server: Server, tmp_path: Path
) -> None:
    async def scenario() -> None:
        world = await _world(tmp_path, server)
        server.stop()
        shutil.copytree(server.directory, tmp_path / "earlier")
        server.start()
        copy = await _lived_on(world)
        before = signed_last(world)
        server.kill()
        shutil.rmtree(server.directory)
        shutil.copytree(tmp_path / "earlier", server.directory)
        server.start()
        with pytest.raises(OperatorError, match="store_behind_signer"):
            async with world.running():
                pass
        made = await _made(world, copy)
        assert made.plan.lost == before["evidence"]
        ended = await RedisStore.open(server.address(name="bridge.example"))
        assert 0 < (await ended.state("evidence")).head.size < before["evidence"].size
        await ended.close()
        async with renamed(world).running():
            first, second = world.agencies.values()
            await exchange(world, first, second)  # the texts were in the store that is behind

    asyncio.run(scenario())
    redis = ("--redis", f"unix://{server.socket}")
    data, keys = ("--data", tmp_path / "data", *redis), ("--keys", tmp_path / "keys")
    for number, origin in ((1, "bridge.example/evidence/1"), (2, "bridge.example/evidence/2")):
        log, place = ("--log", str(number)), tmp_path / f"out{number}"
        saphan_broker_here("log", "export", *data, *log, "--out", place / "logs")
        head = (place / "logs/evidence/checkpoint").read_text()
        assert head.splitlines()[0] == origin
        saphan_broker_here("records", "export", *data, *keys, *log, "--out", place / "pack")
        shown = saphan_broker_here("fsck", *data, *keys, *log, "--json").json
        assert (shown["ok"], shown["coverage"]["heads"][1]["origin"]) == (True, origin)
    pins = ("--pins", tmp_path / "data/pins.json")
    words = (tmp_path / "out2/logs", "--pack", tmp_path / "out2/pack", *pins)
    old = ("--old", tmp_path / "out1/logs")
    shown = saphan_here("audit", "verify", *words, *old, "--json").json
    assert shown["coverage"]["evidence"]["successor"]["gap"] > 0


def test_nobody_else_sequences_while_reports_are_gathered(server: Server, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = await _world(tmp_path, server)
        copy = await _lived_on(world)
        async with world.running():
            other = World(tmp_path, LA, KH)
            other.choice, other._pins = world.choice, world.pins
            with pytest.raises(OperatorError, match="store_in_use"):
                await _made(other, copy)

    asyncio.run(scenario())
