"""A handover of something that the store cannot read, any more or yet, stops nobody else's."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.sequencing.preparing import prepare
from saphan_broker.sequencing.work import Logged, Rejected, Stated, Submitted, Work
from saphan_broker.store.sqlite_file import STORE_NAME
from saphan_schemas.frames import Result
from saphan_schemas.records import Event
from support.agency import Agency, Made, agreement
from support.brokers import World
from support.crews import until
from support.session import Line

A, B = "la.ospp", "kh.gpo"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def sent(world: World) -> list[Made]:
    """Two bulletins from A to B, then one more directory leaf: their handovers are looked at."""
    made = [world.agencies[A].bulletin([B], world.clock()) for _ in range(2)]
    line = await world.line(A)
    results = await line.submit(*world.agencies[A].submissions(made, [world.agencies[B]]))
    assert [result.code for result in results] == [None, None]
    await world.broker.admit_operation(Agency("vn.bca", world.clock()).enrolment())
    return made


async def hand_over(world: World, into: Line, made: list[Made]) -> tuple[Result, ...]:
    about = [(one.bulletin_id, one.ciphertext_digest) for one in made]
    said, batch = world.agencies[B].statements(Event.HANDOVER, about, (A, B), world.clock())
    return await into.state(said, batch)


async def test_a_damaged_header_holds_up_its_own_handover_alone(world: World) -> None:
    into = await world.line(B)
    made = await sent(world)
    await into.until(lambda: len(into.entries) == 2)
    with sqlite3.connect(world.data / STORE_NAME) as db:
        db.execute(
            "UPDATE header SET header = zeroblob(64)"
            " WHERE seq = (SELECT seq FROM bulletin WHERE id = ?)",
            (made[0].bulletin_id,),
        )
    results = await hand_over(world, into, made)
    assert [result.code for result in results] == ["record_unreadable", None]
    assert results[0].retry_after_ms
    assert not world.broker.sequencer.broken


async def test_what_is_on_its_way_to_the_disk_waits_for_it(world: World) -> None:
    """An agreement beside the one in force is over by its date: the consignment is looked at."""
    parties = [world.agencies[A], world.agencies[B]]
    over = agreement(parties, *world.pins.lasting, world.clock(), valid_until=world.clock())
    assert (await (await world.line(A)).register(agreement=over)).code is None
    made = world.agencies[A].bulletin([B], world.clock())
    (item,), batch = world.agencies[A].submissions([made], [world.agencies[B]])
    about = [(made.bulletin_id, made.ciphertext_digest)]
    (said,), other = world.agencies[B].statements(Event.HANDOVER, about, (A, B), world.clock())
    state = world.broker.state
    await until(lambda: state.anchored == state.directory.size)  # nothing else is written now
    first = Work(Submitted(A, item, {(batch.key, batch.size, batch.root): batch}))
    then = Work(Stated(B, said, {(other.key, other.size, other.root): other}))
    writing = await prepare(state, [first], None)
    beside = await prepare(state, [then], writing)
    ((_, outcome),) = beside.outcomes
    assert isinstance(outcome, Rejected)
    assert outcome.error.code == "not_committed"
    await world.broker.committer.write(writing)
    ((_, outcome),) = (await prepare(state, [then], None)).outcomes
    assert isinstance(outcome, Logged)
    assert not state.alarms.active()
