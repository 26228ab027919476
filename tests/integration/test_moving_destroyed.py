"""A store in which something is destroyed, held or forgotten: copied, kept, put back, checked."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import saphan_broker.store.redis.store  # noqa: F401 - not first inside an event loop
from msgspec.structs import replace
from saphan_broker.blobs.base import plain_name
from saphan_broker.fsck import Checked, fsck, last_heads
from saphan_broker.moving.attachments import copy_attachments
from saphan_broker.moving.backup import back_up
from saphan_broker.moving.comparing import compare_stores
from saphan_broker.moving.copying import copy_store
from saphan_broker.moving.house import House
from saphan_broker.moving.moved import move
from saphan_broker.moving.restoring import restore
from saphan_broker.records import write_pack
from saphan_broker.seeds import DayKeys
from saphan_broker.serving_keys import read_keys
from saphan_broker.store.base import LOGS, Commit, Sign, Store
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_reader import SqliteReader
from saphan_protocol.hold_order import parse_hold
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Blob, Event
from support.agency import Made
from support.aging_commits import admitted, copies, destruction, hold, settled, wrapped_anew
from support.asked import A, B, said
from support.brokers import World
from support.due import DUE_DAYS, carried, row_of, stated, sweep, witnessed_after
from support.houses import house_on
from support.retained import hold_by
from support.servers import Server
from support.session import Line
from support.store_commits import Story

BLOCK = 8


def quiet(what: str, done: int, size: int) -> None:
    assert 0 <= done <= size


class Aged(NamedTuple):
    """A broker at rest after a destruction, and its bulletins by what became of them."""

    world: World
    gone: Made
    freed: Made
    held: Made
    live: Made


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Aged:
    """Made once; it is only read."""
    return asyncio.run(lived(tmp_path_factory.mktemp("aged")))


async def lived(place: Path) -> Aged:
    world = World(place, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        out, into = await world.line(A), await world.line(B)
        attached = world.agencies[A].bulletin([B], world.clock(), attachments=(b"photo" * 900,))
        await out.bring(attached.attachments)
        retain = world.clock() // DAY_MS + DUE_DAYS
        gone = world.agencies[A].bulletin(
            [B], world.clock(), attachments=(b"photo" * 900,), retain_until=retain
        )
        await out.bring(gone.attachments)
        items, batch = world.agencies[A].submissions([gone, attached], [world.agencies[B]])
        assert [one.code for one in await out.submit(items, batch)] == [None, None]
        for event in (Event.HANDOVER, Event.ACCEPTED):
            assert await said(world, into, gone, event) is None
        freed, held = await carried(world, out, into), await carried(world, out, into)
        order = await ordered(out, 1)
        for made in (freed, held):
            await holds(world, out, made, order)
        assert await stated(world, out, held, Event.RECALLED, "error") is None
        await into.close()
        out = await witnessed_after(world, out, DUE_DAYS)
        await sweep(world).look()
        release = await ordered(out, 2, order)
        await holds(world, out, freed, release, Event.RELEASED)
        await sweep(world).look()
        for made, is_gone in ((gone, True), (freed, True), (held, False)):
            assert ((await row_of(world, made)).destroyed is not None) == is_gone
        await out.close()
    return Aged(world, gone, freed, held, attached)


async def ordered(line: Line, number: int, release: bytes | None = None) -> bytes:
    package = hold_by(line.agency, number, release)
    assert (await line.register(hold=package)).code is None
    return parse_hold(package).commitment


async def holds(
    world: World, line: Line, made: Made, order: bytes, event: Event = Event.HELD
) -> None:
    name, target = line.agency.name, (await row_of(world, made)).submitted
    refused = await stated(
        world, line, made, event, corridor=(name, name), detail=order, target=target
    )
    assert refused is None


@pytest.fixture
async def source(aged: Aged) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(aged.world.data)
    yield store
    await store.close()


@pytest.fixture
def keys(aged: Aged) -> DayKeys:
    return DayKeys.open(aged.world.keys)


async def copied(source: Store, target: Store, keys: DayKeys) -> None:
    await copy_store(source, target, keys, quiet, block=BLOCK)
    await compare_stores(source, target, keys, quiet, block=BLOCK)


async def checked(aged: Aged, data: Path, keys: DayKeys) -> Checked:
    pins, _ = read_keys(aged.world.keys)
    source = await SqliteReader.open(data)
    try:
        return await fsck(source, keys, pins, last_heads(aged.world.keys, pins), quiet)
    finally:
        await source.close()


async def test_a_copy_has_destroyed_and_held_what_its_original_has(
    aged: Aged, source: SqliteStore, keys: DayKeys, tmp_path: Path
) -> None:
    memory = MemoryStore()  # it checks every commit, destructions and holds among it
    await copied(source, memory, keys)
    back = await SqliteStore.create(tmp_path / "back")
    await copied(memory, back, keys)
    ids = [aged.gone.bulletin_id, aged.freed.bulletin_id, aged.held.bulletin_id]
    bodies = await back.bodies(ids)
    assert [bool(bodies[id_].ciphertext) for id_ in ids] == [False, False, True]
    found = await back.holds_of(ids)
    assert [[row.released is None for row in found.get(id_, [])] for id_ in ids] == [
        [],
        [False],
        [True],
    ]
    await back.close()


async def test_fsck_finds_nothing_wrong_with_it(aged: Aged, keys: DayKeys) -> None:
    found = await checked(aged, aged.world.data, keys)
    assert found.good, found.report.finding
    assert found.report.coverage.entries_opened == found.report.coverage.entries


async def test_a_record_pack_is_whole_after_the_destruction(
    aged: Aged, source: SqliteStore, keys: DayKeys
) -> None:
    made = await write_pack(source, keys, lambda _data: None, 0, None, aged.world.clock())
    assert (made.destroyed, made.entries) == (0, len(await source.entries(0, made.stop)))


async def test_a_backup_has_no_attachment_of_what_is_destroyed(
    aged: Aged, keys: DayKeys, tmp_path: Path
) -> None:
    data = Path(await asyncio.to_thread(shutil.copytree, aged.world.data, tmp_path / "here"))
    out = tmp_path / "kept"
    made = await back_up(House(data), lambda: keys, out, aged.world.clock, quiet)
    assert (made.brought.there, made.brought.lost) == (1, 0)
    names = [path.parent.name for path in out.glob("blobs/*/*/*")]
    assert names == [aged.live.bulletin_id.hex()]
    restored = await restore(out, House(tmp_path / "new"), aged.world.keys, quiet)
    assert restored.lacking == {}
    assert (restored.brought.there, restored.brought.lost) == (1, 0)
    assert (await checked(aged, tmp_path / "new", keys)).good


async def test_it_moves_to_a_server_and_back(
    aged: Aged, keys: DayKeys, server: Server, tmp_path: Path
) -> None:
    data = Path(await asyncio.to_thread(shutil.copytree, aged.world.data, tmp_path / "here"))
    there = house_on(server, tmp_path, "there")
    await move(House(data), there, aged.world.keys, quiet)
    async with there.alone() as store:
        assert (await store.deliveries_of([aged.gone.bulletin_id]))[aged.gone.bulletin_id]
        back = MemoryStore()
        await copied(store, back, keys)
    out = tmp_path / "kept"
    made = await back_up(there, lambda: keys, out, aged.world.clock, quiet)
    assert (made.brought.there, made.brought.lost) == (1, 0)
    assert (await checked(aged, out, keys)).good


class Overtaken(MemoryStore):
    """A target during whose first commit the source goes on."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def commit(self, commit: Commit, sign: Sign | None = None) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        await super().commit(commit, sign)


