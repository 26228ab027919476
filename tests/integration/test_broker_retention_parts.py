"""One part of a look that fails keeps no other part, and no later day, from its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event
from support.asked import A, B
from support.broker_attachments import seal, submit
from support.brokers import World
from support.due import DUE_DAYS, carried, kept, row_of, stated, sweep, witnessed_after


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


@pytest.mark.parametrize("part", ["cleanse", "stanzas_due", "destroyable"])
async def test_what_fails_keeps_neither_the_seed_nor_the_time_acted_on(
    world: World, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    due = (await row_of(world, made)).due_day
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS)
    await sweep(world).look()
    assert await kept(world, made) == (False, False)
    await carried(world, out, await world.line(B))  # something for the store to clean after it
    out = await witnessed_after(world, out, 1)

    async def full(*_asked: Any) -> Any:
        raise OperatorError("disk_full", "injected: the disk is full")

    monkeypatch.setattr(world.broker.store, part, full)
    sweep(world)._cleansed = -1
    with pytest.raises(SaphanError, match="disk_full"):
        await sweep(world).look()
    assert world.broker.state.keys.day == due + 1
    assert world.broker.retention.armed.acted == world.broker.witnessed.now


async def test_time_that_leaps_during_a_look_is_not_taken_for_acted_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    await into.close()
    broker = world.broker
    forget = broker.store.forget

    async def leaping(day: int, limit: int) -> int:
        broker.witnessed.heard(world.clock() + 2 * LIMITS.retention_leap_ms)
        return await forget(day, limit)

    await witnessed_after(world, out, 1)
    monkeypatch.setattr(broker.store, "forget", leaping)
    for _ in range(2):
        await sweep(world).look()
    assert "retention_leap" in {alarm.code for alarm in broker.state.alarms.active()}
    assert broker.retention.armed.acted < world.clock() + DAY_MS
    assert await kept(world, made) == (True, True)


async def test_a_file_that_stays_keeps_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    (facts,) = (await world.broker.store.bulletins([made.bulletin_id])).values()
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS)
    gone: list[bytes] = []
    other = b"\x01" * 32

    async def destroy(_agency: str, bulletin: bytes, _blobs: Any) -> None:
        if bulletin == facts.id:
            raise OperatorError("blobs_unusable", "injected: it cannot be removed")
        gone.append(bulletin)

    monkeypatch.setattr(world.broker.state.blobs, "destroy", destroy)
    emptied = sweep(world)._emptied
    emptied += [facts, replace(facts, id=other)]
    for _ in range(2):
        with pytest.raises(SaphanError, match="blobs_unusable"):
            await sweep(world).look()
    assert await kept(world, made) == (False, False)
    assert gone == [other]
    assert [one.id for one in emptied] == [facts.id]


async def test_attachments_that_cannot_be_marked_keep_their_own_bulletin_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder or a bucket that takes nothing now: what has no attachment goes all the same."""
    out, into = await world.line(A), await world.line(B)
    days = world.clock() // DAY_MS + DUE_DAYS
    made = seal(world, b"a photo", retain_until=days)
    await out.bring(made.attachments)
    assert (await submit(world, out, made)).code is None
    for event in (Event.HANDOVER, Event.ACCEPTED):
        assert await stated(world, into, made, event) is None
    bare = await carried(world, out, into)
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS - 1)

    async def doom(_agency: str, _bulletin: bytes) -> None:
        raise OperatorError("blobs_unusable", "injected: it takes nothing")

    with monkeypatch.context() as patch:
        patch.setattr(world.broker.state.blobs, "doom", doom)
        out = await witnessed_after(world, out, 1)
        with pytest.raises(SaphanError, match="blobs_unusable"):
            await sweep(world).look()
        assert await kept(world, bare) == (False, False)
        assert await kept(world, made) == (True, True)
    await sweep(world).look()
    assert await kept(world, made) == (False, False)
