"""A store whose deliveries an earlier release wrote: without the states `read` and `unanswered`."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from saphan_broker.moving.comparing import compare_stores
from saphan_broker.moving.copying import copy_store
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import DeliveryRow, Store
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.sqlite import SqliteStore
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import Event
from support.brokers import World
from support.carried import A, B

OLDER = (
    "UPDATE delivery SET state = 'accepted' WHERE state = 'read'",
    "UPDATE delivery SET deadline = due_day * 86400000 WHERE state = 'handed_over'",
)


def quiet(what: str, done: int, size: int) -> None:
    assert 0 < done <= size


def write(data: Path, *statements: str) -> None:
    with closing(sqlite3.connect(data / "broker.db")) as db, db:
        for statement in statements:
            assert db.execute(statement).rowcount > 0, statement


@pytest.fixture
async def older(carried_world: World, tmp_path: Path) -> World:
    """What was carried, as the release before would have left it: nobody was warned of anything."""
    world = World(tmp_path / "older", *carried_world.agencies)
    await asyncio.to_thread(shutil.copytree, carried_world.place, world.place)
    world._pins, world.agencies = carried_world.pins, carried_world.agencies
    world.clock.ahead = carried_world.clock.ahead
    await asyncio.to_thread(write, world.data, *OLDER)
    return world


async def rows(store: Store) -> list[DeliveryRow]:
    entries = await store.entries(0, 10**6)
    keys = {(row.bulletin, row.recipient) for row in entries if row.bulletin is not None}
    return list((await store.deliveries(keys)).values())


async def test_it_is_copied_as_it_is(older: World) -> None:
    source = await SqliteStore.open(older.data)
    target = MemoryStore()
    keys = DayKeys.open(older.keys)
    await copy_store(source, target, keys, quiet)
    await compare_stores(source, target, keys, quiet)
    states = {row.state for row in await rows(target)}
    assert "accepted" in states
    assert "read" not in states
    await source.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE delivery SET state = 'rejected' WHERE state = 'accepted'",
        "UPDATE delivery SET state = 'accepted' WHERE state = 'recalled'",
        "UPDATE delivery SET deadline = deadline + 1 WHERE state = 'handed_over'",
        "UPDATE delivery SET deadline = expires WHERE state = 'unanswered'",
    ],
)
async def test_what_no_release_wrote_is_still_damage(older: World, damage: str) -> None:
    await asyncio.to_thread(write, older.data, damage)
    source = await SqliteStore.open(older.data)
    with pytest.raises(OperatorError) as caught:
        await copy_store(source, MemoryStore(), DayKeys.open(older.keys), quiet)
    assert caught.value.code == "store_damaged"
    await source.close()


async def test_what_was_read_there_is_not_read_again(older: World) -> None:
    async with older.running():
        entries = await older.broker.store.entries(0, 10**6)
        (read,) = (row.bulletin for row in entries if row.event == "read")
        assert read is not None
        facts = (await older.broker.store.bulletins([read]))[read]
        line = await older.line(B)
        said, batch = line.agency.statements(
            Event.READ, [(read, facts.ciphertext_digest)], (A, B), older.clock(), "system"
        )
        (result,) = await line.state(said, batch)
        assert result.code == "already_read"
