"""What may be said after an outcome, as the broker judges it: recalls, answers, erasures, asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event
from support.asked import A, B
from support.brokers import World
from support.due import (
    DUE_DAYS,
    carried,
    consigned,
    entries,
    row_of,
    stated,
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


async def test_a_recall_stops_what_was_not_fetched(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await consigned(world, out)
    assert await stated(world, out, made, Event.RECALLED, "error") is None
    row = await row_of(world, made)
    assert (row.state, row.deadline) == ("recalled", None)
    assert await stated(world, into, made, Event.HANDOVER) == "already_decided"
    assert await stated(world, out, made, Event.RECALLED, "error") == "recalled_before"
    assert await stated(world, into, made, Event.OBEYED) is None


async def test_a_later_recall_is_answered_once_and_the_state_stays(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    before = await row_of(world, made)
    assert await stated(world, into, made, Event.OBEYED) == "not_recalled"
    assert await stated(world, into, made, Event.RECALLED, "error") == "issuer_wrong"
    codes = [
        await stated(world, line, made, event, code)
        for line, event, code in (
            (out, Event.RECALLED, "wrong_person"),
            (out, Event.RECALLED, "error"),
            (into, Event.DECLINED, "legal_hold"),
            (into, Event.DECLINED, "court_order"),
            (into, Event.OBEYED, None),
            (into, Event.DECLINED, "legal_hold"),
            (into, Event.READ, None),
        )
    ]
    answered = "answered_before"
    assert codes == [None, "recalled_before", None, answered, None, answered, None]
    after = await row_of(world, made)
    assert (after.state, after.deadline, after.submitted) == ("read", None, before.submitted)
    (stanza,) = await into.stanzas(made.bulletin_id)
    assert stanza is not None


async def test_a_recall_between_handover_and_answer_leaves_the_answer_open(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await consigned(world, out)
    assert await stated(world, into, made, Event.HANDOVER) is None
    handed = await row_of(world, made)
    assert await stated(world, out, made, Event.RECALLED, "consent_withdrawn") is None
    assert await row_of(world, made) == handed
    assert await stated(world, into, made, Event.ACCEPTED) is None
    assert await stated(world, into, made, Event.OBEYED) is None


async def test_each_holder_says_once_that_it_has_erased(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made, waiting = await carried(world, out, into), await consigned(world, out)
    assert await stated(world, into, waiting, Event.ERASED, "due") == "order_illegal"
    for line, corridor in ((into, (A, B)), (out, (A, A))):
        assert await stated(world, line, made, Event.ERASED, "closed", corridor) is None
        assert await stated(world, line, made, Event.ERASED, "due", corridor) == "erased_before"
    assert await stated(world, into, made, Event.ERASED, "due", (B, B)) == "bulletin_unknown"


async def test_words_about_copies_follow_a_destruction(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    await into.close()
    out = await witnessed_after(world, out, DUE_DAYS)
    await sweep(world).look()
    into = await world.line(B)
    codes = [
        await stated(world, line, made, event, code)
        for line, event, code in (
            (out, Event.RECALLED, "court_order"),
            (into, Event.OBEYED, None),
            (into, Event.ERASED, "recalled"),
            (into, Event.READ, None),
            (into, Event.HANDOVER, None),
        )
    ]
    assert codes == [None, None, None, None, "after_destruction"]
    assert (await row_of(world, made)).destroyed is not None


async def test_both_parties_ask_and_answer_about_holds(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = await carried(world, out, into)
    for line, event, code in (
        (out, Event.HOLD_ASKED, "hold"),
        (into, Event.HOLD_ANSWERED, "kept"),
        (into, Event.HOLD_ASKED, "hold"),
        (out, Event.HOLD_ANSWERED, "not_kept"),
        (out, Event.HOLD_ASKED, "release"),
    ):
        assert await stated(world, line, made, event, code) is None
    await into.until(lambda: len(entries(into, made, Event.HOLD_ASKED)) == 3)


async def test_what_is_said_to_be_due_has_come_to_its_last_day(world: World) -> None:
    """That day stands in the header alone; the broker's own due-day came a fortnight before."""
    out, into = await world.line(A), await world.line(B)
    expires = world.clock() + 6 * DAY_MS
    made = await carried(world, out, into, 50, expires=expires)
    due = (await row_of(world, made)).due_day
    await into.close()
    half = 1 + (due - world.clock() // DAY_MS) // 2
    for _ in range(2):  # at once it would be a leap
        out = await witnessed_after(world, out, half)
        await sweep(world).look()
    assert (await row_of(world, made)).destroyed is not None
    into = await world.line(B)
    both = ((into, (A, B)), (out, (A, A)))
    for line, corridor in both:
        assert await stated(world, line, made, Event.ERASED, "due", corridor) == "erased_early"
    refused = await stated(world, into, made, Event.ERASED, "recalled")
    assert refused == "erased_unrecalled"
    await into.close()
    out = await witnessed_after(world, out, 50)
    into = await world.line(B)
    for line, corridor in ((into, (A, B)), (out, (A, A))):
        assert await stated(world, line, made, Event.ERASED, "due", corridor) is None
