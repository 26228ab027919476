"""What is held stays at the broker past its day, and goes when the last hold is released."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan_broker.store.base import Commit
from saphan_protocol.hold_order import parse_hold
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event
from support.agency import Made
from support.asked import A, B
from support.brokers import World
from support.due import DUE_DAYS, carried, entries, kept, row_of, stated, sweep, witnessed_after
from support.retained import hold_by
from support.session import Line

C = "th.oncb"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def ordered(line: Line, number: int = 1, release: bytes | None = None) -> bytes:
    """The line's agency registers a hold order; its commitment."""
    package = hold_by(line.agency, number, release)
    result = await line.register(hold=package)
    assert result.code is None, result
    return parse_hold(package).commitment


async def holds(
    world: World,
    line: Line,
    made: Made,
    order: bytes,
    event: Event = Event.HELD,
    target: int | None = None,
) -> str | None:
    """The code with which `held` or `released` is refused."""
    name = line.agency.name
    about = (await row_of(world, made)).submitted if target is None else target
    return await stated(world, line, made, event, corridor=(name, name), detail=order, target=about)


async def test_held_by_either_party_it_stays_until_the_last_hold_ends(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    ours, theirs = await ordered(out), await ordered(into)
    assert await holds(world, out, made, ours) is None
    assert await holds(world, into, made, theirs) is None
    assert (await row_of(world, made)).holds == 2
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS)
    await sweep(world).look()
    assert await kept(world, made) == (True, True)

    out_release = await ordered(out, 2, ours)
    assert await holds(world, out, made, out_release, Event.RELEASED) is None
    await sweep(world).look()
    assert await kept(world, made) == (True, True)
    into = await world.line(B)
    into_release = await ordered(into, 2, theirs)
    assert await holds(world, into, made, into_release, Event.RELEASED) is None
    await sweep(world).look()
    assert await kept(world, made) == (False, False)
    await out.until(lambda: bool(entries(out, made, Event.DESTROYED)))
    assert await holds(world, into, made, theirs) == "hold_over"
    other = await ordered(into, 3)
    assert await holds(world, into, made, other) == "after_destruction"


async def test_the_seed_goes_on_and_the_held_stanza_still_opens(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    held, gone = await carried(world, out, into), await carried(world, out, into)
    (before,) = await into.stanzas(held.bulletin_id)
    assert before is not None
    assert await holds(world, into, held, await ordered(into)) is None
    due = (await row_of(world, held)).due_day
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS + 1)
    for _ in range(2):
        await sweep(world).look()
    assert world.broker.state.keys.day == due + 1
    key = (held.bulletin_id, B)
    (stanza,) = (await world.broker.store.stanzas([key])).values()
    assert stanza.due_day == due + 1 + LIMITS.held_days
    assert await kept(world, gone) == (False, False)
    into = await world.line(B)
    assert await into.stanzas(held.bulletin_id, gone.bulletin_id) == (before, None)
    out = await witnessed_after(world, out, LIMITS.held_days + 1)
    await sweep(world).look()
    into = await world.line(B)
    assert await into.stanzas(held.bulletin_id) == (before,)
    assert world.broker.state.keys.day == due + 2 + LIMITS.held_days


async def test_what_a_hold_may_not_say(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    order = await ordered(out)
    assert await holds(world, out, made, bytes(32)) == "hold_unknown"
    assert await holds(world, into, made, order) == "hold_unknown"
    assert await holds(world, out, made, order, target=0) == "bulletin_unknown"
    assert await holds(world, out, made, order, Event.RELEASED) == "hold_action"
    assert await holds(world, out, made, order) is None
    assert await holds(world, out, made, order) == "held_before"
    release = await ordered(out, 2, order)
    assert await holds(world, out, made, release, Event.RELEASED) is None
    assert await holds(world, out, made, release, Event.RELEASED) == "released_unheld"
    assert await holds(world, out, made, order) == "hold_over"
    assert (await row_of(world, made)).holds == 0


async def test_the_same_word_again_gets_its_first_answer(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    order = await ordered(out)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    target = (await row_of(world, made)).submitted
    items, batch = out.agency.statements(
        Event.HELD, about, (A, A), world.clock(), detail=order, target=target
    )
    ((first,), (second,)) = (await out.state(items, batch), await out.state(items, batch))
    assert (first.code, second.code) == (None, None)
    assert first.indices == second.indices
    assert (await row_of(world, made)).holds == 1


async def test_a_held_stanza_that_does_not_open_keeps_its_key_and_nothing_else(
    world: World,
) -> None:
    """A disk has changed its bytes: it is an alarm, its neighbours and the log go on."""
    out, into = await world.line(A), await world.line(B)
    many = [await carried(world, out, into) for _ in range(3)]
    order = await ordered(into)
    for made in many[:2]:
        assert await holds(world, into, made, order) is None
    broker, row = world.broker, await row_of(world, many[0])
    key = (many[0].bulletin_id, B)
    (stanza,) = (await broker.store.stanzas([key])).values()
    head = (await broker.store.state("evidence")).head
    damaged = replace(stanza, sealed=stanza.sealed[:-1] + bytes([stanza.sealed[-1] ^ 1]))
    time = broker.state.evidence.time
    again = Commit(
        log="evidence", expected=head, head=head, time=time, leaves=[], tiles={}, stanzas=[damaged]
    )
    await broker.store.commit(again)
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS + 2)
    with pytest.raises(OperatorError, match="unwrap_failed"):
        await sweep(world).look()
    (stanza,) = (await broker.store.stanzas([(many[1].bulletin_id, B)])).values()
    assert stanza.due_day > row.due_day
    assert await kept(world, many[2]) == (False, False)
    assert broker.state.keys.day == row.due_day
    assert "seed_kept" in {alarm.code for alarm in broker.state.alarms.active()}
    await carried(world, out, await world.line(B, resume=into))


async def test_the_body_goes_with_the_last_of_several_deliveries(tmp_path: Path) -> None:
    """One recipient holds, the other never fetched it: only what is the other's goes."""
    world = World(tmp_path, A, B, C)
    await world.init()
    async with world.running():
        await world.enrol()
        out, into = await world.line(A), await world.line(B)
        retain_until = world.clock() // DAY_MS + DUE_DAYS
        made = world.agencies[A].bulletin([B, C], world.clock(), retain_until=retain_until)
        to = [world.agencies[B], world.agencies[C]]
        items, batch = world.agencies[A].submissions([made], to)
        (result,) = await out.submit(items, batch)
        assert result.code is None, result
        for event in (Event.HANDOVER, Event.ACCEPTED):
            assert await stated(world, into, made, event) is None
        order = await ordered(into)
        theirs = (await row_of(world, made, C)).submitted
        assert await holds(world, into, made, order, target=theirs) == "bulletin_unknown"
        assert await holds(world, into, made, order) is None
        out = await witnessed_after(world, out, DUE_DAYS)
        await world.broker._sweep.look()
        await sweep(world).look()
        assert await kept(world, made, B) == (True, True)
        assert await kept(world, made, C) == (True, False)
        assert (await row_of(world, made, C)).state == "expired"
        release = await ordered(into, 2, order)
        assert await holds(world, into, made, release, Event.RELEASED) is None
        await sweep(world).look()
        assert await kept(world, made, B) == (False, False)
