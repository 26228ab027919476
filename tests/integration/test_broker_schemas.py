"""Agencies' own schemas at a running broker: registered by roots, kept, given to who asks."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from saphan_broker.fsck import fsck, last_heads
from saphan_broker.moving.comparing import compare_stores
from saphan_broker.moving.copying import copy_store
from saphan_broker.seeds import DayKeys
from saphan_broker.serving_keys import read_keys
from saphan_broker.sessions import requests
from saphan_broker.store.base import Store
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.sqlite import SqliteStore
from saphan_broker.store.sqlite_reader import SqliteReader
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import SchemaPackage
from saphan_schemas.errors import OperatorError
from saphan_schemas.profile import open_bundle
from saphan_schemas.records import Role
from support.agency import seed
from support.brokers import World
from support.ceremony import Ceremony, add, revoke
from support.own_types import BODY, OWN, bundle, package, registration

A, B = "la.ospp", "kh.gpo"


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """A broker with two agencies, which runs only where a test says so."""
    world = World(tmp_path, A, B)
    await world.init()
    return world


async def test_a_registered_schema_is_given_to_everybody_in_parts(world: World) -> None:
    data = bundle()
    async with world.running():
        await world.enrol()
        mine, other = await world.line(A), await world.line(B)
        registered = await mine.register(schema=package(world.agencies[A]))
        assert registered.code is None, registered
        (index,) = registered.indices
        await other.until(lambda: len(other.leaves) > index)
        size = len(data) // 2 + 1
        parts = [await other.schema(OWN, at, size) for at in (0, size)]
        assert b"".join(part.data or b"" for part in parts) == data
        assert (await other.schema(OWN, len(data))).data == b""


async def test_the_same_registration_has_its_first_answer(world: World) -> None:
    async with world.running():
        await world.enrol()
        mine, other = await world.line(A), await world.line(B)
        first = await mine.register(schema=package(world.agencies[A]))
        again = await other.register(schema=package(world.agencies[A]))
        assert (again.code, again.indices) == (None, first.indices)
        changed = bundle(body=BODY | {"required": ["patrols"]})
        result = await mine.register(schema=package(world.agencies[A], data=changed))
        assert result.code == "schema_registered"


async def test_what_is_refused_leaves_no_leaf(world: World) -> None:
    la = world.agencies[A]
    async with world.running():
        await world.enrol()
        line = await world.line(A)
        size = world.broker.state.directory.size
        other = "kh.gpo/field_report/1"
        wanted = {
            package(la, other): "schema_namespace",
            package(la, given=bundle(body=BODY | {"required": ["patrols"]})): (
                "schema_bundle_differs"
            ),
            package(la, data=bundle("la.ospp/other/1")): "schema_frame",
            package(la, data=b"\x80"): "schema_frame",
            registration(la): "malformed",
        }
        for given, code in wanted.items():
            assert (await line.register(schema=given)).code == code
        assert world.broker.state.directory.size == size
        assert (await line.schema(OWN)).code == "schema_unregistered"


async def test_the_next_version_only_grows(world: World) -> None:
    la, second = world.agencies[A], "la.ospp/field_report/2"
    narrower = BODY | {"required": [*BODY["required"], "extra"]}
    narrower["properties"] = BODY["properties"] | {"extra": {"type": "string", "maxLength": 9}}
    wider = narrower | {"required": BODY["required"]}
    async with world.running():
        await world.enrol()
        line = await world.line(A)
        early = await line.register(schema=package(la, second, bundle(second)))
        assert early.code == "schema_version"
        assert (await line.register(schema=package(la))).code is None
        refused = await line.register(schema=package(la, second, bundle(second, narrower)))
        assert refused.code == "schema_growth"
        taken = await line.register(schema=package(la, second, bundle(second, wider)))
        assert taken.code is None, taken


async def test_a_schema_made_to_be_slow_keeps_nobody_else_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is looked at, the log takes what others bring."""
    other, fresh = world.agencies[B], SigningKey(Role.ROOT, seed("the next root", 64))
    ceremony = Ceremony(other)
    ceremony.enrol()
    rotation = ceremony.operate([add(Role.ROOT, fresh.public)], [fresh], [other.root, fresh])
    begun, end = threading.Event(), threading.Event()

    def slow(name: str, data: bytes) -> dict[str, Any]:
        begun.set()
        assert end.wait(30)
        return open_bundle(name, data)

    monkeypatch.setattr(requests, "open_bundle", slow)
    async with world.running():
        await world.enrol()
        mine, line = await world.line(A), await world.line(B)
        waits = asyncio.create_task(mine.register(schema=package(world.agencies[A])))
        try:
            await asyncio.to_thread(begun.wait, 30)
            taken = await asyncio.wait_for(line.register(rotation), 20)
        finally:
            end.set()
        assert taken.code is None, taken
        assert (await waits).code is None


