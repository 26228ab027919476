"""The primary is lost and a replica takes its place: what was answered is there, or is missed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from saphan_broker.broker import open_broker
from saphan_broker.moving.house import House
from saphan_broker.moving.moved import move
from saphan_broker.opening import StoreChoice
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, Unavailable
from support.brokers import World
from support.carried import PARTIES, answer_all, carried, carry_everything
from support.servers import ENGINES, Engine, Server, cluster_of

NAME = "bridge.example"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A stopped broker on SQLite; tests only read it."""
    return carried(tmp_path_factory.mktemp("house"))


@pytest.fixture(params=ENGINES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sequence[Server]]:
    """A primary and its replica."""
    servers = cluster_of(tmp_path / "pair", 1, request.param)
    yield servers
    for server in servers:
        server.free()


@pytest.fixture
async def working(world: World, pair: Sequence[Server], tmp_path: Path) -> World:
    """The same broker on the primary, with everything at the replica."""
    await asyncio.to_thread(shutil.copytree, world.place, tmp_path / "broker")
    made = World(tmp_path / "broker", *PARTIES)
    made._pins, made.agencies = world.pins, world.agencies
    made.choice = StoreChoice(redis=pair[0].address(name=NAME, replicas=1))
    await move(House(made.data), House(made.data, made.choice), made.keys, lambda *_: None)
    return made


def promoted(pair: Sequence[Server]) -> StoreChoice:
    """The primary's machine is gone; the operator promotes the replica."""
    primary, replica = pair
    primary.kill()
    with replica.client() as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
    return StoreChoice(redis=replica.address(name=NAME))


async def test_a_promoted_replica_has_all_that_was_answered(
    working: World, pair: Sequence[Server]
) -> None:
    async with working.running() as broker:
        before = broker.state.evidence.head
        await answer_all(working)
        head = broker.state.evidence.head
        assert head.size > before.size
    working.choice = await asyncio.to_thread(promoted, pair)
    async with working.running() as broker:
        assert broker.state.evidence.head == head
        await carry_everything(working)
        assert broker.state.evidence.head.size > head.size


async def test_a_promoted_replica_that_was_behind_is_noticed_and_signs_nothing(
    working: World, pair: Sequence[Server]
) -> None:
    """Nobody asked for replicas, so what only the primary had is lost with it."""
    working.choice = StoreChoice(redis=pair[0].address(name=NAME))
    await asyncio.to_thread(pair[1].kill)
    async with working.running():
        await answer_all(working)
    await asyncio.to_thread(pair[1].start)
    choice = await asyncio.to_thread(promoted, pair)
    broker = await open_broker(working.data, working.keys, store=choice, clock=working.clock)
    with pytest.raises(OperatorError) as refused:
        await broker.start()
    await broker.stop()
    assert refused.value.code == "store_behind_signer"
    assert "saphan-broker succeed" in (refused.value.hint or "")


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_replica_without_a_disk_counts_only_where_the_server_cannot_tell(
    engine: Engine, tmp_path: Path
) -> None:
    """Valkey (and Redis from 7.2) asks for the replica's disk, Redis 7.0 for its memory."""
    forgetful = {"appendonly": "no"}
    with (
        await asyncio.to_thread(Server(tmp_path / "primary", engine).start) as primary,
        await asyncio.to_thread(Server(tmp_path / "replica", engine, forgetful).start) as replica,
    ):
        await asyncio.to_thread(replica.follow, primary)
        assert await asyncio.to_thread(received, primary) == 1
        address = primary.address(replicas=1, wait_ms=500)
        if engine == "redis":
            await (await RedisStore.create(address)).close()
            return
        with pytest.raises(Unavailable) as missing:
            await RedisStore.create(address)
        assert missing.value.code == "replicas_missing"


def received(primary: Server) -> int:
    """How many replicas have a write in their memory."""
    with primary.client() as client:
        client.set("written", "by another application")
        found: int = client.execute_command("WAIT", 1, 10_000)
        return found
