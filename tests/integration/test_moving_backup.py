"""Backups of a running broker from either engine, and what becomes of them when put back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import saphan_broker.store.redis.store  # noqa: F401 - not first inside an event loop
from saphan_broker.broker import open_broker
from saphan_broker.moved_marker import MARKER_NAME
from saphan_broker.moving.backup import back_up
from saphan_broker.moving.comparing import compare_stores, copy_compared
from saphan_broker.moving.house import House
from saphan_broker.moving.kept import BESIDE, MANIFEST, UNFINISHED, read_manifest
from saphan_broker.moving.moved import move
from saphan_broker.moving.restoring import restore
from saphan_broker.seeds import DayKeys
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_file import LOCK_NAME
from saphan_schemas.errors import OperatorError
from support.brokers import World
from support.carried import PARTIES, A, B, carry_everything
from support.houses import house_on
from support.servers import Server


def quiet(what: str, done: int, size: int) -> None:
    assert 0 <= done <= size


@pytest.fixture
def world(carried_world: World) -> World:
    """It is only read."""
    return carried_world


@pytest.fixture(params=["sqlite", "valkey"])
async def house(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> House:
    """The same broker's store on either engine, at rest."""
    old = House(await asyncio.to_thread(copied, world.data, tmp_path / "here"))
    if request.param == "sqlite":
        return old
    there = house_on(request.getfixturevalue("server"), tmp_path, "there")
    await move(old, there, world.keys, quiet)
    return there


def copied(data: Path, into: Path) -> Path:
    shutil.copytree(data, into)
    return into


async def backed_up(house: House, world: World, out: Path) -> None:
    made = await back_up(house, lambda: DayKeys.open(world.keys), out, world.clock, quiet)
    assert (made.brought.there, made.brought.lost) == (2, 0)


@pytest.mark.parametrize("to", ["sqlite", "valkey"])
async def test_a_backup_put_back_answers_as_the_original(
    house: House, world: World, server: Server, tmp_path: Path, to: str
) -> None:
    out = tmp_path / "kept"
    await backed_up(house, world, out)
    new = House(tmp_path / "new") if to == "sqlite" else house_on(server, tmp_path, "new")
    restored = await restore(out, new, world.keys, quiet)
    assert restored.lacking == {}
    assert (restored.brought.there, restored.brought.lost) == (2, 0)
    async with house.alone() as first, new.alone() as second:
        await compare_stores(first, second, DayKeys.open(world.keys), quiet)


async def test_a_backup_holds_no_key_and_nobody_else_reads_it(
    house: House, world: World, tmp_path: Path
) -> None:
    out = tmp_path / "kept"
    await backed_up(house, world, out)
    await asyncio.to_thread(look_into, out, world.keys)


def look_into(out: Path, keys: Path) -> None:
    found = [path for path in out.rglob("*") if path.is_file()]
    assert {path.name for path in found} <= {"broker.db", MANIFEST, *BESIDE, "0", "1"}
    secrets = [path.read_bytes() for path in keys.iterdir() if path.suffix in (".seed", ".key")]
    assert len(secrets) > 2
    for path in found:
        data = path.read_bytes()
        assert not [one for one in secrets if one.strip() in data]
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert stat.S_IMODE((out / "broker.db").stat().st_mode) == 0o600


# --- under load ----------------------------------------------------------------------------------