async def test_only_an_agency_s_roots_make_the_broker_look_at_a_schema(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(name: str, data: bytes) -> dict[str, Any]:
        raise AssertionError

    monkeypatch.setattr(requests, "open_bundle", never)
    la, kh = world.agencies[A], world.agencies[B]
    data = bundle()
    signed = registration(la, OWN, data, roots=[kh.root])
    async with world.running():
        await world.enrol()
        line = await world.line(A)
        refused = await line.register(schema=encode(SchemaPackage(signed, data)))
        assert refused.code == "schema_roots"


async def test_a_revoked_root_registers_nothing_more(world: World) -> None:
    """What it has registered stays, and its successor goes on."""
    la, fresh = world.agencies[A], SigningKey(Role.ROOT, seed("the next root", 64))
    ceremony = Ceremony(la)
    ceremony.enrol()
    changes = [add(Role.ROOT, fresh.public), revoke(Role.ROOT, la.root.key_id)]
    rotation = ceremony.operate(changes, [fresh], [la.root, fresh])
    second = "la.ospp/field_report/2"
    data = bundle(second)
    async with world.running():
        await world.enrol()
        line = await world.line(A)
        assert (await line.register(schema=package(la))).code is None
        assert (await line.register(rotation)).code is None
        assert (await line.register(schema=package(la, second, data))).code == "schema_roots"
        signed = registration(la, second, data, roots=[fresh])
        taken = await line.register(schema=encode(SchemaPackage(signed, data)))
        assert taken.code is None, taken
        assert (await line.schema(OWN)).data == bundle()


async def test_a_bundle_is_there_after_a_restart(world: World) -> None:
    async with world.running():
        await world.enrol()
        line = await world.line(A)
        assert (await line.register(schema=package(world.agencies[A]))).code is None
    async with world.running():
        line = await world.line(B)
        assert (await line.schema(OWN)).data == bundle()


async def test_a_bundle_that_the_store_has_lost_is_an_alarm(world: World) -> None:
    async with world.running():
        await world.enrol()
        line = await world.line(A)
        assert (await line.register(schema=package(world.agencies[A]))).code is None
    _forget_bundles(world)
    async with world.running():
        line = await world.line(B)
        assert (await line.schema(OWN)).code == "schema_missing"
        assert "schema_missing" in {one.code for one in world.broker.state.alarms.active()}


async def test_copies_have_the_bundle_and_a_store_without_it_is_damaged(
    world: World, tmp_path: Path
) -> None:
    async with world.running():
        await world.enrol()
        line = await world.line(A)
        assert (await line.register(schema=package(world.agencies[A]))).code is None
    assert await checked(world)
    source, keys = await SqliteStore.open(world.data), DayKeys.open(world.keys)
    memory = MemoryStore()
    await copy_store(source, memory, keys, _quiet, block=4)
    await compare_stores(source, memory, keys, _quiet, block=4)
    assert await bundles(memory) == [bundle()]
    await source.close()
    _forget_bundles(world)
    source = await SqliteStore.open(world.data)
    with pytest.raises(OperatorError, match="schema of directory leaf"):
        await copy_store(source, MemoryStore(), keys, _quiet, block=4)
    await source.close()
    with pytest.raises(OperatorError, match="schema that directory leaf"):
        await checked(world)


async def bundles(store: Store) -> list[bytes]:
    size = (await store.state("directory")).head.size
    return [data for data in (await store.packages(0, size)).values() if data == bundle()]


async def checked(world: World) -> bool:
    """Whether `saphan-broker fsck` finds nothing."""
    pins, _ = read_keys(world.keys)
    source = await SqliteReader.open(world.data)
    try:
        keys = DayKeys.open(world.keys)
        return (await fsck(source, keys, pins, last_heads(world.keys, pins), _quiet)).good
    finally:
        await source.close()


def _forget_bundles(world: World) -> None:
    with closing(sqlite3.connect(world.data / "broker.db")) as db, db:
        assert db.execute("DELETE FROM package WHERE package = ?", (bundle(),)).rowcount == 1


def _quiet(what: str, done: int, size: int) -> None:
    assert 0 <= done <= size
