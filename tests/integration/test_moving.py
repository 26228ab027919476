"""One store copied into another by the protocols alone: whole, resumable, refused when damaged."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from saphan_broker.moving.comparing import compare_stores
from saphan_broker.moving.copying import copy_store
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import LOGS, Commit, Log, Sign, Store
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.unfinished import check_whole
from saphan_protocol.delivery import Step
from saphan_schemas.errors import OperatorError, SaphanError
from support.brokers import World
from support.carried import PARTIES, answer_all, carried, carry_everything

BLOCK = 4
"""Leaves in a commit: the small broker of these tests then fills seven of them."""


def quiet(what: str, done: int, size: int) -> None:
    assert 0 < done <= size


@pytest.fixture
def house(carried_world: World) -> World:
    """It is only read."""
    return carried_world


@pytest.fixture
async def source(house: World) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(house.data)
    yield store
    await store.close()


@pytest.fixture
def keys(house: World) -> DayKeys:
    return DayKeys.open(house.keys)


async def copied(source: Store, target: Store, keys: DayKeys) -> None:
    await copy_store(source, target, keys, quiet, block=BLOCK)
    await compare_stores(source, target, keys, quiet, block=BLOCK)


async def test_a_copy_answers_as_its_original(
    source: SqliteStore, keys: DayKeys, tmp_path: Path
) -> None:
    memory = MemoryStore()  # it checks every commit: numbers, tiles, roots, corridors
    await copied(source, memory, keys)
    back = await SqliteStore.create(tmp_path / "back")
    await copied(memory, back, keys)
    await compare_stores(source, back, keys, quiet)
    counts = await back.counts()
    assert (counts.bulletins, counts.deliveries_waiting) == (6, 4)
    every = {*Step, "submitted", "consigned", "refused", "exported"}
    every -= {"consign", "expired", "rejected"}
    assert {row.event for row in await back.entries(0, 10**6)} == every
    assert [row.agency for row in await back.cosignatures("evidence")] == ["kh.gpo"]
    await back.close()


async def test_a_commit_without_leaves_brings_its_time(source: SqliteStore, keys: DayKeys) -> None:
    first = MemoryStore()
    await copied(source, first, keys)
    state = await first.state("evidence")
    later = state.time + 1000
    await first.commit(
        Commit(
            log="evidence",
            expected=state.head,
            head=state.head,
            time=later,
            leaves=[],
            tiles={},
        )
    )
    second = MemoryStore()
    await copied(first, second, keys)
    assert (await second.state("evidence")).time == later


class _Cut(Exception):
    """The power goes."""


class CutOff(MemoryStore):
    """A target that is lost after so many effects."""

    def __init__(self, effects: int) -> None:
        super().__init__()
        self.left = effects

    def _commit(self, commit: Commit) -> None:
        self._effect()
        super()._commit(commit)

    async def put_note(self, log: Log, size: int, note: bytes) -> None:
        self._effect()
        await super().put_note(log, size, note)

    def _effect(self) -> None:
        if self.left == 0:
            raise _Cut
        self.left -= 1


async def test_a_copy_that_was_cut_off_is_not_served_and_goes_on(
    source: SqliteStore, keys: DayKeys
) -> None:
    sizes = [(await source.state(log)).head.size for log in LOGS]
    effects = sum(-(-size // BLOCK) for size in sizes) + len(LOGS)
    assert effects > 8
    for cut in range(1, effects):
        target = CutOff(cut)
        with pytest.raises(_Cut):
            await copied(source, target, keys)
        with pytest.raises(OperatorError) as refused:
            await check_whole(target)
        assert refused.value.code == "copy_unfinished"
        with pytest.raises(OperatorError) as refused:  # nor is it a source
            await copied(target, MemoryStore(), keys)
        assert refused.value.code == "copy_unfinished"
        target.left = -1
        made = await copy_store(source, target, keys, quiet, block=BLOCK)
        assert made.resumed > 0
        await check_whole(target)
        await compare_stores(source, target, keys, quiet)


async def test_a_target_that_holds_something_is_left_as_it_is(
    source: SqliteStore, house: World, keys: DayKeys, tmp_path: Path
) -> None:
    whole = MemoryStore()
    await copied(source, whole, keys)
    other = await asyncio.to_thread(carried, tmp_path)
    theirs = await SqliteStore.open(other.data)
    half = CutOff(2)
    with pytest.raises(_Cut):
        await copied(theirs, half, DayKeys.open(other.keys))
    for target in (whole, half):
        before = await target.state("evidence")
        with pytest.raises(OperatorError) as refused:
            await copied(source, target, keys)
        assert refused.value.code == "target_not_empty"
        assert await target.state("evidence") == before
    await theirs.close()


# --- damage --------------------------------------------------------------------------------------

DAMAGE = {
    "leaf": "UPDATE leaf SET leaf = zeroblob(33) WHERE log = 0 AND idx = 2",
    "anchor": "UPDATE anchor SET size = size + 1 WHERE idx = 0",
    "anchor row": "DELETE FROM anchor WHERE idx = 0",
    "entry": "DELETE FROM entry WHERE idx = 5",
    "entry in clear": "UPDATE entry SET recipient = 'vn.c04' WHERE idx = 5",
    "event": "UPDATE entry SET event = 'handover' WHERE idx = 5",
    "statement": "DELETE FROM statement WHERE idx = 5",
    "signature": "DELETE FROM signature WHERE rowid = 2",
    "stanza": "DELETE FROM stanza WHERE rowid = 3",
    "ciphertext": "UPDATE {day} SET ciphertext = zeroblob(4096) WHERE place = 2",
    "body": "DELETE FROM body WHERE seq = 2",
    "destruction": "UPDATE delivery SET destroyed = 5 WHERE seq = 2",
    "state": "UPDATE delivery SET state = 'recalled' WHERE seq = 2",
    "consignments": "UPDATE delivery SET consignments = 7 WHERE seq = 2",
    "deadline": "UPDATE delivery SET deadline = NULL WHERE seq = 2",
    "agreement": "DELETE FROM package",
    "agreement bytes": "UPDATE package SET package = CAST(package || x'00' AS BLOB)",
    "head": "UPDATE log SET root = zeroblob(32) WHERE log = 1",
}


@pytest.mark.parametrize("what", DAMAGE)
async def test_a_damaged_source_is_found_and_the_copy_stays_unfinished(
    house: World, keys: DayKeys, tmp_path: Path, what: str
) -> None:
    await asyncio.to_thread(hurt, house.data, tmp_path, DAMAGE[what])
    source = await SqliteStore.open(tmp_path)
    target = MemoryStore()
    with pytest.raises(SaphanError) as found:
        await copied(source, target, keys)
    assert found.value.code == "store_damaged", found.value
    assert found.value.hint
    assert await target.note("directory") is None
    await source.close()


def hurt(data: Path, into: Path, change: str) -> None:
    shutil.copy(data / "broker.db", into)
    with closing(sqlite3.connect(into / "broker.db")) as db:
        (day,) = db.execute("SELECT day FROM body WHERE seq = 2").fetchone()
        assert db.execute(change.format(day=f"body_{day}")).rowcount > 0
        db.commit()


async def test_the_keys_of_another_broker_open_nothing(source: SqliteStore, tmp_path: Path) -> None:
    other = World(tmp_path)
    await other.init()
    with pytest.raises(OperatorError) as found:
        await copied(source, MemoryStore(), DayKeys.open(other.keys))
    assert found.value.code == "unwrap_failed"


async def test_entries_of_a_destroyed_day_are_copied_closed(
    source: SqliteStore, house: World, tmp_path: Path
) -> None:
    await asyncio.to_thread(shutil.copytree, house.keys, tmp_path / "keys")
    later = DayKeys.open(tmp_path / "keys")
    size = (await source.state("evidence")).head.size
    entries = await source.entries(0, size)
    await asyncio.to_thread(later.advance, entries[-1].record_day + 1)
    target = MemoryStore()
    made = await copy_store(source, target, later, quiet)
    assert made.destroyed == len(entries)
    assert await target.entries(0, size) == entries
    await compare_stores(source, target, later, quiet)


# --- a source that goes on -----------------------------------------------------------------------


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


async def test_a_source_that_goes_on_is_copied_as_it_was_at_the_start(tmp_path: Path) -> None:
    world = World(tmp_path, *PARTIES)
    await world.init()
    async with world.running() as broker:
        await world.enrol()
        await carry_everything(world)
        keys, before = DayKeys.open(world.keys), MemoryStore()
        await copied(broker.store, before, keys)
        target = Overtaken(lambda: answer_all(world))
        made = await copy_store(broker.store, target, keys, quiet, block=BLOCK)
        assert made.evidence < (await broker.store.state("evidence")).head.size
        await compare_stores(before, target, keys, quiet)
        # What it went on to is copied behind it, once it is a source at rest: nothing is missed.
        whole = MemoryStore()
        await copied(broker.store, whole, keys)
