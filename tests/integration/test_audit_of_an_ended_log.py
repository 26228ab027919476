"""What a real broker has logged to the end of bulletins' lives: its own audit finds nothing wrong,
whatever was refused on the way; and finds what its keeper did against the rule."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.fsck import Checked, fsck, last_heads
from saphan_broker.sequencing.work import Destruction
from saphan_protocol.audit.report import AuditStep
from saphan_protocol.hold_order import parse_hold
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event
from support.agency import Made
from support.asked import A, B
from support.audits import at, found
from support.brokers import World
from support.due import DUE_DAYS, carried, consigned, row_of, stated, sweep, witnessed_after
from support.retained import hold_by
from support.session import Line


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def checked(world: World) -> Checked:
    state = world.broker.state
    signed = last_heads(world.keys, world.pins)
    return await fsck(world.broker.store, state.keys, world.pins, signed, lambda *_: None)


async def held(world: World, line: Line, made: Made, number: int, release: bytes | None) -> bytes:
    """The line's agency orders, and says so of the delivery; the order's commitment."""
    package = hold_by(line.agency, number, release)
    assert (await line.register(hold=package)).code is None
    order, name = parse_hold(package).commitment, line.agency.name
    event = Event.HELD if release is None else Event.RELEASED
    more = {"detail": order, "target": (await row_of(world, made)).submitted}
    assert await stated(world, line, made, event, None, (name, name), **more) is None
    return order


async def test_a_log_of_whole_lives_has_nothing_wrong_in_it(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    kept, plain = await carried(world, out, into), await carried(world, out, into)
    silent = await consigned(world, out)
    order = await held(world, into, kept, 1, None)
    for line, made, event, code in (
        (into, plain, Event.READ, None),
        (into, plain, Event.OBEYED, None),  # refused: nobody recalled it
        (out, plain, Event.RECALLED, "wrong_person"),
        (out, plain, Event.RECALLED, "error"),  # refused: once
        (into, plain, Event.DECLINED, "own_investigation"),
        (into, plain, Event.OBEYED, None),
        (into, plain, Event.ERASED, "recalled"),
        (into, plain, Event.ERASED, "closed"),  # refused: once
        (out, kept, Event.HOLD_ASKED, "release"),
        (into, kept, Event.HOLD_ANSWERED, "kept"),
    ):
        await stated(world, line, made, event, code)
    assert await stated(world, out, plain, Event.ERASED, "closed", (A, A)) is None
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS)
    await world.broker._sweep.look()  # what nobody fetched expires first
    await sweep(world).look()
    rows = [await row_of(world, made) for made in (kept, plain, silent)]
    assert [row.destroyed is not None for row in rows] == [False, True, True]
    into = await world.line(B)
    await held(world, into, kept, 2, order)
    await into.close()
    out = await witnessed_after(world, out, 2)
    assert (await checked(world)).report.finding is None, "within the grace time"
    await sweep(world).look()
    report = (await checked(world)).report
    assert report.finding is None
    seen = report.coverage
    assert seen.entries == seen.entries_opened
    assert (seen.logged["destroyed"], seen.logged["refused"]) == (3, 3)
    assert (seen.destruction_waits, seen.destruction_held, seen.holds_closed) == (0, 0, 0)


async def test_who_destroys_against_his_own_rule_is_found_by_his_own_audit(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    row = await row_of(world, made)
    await sweep(world)._submit(Destruction((row,), row.due_day)).outcome
    index = (await row_of(world, made)).destroyed
    report = (await checked(world)).report
    assert found(report) == at(index, AuditStep.DELIVERY, "destroyed_early")


async def test_who_never_looks_at_what_is_due_is_found_too(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    await into.close()
    world.broker.retention.sweep._guard.day = lambda: None  # type: ignore[method-assign]
    days = LIMITS.destruction_grace_ms // 86_400_000 + 1
    await witnessed_after(world, out, DUE_DAYS + days)
    report = (await checked(world)).report
    target = (await row_of(world, made)).submitted
    assert found(report) == at(target, AuditStep.DESTRUCTION, "destruction_missing")