class Load:
    """An agency that consigns bulletins one after the other until it is told to stop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stopping = False
        self.sent = 0
        self.more = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._stopping = True
            await task

    async def _run(self) -> None:
        sender, recipient = self._world.agencies[A], self._world.agencies[B]
        line = await self._world.line(A)
        while not self._stopping:
            made = [sender.bulletin([B], self._world.clock()) for _ in range(4)]
            items, batch = sender.submissions(made, [recipient])
            assert {one.code for one in await line.submit(items, batch)} == {None}
            self.sent += len(items)
            self.more.set()
        await line.close()

    async def goes_on(self) -> None:
        """Something was logged after this was called."""
        self.more.clear()
        await self.more.wait()


@pytest.mark.parametrize("engine", ["sqlite", "valkey"])
async def test_a_backup_of_a_broker_at_work_is_whole_and_the_work_goes_on(
    world: World, server: Server, tmp_path: Path, engine: str
) -> None:
    working = again(await asyncio.to_thread(copied, world.place, tmp_path / "broker"), world)
    house = House(working.data)
    if engine == "valkey":
        working.choice = house_on(server, tmp_path, "there").choice.named(world.pins.name)
        there = House(working.data, working.choice)
        await move(house, there, working.keys, quiet)
        house = there
    out = tmp_path / "kept"
    async with working.running() as broker:
        load = Load(working)
        async with load.running():
            await load.goes_on()
            before, sent = broker.state.evidence.tree.size, load.sent
            made = await back_up(
                house, lambda: DayKeys.open(working.keys), out, working.clock, quiet
            )
            size = made.kept.heads["evidence"].size
            assert before <= size <= broker.state.evidence.tree.size
            await load.goes_on()
            assert load.sent > sent
        assert size < broker.state.evidence.tree.size
    new = House(tmp_path / "new")
    restored = await restore(out, new, working.keys, quiet)
    assert restored.lacking["evidence"] > 0
    async with new.alone() as store:
        # Whole in itself: everything in it can be copied out again, which checks every row.
        await copy_compared(store, MemoryStore(), DayKeys.open(working.keys), quiet)
    await refused_behind(new, working)


def again(place: Path, world: World) -> World:
    """The same broker and agencies in another place."""
    made = World(place, *PARTIES)
    made._pins, made.agencies = world.pins, world.agencies
    return made


async def refused_behind(house: House, world: World) -> None:
    broker = await open_broker(house.data, world.keys, store=house.choice, clock=world.clock)
    with pytest.raises(OperatorError) as refused:
        await broker.start()
    await broker.stop()
    assert refused.value.code == "store_behind_signer"
    assert "saphan-broker succeed" in (refused.value.hint or "")


async def test_a_backup_goes_on_where_nothing_was_signed_since(
    world: World, tmp_path: Path
) -> None:
    """The disk of --data dies while the broker stands still; the keys are where they were."""
    place = await asyncio.to_thread(copied, world.place, tmp_path / "broker")
    lost = again(place, world)
    await backed_up(House(lost.data), world, tmp_path / "kept")
    await asyncio.to_thread(shutil.rmtree, lost.data)
    restored = await restore(tmp_path / "kept", House(lost.data), lost.keys, quiet)
    assert restored.lacking == {}
    async with lost.running() as broker:
        size = broker.state.evidence.tree.size
        assert size == restored.kept.heads["evidence"].size
        await carry_everything(lost)
        assert broker.state.evidence.tree.size > size


async def test_a_store_gets_no_name_beside_the_wal_of_another(world: World, tmp_path: Path) -> None:
    """A damaged store that was killed is moved away, and its WAL is forgotten there."""
    place = await asyncio.to_thread(copied, world.place, tmp_path / "broker")
    lost = again(place, world)
    await backed_up(House(lost.data), world, tmp_path / "kept")
    await asyncio.to_thread(leave_wal, lost.data / "broker.db", tmp_path / "damaged.db")
    with pytest.raises(OperatorError) as refused:
        await restore(tmp_path / "kept", House(lost.data), lost.keys, quiet)
    assert refused.value.code == "store_remains"
    with pytest.raises(OperatorError) as refused:
        await SqliteStore.create(lost.data)
    assert refused.value.code == "store_remains"


def leave_wal(store: Path, away: Path) -> None:
    writing = sqlite3.connect(store)
    writing.execute("DELETE FROM entry")
    writing.commit()
    wal = store.with_name(f"{store.name}-wal")
    data = wal.read_bytes()  # the last connection that closes takes it away
    writing.close()
    wal.write_bytes(data)
    store.rename(away)


async def test_a_store_behind_its_signer_is_put_back_and_said_to_be_old(
    house: House, world: World, tmp_path: Path
) -> None:
    out = tmp_path / "kept"
    await backed_up(house, world, out)
    later = await asyncio.to_thread(copied, world.place, tmp_path / "broker")
    grown = again(later, world)
    async with grown.running():
        await carry_everything(grown)
    restored = await restore(out, House(tmp_path / "new"), grown.keys, quiet)
    assert restored.lacking["evidence"] > 10
    # What ran goes on to run: what is put back for reading takes nothing's place.
    assert not await asyncio.to_thread((tmp_path / "new" / MARKER_NAME).exists)
    await refused_behind(House(tmp_path / "new"), grown)


# --- what goes wrong -----------------------------------------------------------------------------


async def test_half_a_backup_is_none_and_is_finished_by_the_same_command(
    house: House, world: World, tmp_path: Path
) -> None:
    out = tmp_path / "kept"
    await backed_up(house, world, out)
    await asyncio.to_thread(undo_end, out)
    with pytest.raises(OperatorError) as refused:
        await restore(out, House(tmp_path / "new"), world.keys, quiet)
    assert refused.value.code == "backup_unfinished"
    await backed_up(house, world, out)
    with pytest.raises(OperatorError) as refused:
        await backed_up(house, world, out)
    assert refused.value.code == "backup_exists"
    twice = [restore(out, House(tmp_path / "new"), world.keys, quiet) for _ in range(2)]
    done = await asyncio.gather(*twice, return_exceptions=True)
    refusals = [one.code for one in done if isinstance(one, OperatorError)]
    assert refusals in (["store_locked"], ["store_exists"])
    with pytest.raises(OperatorError) as refused:
        await restore(out, House(tmp_path / "new"), world.keys, quiet)
    assert refused.value.code == "store_exists"


def undo_end(out: Path) -> None:
    """As a crash leaves it while the last file is written."""
    (out / MANIFEST).rename(out / f"{MANIFEST}.part")
    (out / UNFINISHED).touch()


async def test_a_changed_backup_and_anothers_are_not_put_back(
    house: House, world: World, tmp_path: Path
) -> None:
    out = tmp_path / "kept"
    await backed_up(house, world, out)
    kept = await asyncio.to_thread(read_manifest, out)
    changes: list[dict[str, object]] = [
        {"saphan": "broker-backup/2"},
        {"store": "00" * 32},
        {"heads": {}},
    ]
    for change in changes:
        other = await asyncio.to_thread(copied, out, tmp_path / next(iter(change)))
        data = msgspec.json.encode(msgspec.structs.replace(kept, **change))
        await asyncio.to_thread((other / MANIFEST).write_bytes, data)
        with pytest.raises(OperatorError) as refused:
            await restore(other, House(tmp_path / "new"), world.keys, quiet)
        assert refused.value.code == "backup_malformed"
    (tmp_path / "stranger").mkdir()
    stranger = World(tmp_path / "stranger")
    await stranger.init()
    with pytest.raises(OperatorError) as refused:
        await restore(out, House(tmp_path / "new"), stranger.keys, quiet)
    assert refused.value.code == "store_differs"
    left = await asyncio.to_thread(lambda: [path.name for path in (tmp_path / "new").iterdir()])
    assert left == [LOCK_NAME]
    store = await asyncio.to_thread(copied, world.data, tmp_path / "data")
    with pytest.raises(OperatorError) as refused:  # somebody may work on it
        await backed_up(house, world, store)
    assert refused.value.code == "directory_not_empty"


async def test_a_damaged_store_makes_no_backup(world: World, tmp_path: Path) -> None:
    data = await asyncio.to_thread(copied, world.data, tmp_path / "data")
    await asyncio.to_thread(tear, data / "broker.db")
    with pytest.raises(OperatorError) as refused:
        await backed_up(House(data), world, tmp_path / "kept")
    assert refused.value.code == "store_damaged"
    assert not await asyncio.to_thread((tmp_path / "kept/broker.db").exists)


def tear(path: Path) -> None:
    """Zeros in the middle of the file: pages that SQLite reads, and that are none."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(size // 2 // 16384 * 16384)
        file.write(bytes(2 * 16384))