async def test_what_is_destroyed_while_it_is_copied_is_copied_as_destroyed(tmp_path: Path) -> None:
    """The copy goes on until it has the entry that says why it lacks something."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running() as broker:
        await world.enrol()
        out, into = await world.line(A), await world.line(B)
        made = await carried(world, out, into)
        await into.close()
        await witnessed_after(world, out, DUE_DAYS)
        size = (await broker.store.state("evidence")).head.size
        target = Overtaken(sweep(world).look)
        got = await copy_store(broker.store, target, broker.state.keys, quiet, block=2)
        row = await row_of(world, made)
        assert row.destroyed is not None
        assert got.evidence > row.destroyed >= size
        await compare_stores(broker.store, target, broker.state.keys, quiet, block=BLOCK)


# --- forgotten -----------------------------------------------------------------------------------


async def test_what_is_forgotten_is_missed_by_nobody(
    aged: Aged, keys: DayKeys, tmp_path: Path
) -> None:
    """Ten years later the records of before the destruction go, and those after it some days on."""
    data = Path(await asyncio.to_thread(shutil.copytree, aged.world.data, tmp_path / "here"))
    await asyncio.to_thread(shutil.copytree, aged.world.keys, tmp_path / "keys")
    source = await SqliteStore.open(data)
    size = (await source.state("evidence")).head.size
    first = (await source.entries(0, size))[0]
    while await source.forget(first.record_day + 1, 100):
        pass
    left = await source.entries(0, size)
    assert {"destroyed", "released"} < {row.event for row in left}
    assert {row.time for row in left}.isdisjoint({first.time})
    assert (await source.bulletins([aged.gone.bulletin_id])) == {}
    later = DayKeys.open(tmp_path / "keys")
    assert later.day < first.record_day - LIMITS.record_days // 2
    await copy_refused(source, later)  # so young a log has forgotten nothing
    await asyncio.to_thread(later.advance, first.record_day + 1)
    target = await SqliteStore.create(tmp_path / "copy")
    await copy_store(source, target, later, quiet, block=BLOCK)
    assert await target.entries(0, size) == left
    assert await target.leaves("evidence", 0, size) == await source.leaves("evidence", 0, size)
    for store in (source, target):
        await store.close()
    assert (await checked(aged, tmp_path / "copy", later)).report.finding is None


async def copy_refused(source: Store, keys: DayKeys) -> None:
    with pytest.raises(OperatorError, match="store_damaged"):
        await copy_store(source, MemoryStore(), keys, quiet, block=BLOCK)


async def test_what_is_held_for_longer_than_its_records_is_copied(
    server: Server, tmp_path: Path
) -> None:
    """No entry leads to it any more, and a backup must not be without it."""
    source, story = await SqliteStore.create(tmp_path / "here"), Story()
    story.attachments = (Blob(5, hashlib.sha256(b"photo").digest()),)
    commit, _rows = await admitted(source, story, 3)
    await source.commit(copies(story, commit, "th.pol"))
    (held,) = commit.bulletins[:1]
    both = (await source.deliveries_of([held.id]))[held.id]
    ended, both = settled(story, both)
    await source.commit(ended)
    ordered, _held = hold(story, both[:1], bytes(32))
    await source.commit(ordered)
    await source.commit(wrapped_anew(story, await source.stanzas_due(99_999, 9), 34_000))
    others = (await source.deliveries_of([row.id for row in commit.bulletins[1:]])).values()
    ended, free = settled(story, [row for some in others for row in some])
    await source.commit(ended)
    gone, _after = destruction(story, [*free, both[1]], [row.id for row in commit.bulletins[1:]])
    await source.commit(gone)
    while await source.forget(33_001, 100):
        pass
    for log in LOGS:
        await source.put_note(log, (await source.state(log)).head.size, b"a signed head")
    (tmp_path / "keys").mkdir(0o700)
    later = DayKeys.create(tmp_path / "keys", 33_001)
    async with house_on(server, tmp_path, "there").alone(create=True) as there:
        await copied(source, there, later)
        back = MemoryStore()
        await copied(there, back, later)
        for store in (there, back):
            assert await store.bodies([held.id]) == {held.id: replace(held, header=b"")}
            assert await store.holds_of([held.id]) == {held.id: ordered.holds}
    async with House(tmp_path / "here").objects() as objects:
        await objects.put(plain_name(held.id, 0), b"photo")
    brought = await copy_attachments(
        source, House(tmp_path / "here"), House(tmp_path / "there"), quiet
    )
    assert (brought.there, brought.lost) == (1, 0)
    await source.close()


def dropped(_data: bytes) -> None:
    """Nobody reads this pack."""


async def test_what_is_released_after_its_records_went_is_destroyed(tmp_path: Path) -> None:
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running() as broker:
        await world.enrol()
        out, into = await world.line(A), await world.line(B)
        made = await carried(world, out, into)
        order = await ordered(out, 1)
        await holds(world, out, made, order)
        await into.close()
        out = await witnessed_after(world, out, DUE_DAYS)
        await sweep(world).look()
        size = (await broker.store.state("evidence")).head.size
        last = (await broker.store.entries(0, size))[-1]
        while await broker.store.forget(last.record_day + 1, 100):
            pass
        again = await ordered(out, 2)
        await holds(world, out, made, again)
        clock = world.clock()
        for end in ("held", "freed"):
            pack = await write_pack(broker.store, broker.state.keys, dropped, 0, None, clock)
            assert pack.entries > 0, end
            if end == "freed":
                break
            for number, one in enumerate((order, again), 3):
                release = await ordered(out, number, one)
                await holds(world, out, made, release, Event.RELEASED)
            await sweep(world).look()
        assert (await row_of(world, made)).destroyed is not None
        assert not (await broker.store.bodies([made.bulletin_id]))[made.bulletin_id].ciphertext
        await out.close()
