"""What is due is destroyed at the broker: an entry for each delivery, then stanza, body, key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.seeds import DayKeys
from saphan_protocol.evidence import parse_leaf
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event, LeafType
from support.asked import A, B, time_goes_on
from support.brokers import World
from support.due import (
    DUE_DAYS,
    carried,
    consigned,
    entries,
    kept,
    row_of,
    sweep,
    witnessed_after,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def test_destroyed_is_logged_with_its_target_and_takes_stanza_and_body(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS - 1)
    await sweep(world).look()
    assert await kept(world, made) == (True, True)

    out = await witnessed_after(world, out, 1)
    await sweep(world).look()
    row = await row_of(world, made)
    assert await kept(world, made) == (False, False)
    assert (row.state, row.deadline, row.holds) == ("accepted", None, 0)
    await out.until(lambda: bool(entries(out, made, Event.DESTROYED)))
    ((index, word),) = entries(out, made, Event.DESTROYED)
    assert index == row.destroyed
    assert (word.issuer, word.code, word.detail) == ("broker", "due", None)
    (leaf,) = await world.broker.store.leaves("evidence", index, index + 1)
    parsed = parse_leaf(leaf)
    assert (parsed.type, parsed.target) == (LeafType.DESTROYED, row.submitted)
    for _ in range(2):
        await sweep(world).look()
    assert len(entries(out, made, Event.DESTROYED)) == 1
    said = out.entries[index][0].statement  # nobody asks for it by its identity
    assert await world.broker.store.statements([(made.bulletin_id, said, B)]) == {}

    into = await world.line(B)
    assert await into.stanzas(made.bulletin_id) == (None,)
    await into.until(lambda: row.submitted in into.entries)
    _entry, given = into.entries[row.submitted]
    assert (given.header, given.ciphertext) == (None, None)


async def test_the_days_key_goes_a_day_later_in_memory_and_in_the_file(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    due = (await row_of(world, made)).due_day
    sealed = world.broker.state.keys.wrap(due, b"a stanza of an old copy", b"")
    await into.close()
    for day in (0, 1):
        out = await witnessed_after(world, out, DUE_DAYS if day == 0 else 1)
        await sweep(world).look()
        assert world.broker.state.keys.day == due + day
    for held in (world.broker.state.keys, DayKeys.open(world.keys)):
        with pytest.raises(OperatorError, match="day_key_destroyed"):
            held.unwrap(due, sealed, b"")


async def test_nothing_goes_on_time_that_no_witness_has_seen(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    await into.close()
    out = await time_goes_on(world, out, (DUE_DAYS + 1) * DAY_MS)
    await sweep(world).look()
    assert await kept(world, made) == (True, True)
    origin = world.pins.evidence.origin
    await out.until(lambda: out.heads[origin].time >= world.clock() // 1000 - 5)


async def test_at_the_days_first_instant_witnesses_are_asked_for_the_time(world: World) -> None:
    """Nobody sends anything at midnight, and no deadline asks: what is due must not wait."""
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS - 1)
    world.clock.ahead += DAY_MS  # with the session open, and no word from its node
    origin, now = world.pins.evidence.origin, world.clock() // 1000
    await out.until(lambda: out.heads[origin].time >= now - 5)
    await out.cosign(out.heads[origin])
    await out.until(lambda: bool(entries(out, made, Event.DESTROYED)))
    assert await kept(world, made) == (False, False)


async def test_what_was_never_fetched_expires_first(world: World) -> None:
    out = await world.line(A)
    made = await consigned(world, out)
    out = await witnessed_after(world, out, DUE_DAYS)
    await sweep(world).look()
    await world.broker._sweep.look()
    await sweep(world).look()
    assert await kept(world, made) == (False, False)
    await out.until(lambda: bool(entries(out, made, Event.DESTROYED)))
    ((expired, _),) = entries(out, made, Event.EXPIRED)
    ((gone, _),) = entries(out, made, Event.DESTROYED)
    assert expired < gone


async def test_a_pile_that_nobody_fetched_ends_in_one_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause after each batch would keep 100,000 of them for minutes past their day."""
    monkeypatch.setattr("saphan_broker.sequencing.expiry.DUE_AT_ONCE", 4)
    out = await world.line(A)
    many = [await consigned(world, out) for _ in range(10)]
    await world.broker.role._duties.end()  # type: ignore[attr-defined]  # only our own looks
    out = await witnessed_after(world, out, DUE_DAYS)
    await world.broker._sweep.look()
    assert [(await row_of(world, made)).state for made in many] == ["expired"] * 10


async def test_many_are_destroyed_in_batches_and_all_of_them(world: World) -> None:
    out = await world.line(A)
    many = [await consigned(world, out) for _ in range(40)]
    later = await consigned(world, out, DUE_DAYS + 1)
    out = await witnessed_after(world, out, DUE_DAYS)
    await world.broker._sweep.look()
    await sweep(world).look()
    assert [await kept(world, made) for made in many] == [(False, False)] * 40
    assert await kept(world, later) == (True, True)
    assert world.broker.state.counters.destroyed == 40


async def test_records_and_salts_go_after_their_own_life_and_the_leaves_stay(world: World) -> None:
    """Ten years in leaps that a person confirms: the whole bulletin is unknown then."""
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    row = await row_of(world, made)
    broker, size = world.broker, world.broker.state.evidence.tree.size
    leaf = await broker.store.leaves("evidence", row.submitted, row.submitted + 1)
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS)
    await sweep(world).look()
    assert (await broker.store.entries(0, size)) != []
    await out.close()
    world.clock.ahead += (LIMITS.record_days + 1) * DAY_MS
    later = world.clock()
    broker.witnessed.heard(later)
    await asyncio.to_thread(broker.retention.armed.confirm, later)
    await broker._sweep.look()  # what witnessed the time was a bulletin, too
    await sweep(world).look()
    assert await broker.store.entries(0, size) == []
    assert await broker.store.bulletins([made.bulletin_id]) == {}
    assert await broker.store.bodies([made.bulletin_id]) == {}
    assert await broker.store.leaves("evidence", row.submitted, row.submitted + 1) == leaf
    assert broker.state.keys.day == later // DAY_MS
    assert broker.state.counters.forgotten > 0
