"""From one engine to the other and back, on real servers: same rows, same findings, same bytes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from saphan.audit.folder import LogFolder
from saphan.audit.packfile import read_pack
from saphan_broker.broker import open_broker
from saphan_broker.logs.log_export import export_logs
from saphan_broker.moving.comparing import compare_stores, copy_compared
from saphan_broker.moving.house import House
from saphan_broker.moving.moved import move
from saphan_broker.opening import SQLITE, BlobPlace, StoreChoice
from saphan_broker.processes.leased import Leased
from saphan_broker.records import write_pack
from saphan_broker.seeds import DayKeys
from saphan_broker.serving_keys import share
from saphan_broker.store.base import Store
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.lease import Lease
from saphan_broker.store.redis.store import RedisStore
from saphan_protocol.audit.report import Report
from saphan_protocol.audit.verdict import audit
from saphan_schemas.bodies import known_types
from saphan_schemas.errors import OperatorError, SaphanError
from support.archives import EagerStore
from support.brokers import World
from support.houses import empty_house, house_on
from support.s3_server import BUCKET, S3Server
from support.servers import ENGINES, Engine, Server


def quiet(what: str, done: int, size: int) -> None:
    assert 0 < done <= size


@pytest.fixture
def world(carried_world: World) -> World:
    """It is only read."""
    return carried_world


@pytest.fixture
def there(server: Server, tmp_path: Path) -> House:
    """An empty house on the server, under a name of this test's."""
    return house_on(server, tmp_path)


@pytest.mark.parametrize("engine", ENGINES)
def test_to_the_server_and_back(world: World, tmp_path: Path, engine: Engine) -> None:
    with Server(tmp_path / engine, engine).start() as server:
        # An export blocks, as its command may.
        asyncio.run(there_and_back(world, house_on(server, tmp_path), tmp_path))


async def there_and_back(world: World, there: House, tmp_path: Path) -> None:
    old = House(world.data)
    moved = await move(old, there, world.keys, quiet)
    assert (moved.brought.there, moved.brought.lost) == (2, 0)
    back = empty_house(tmp_path / "back")
    again = await move(there, back, world.keys, quiet)
    assert again.copied == moved.copied
    keys = DayKeys.open(world.keys)
    async with old.alone() as first, there.reading() as second, back.alone() as third:
        await compare_stores(first, second, keys, quiet)
        await compare_stores(first, third, keys, quiet)
        reports = [
            await audited(world, store, tmp_path / name)
            for store, name in ((first, "1"), (second, "2"), (third, "3"))
        ]
    assert reports[0].finding is None
    assert reports[0].coverage.entries_opened == reports[0].coverage.entries > 10
    assert reports[0] == reports[1] == reports[2]
    assert files(world.data / "blobs") == files(back.data / "blobs") != {}


async def audited(world: World, store: Store, place: Path) -> Report:
    """What `saphan audit verify` finds in the public logs and the record pack of a store."""
    await export_logs(store, place)
    parts: list[bytes] = []
    await write_pack(store, DayKeys.open(world.keys), parts.append, 0, None, 1)
    pack = place / "records.pack"
    await asyncio.to_thread(pack.write_bytes, b"".join(parts))
    return await asyncio.to_thread(
        lambda: audit(
            world.pins,
            LogFolder(place / "directory"),
            LogFolder(place / "evidence"),
            [("records.pack", read_pack(pack))],
            {known.name: known.digest for known in known_types()},
        )
    )


def files(place: Path) -> dict[str, bytes]:
    """Every final attachment."""
    return {str(path.relative_to(place)): path.read_bytes() for path in place.glob("??/*/[0-9]*")}


async def test_a_house_where_somebody_works_is_not_moved(
    world: World, there: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saphan_broker.moving.leased.TRIES", 2)
    monkeypatch.setattr("saphan_broker.moving.leased.RENEW_MS", 10)
    await move(House(world.data), there, world.keys, quiet)
    assert there.choice.redis is not None
    lease = Lease(there.choice.redis, "a broker process")
    assert await lease.take()
    renewing = asyncio.create_task(keep(lease))
    try:
        with pytest.raises(OperatorError) as refused:
            await move(there, House(there.data), world.keys, quiet)
        assert refused.value.code == "store_in_use"
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        await lease.release()
        await lease.close()
    async with House(world.data).alone():
        with pytest.raises(OperatorError) as refused:
            await move(House(world.data), House(there.data), world.keys, quiet)
    assert refused.value.code == "store_locked"


async def keep(lease: Lease) -> None:
    held = True
    while held:
        await asyncio.sleep(0.2)
        held = await lease.renew()


async def test_a_lease_or_a_server_that_goes_meanwhile_stops_a_move_that_can_be_gone_on_from(
    world: World, there: House, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = RedisStore.commit
    meanwhile: list[Callable[[], Awaitable[object]]] = []

    async def overtaken(store: RedisStore, *given: Any) -> None:
        if meanwhile:
            await meanwhile.pop()()
        await commit(store, *given)

    async def take() -> None:
        assert there.choice.redis is not None
        lease = Lease(there.choice.redis, "a broker process")
        await asyncio.to_thread(forget_leases, server)
        assert await lease.take()
        await lease.release()
        await lease.close()

    monkeypatch.setattr(RedisStore, "commit", overtaken)
    kill = partial(asyncio.to_thread, server.kill)
    for happens, code in ((take, "store_in_use"), (kill, "redis_unreachable")):
        meanwhile.append(happens)
        with pytest.raises(SaphanError) as stopped:
            await move(House(world.data), there, world.keys, quiet)
        assert stopped.value.code == code
        assert "command again" in (stopped.value.hint or "")
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(forget_leases, server)  # it would run out, in two seconds
    await move(House(world.data), there, world.keys, quiet)


def forget_leases(server: Server) -> None:
    with server.client() as client:
        client.delete(*(key for key in client.scan_iter() if key.endswith(b"lease")))


async def test_an_old_store_and_anothers_keys_are_not_moved(
    world: World, there: House, tmp_path: Path
) -> None:
    later = tmp_path / "later"
    await asyncio.to_thread(shutil.copytree, world.data, later / "data")
    await asyncio.to_thread(shutil.copytree, world.keys, later / "keys")
    grown = World(later)
    grown._pins = world.pins
    async with grown.running() as broker:
        broker.allow_unheard("a test")
        await broker.admit_operation(World(tmp_path, "vn.c04").agencies["vn.c04"].enrolment())
    with pytest.raises(OperatorError) as refused:
        await move(House(world.data), there, grown.keys, quiet)
    assert refused.value.code == "store_behind_signer"
    assert "saphan-broker succeed" in (refused.value.hint or "")
    other = World(tmp_path / "other")
    (tmp_path / "other").mkdir()
    await other.init()
    with pytest.raises(OperatorError) as refused:
        await move(House(world.data), there, other.keys, quiet)
    assert refused.value.code == "store_differs"


async def test_a_lost_attachment_is_told_and_keeps_nothing_else_back(
    world: World, there: House, tmp_path: Path
) -> None:
    await asyncio.to_thread(shutil.copytree, world.data, tmp_path / "data")
    house = House(tmp_path / "data")
    one, two = await asyncio.to_thread(lambda: sorted((tmp_path / "data/blobs").glob("??/*/*")))
    await asyncio.to_thread(one.unlink)
    await asyncio.to_thread(lambda: two.write_bytes(bytes(two.stat().st_size)))
    moved = await move(house, there, world.keys, quiet)
    assert (moved.brought.there, moved.brought.lost) == (0, 2)
    bulletin = bytes.fromhex(one.parent.name)
    assert set(moved.brought.named) == {f"{bulletin.hex()}/{place}" for place in (0, 1)}


async def test_attachments_are_where_the_broker_will_look(
    world: World, server: Server, tmp_path: Path
) -> None:
    """Without --blobs too: the folder is not the one that SQLite's broker has."""
    await asyncio.to_thread(shutil.copytree, world.data, tmp_path / "data")
    data, choice = tmp_path / "data", StoreChoice(redis=server.address(name=world.pins.name))
    await move(House(data), House(data, choice), world.keys, quiet)
    await asyncio.to_thread(shutil.rmtree, data / "blobs")
    await move(House(data, choice), empty_house(tmp_path / "back"), world.keys, quiet)
    one, _two = await asyncio.to_thread(lambda: sorted((world.data / "blobs").glob("??/*/*")))
    bulletin, expected = bytes.fromhex(one.parent.name), await asyncio.to_thread(one.read_bytes)
    for place, engine in ((data, choice), (tmp_path / "back", SQLITE)):
        broker = await open_broker(place, world.keys, store=engine, clock=world.clock)
        try:
            assert await broker.state.blobs.read(bulletin, 0, 0, len(expected)) == expected
        finally:
            await broker.stop()
    await asyncio.to_thread(forget_all, server)


def forget_all(server: Server) -> None:
    """For the next test that needs the broker's own name there."""
    with server.client() as client:
        client.flushall()


async def test_a_copy_to_a_server_that_was_cut_off_goes_on(
    world: World, there: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):
        pass

    put_note = RedisStore.put_note

    async def cut(*_args: object) -> None:
        raise Cut

    monkeypatch.setattr(RedisStore, "put_note", cut)
    with pytest.raises(Cut):
        await move(House(world.data), there, world.keys, quiet)
    monkeypatch.setattr(RedisStore, "put_note", put_note)
    moved = await move(House(world.data), there, world.keys, quiet)
    assert moved.copied.resumed == moved.copied.directory + moved.copied.evidence
    with pytest.raises(OperatorError) as refused:
        await move(House(world.data), there, world.keys, quiet)
    assert refused.value.code == "target_not_empty"


async def test_a_server_with_other_objects_than_its_own_is_not_moved(
    world: World, there: House, tmp_path: Path
) -> None:
    """Its attachments and long bodies would be missed one by one, and called lost."""
    await move(House(world.data), there, world.keys, quiet)
    back = empty_house(tmp_path / "back")
    wrong = House(there.data, StoreChoice(redis=there.choice.redis))
    with pytest.raises(OperatorError) as refused:
        await move(wrong, back, world.keys, quiet)
    assert refused.value.code == "objects_elsewhere"
    with pytest.raises(OperatorError) as refused:
        async with wrong.reading():
            pass
    assert refused.value.code == "objects_elsewhere"


async def test_processes_that_only_serve_wait_until_the_house_is_moved(
    world: World, server: Server, tmp_path: Path
) -> None:
    """The lease is the move's meanwhile; whoever serves looks at its holder and finds no bug."""
    choice = StoreChoice(redis=server.address(name=world.pins.name))
    there = empty_house(tmp_path / "there", choice)
    await move(House(world.data), there, world.keys, quiet)
    await asyncio.to_thread(share, world.keys, tmp_path / "shared")
    back = empty_house(tmp_path / "back")
    broker = await open_broker(there.data, tmp_path / "shared", store=choice, clock=world.clock)
    try:
        await broker.start()
        role = broker.role
        assert isinstance(role, Leased)
        async with there.alone():
            await role._turn()
            assert not role.holding
        await move(there, back, world.keys, quiet)
    finally:
        await broker.stop()


async def test_keys_that_only_serve_do_not_know_what_was_signed(
    world: World, there: House, tmp_path: Path
) -> None:
    await asyncio.to_thread(share, world.keys, tmp_path / "shared")
    with pytest.raises(OperatorError) as refused:
        await move(House(world.data), there, tmp_path / "shared", quiet)
    assert refused.value.code == "serves_only"


async def test_what_has_left_the_servers_memory_comes_along(
    world: World, server: Server, tmp_path: Path
) -> None:
    keys = DayKeys.open(world.keys)
    address = server.address(name=tmp_path.name)
    archived = await EagerStore.make(address, tmp_path / "objects")
    async with House(world.data).alone() as source:
        await copy_compared(source, archived, keys, quiet)
        assert await asyncio.to_thread(lambda: len(list((tmp_path / "objects").rglob("packs/*/*"))))
        back = MemoryStore()
        await copy_compared(archived, back, keys, quiet)
        await compare_stores(source, back, keys, quiet)
    await archived.close()


async def test_history_leaves_the_servers_memory_while_it_is_copied(
    world: World, there: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server needs room for what is in flight only, however long the history is."""
    monkeypatch.setattr("saphan_broker.moving.leased.MOVING", EAGER)
    monkeypatch.setattr("saphan_broker.moving.copying.RELIEVED", 1)
    steps: list[int] = []

    async def step(store: RedisStore) -> int:
        assert await store.note("directory") is None  # the copy is not whole yet
        steps.append(await archive_some(store))
        return steps[-1]

    archive_some = RedisStore.archive_some
    monkeypatch.setattr(RedisStore, "archive_some", step)
    await move(House(world.data), there, world.keys, quiet)
    assert sum(steps) > 0
    async with House(world.data).alone() as first, there.reading() as second:
        await compare_stores(first, second, DayKeys.open(world.keys), quiet)


async def test_attachments_in_a_bucket_come_along(
    world: World, server: Server, s3: S3Server, tmp_path: Path
) -> None:
    blobs = BlobPlace(
        f"s3://{BUCKET}/moving/{tmp_path.name}",
        credentials=s3.credentials,
        endpoint=s3.endpoint,
    )
    choice = StoreChoice(redis=server.address(name=tmp_path.name), blobs=blobs)
    there, back = empty_house(tmp_path / "there", choice), empty_house(tmp_path / "back")
    for old, new in ((House(world.data), there), (there, back)):
        moved = await move(old, new, world.keys, quiet)
        assert (moved.brought.there, moved.brought.lost) == (2, 0)
    (found, expected) = await asyncio.to_thread(
        lambda: (files(back.data / "blobs"), files(world.data / "blobs"))
    )
    assert found == expected != {}
