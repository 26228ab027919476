"""Delivered and not answered in time: said once, on witnessed time, and ends nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.sequencing.work import Expiry
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event
from support.asked import (
    A,
    B,
    delivery,
    handed_over,
    said,
    submitted,
    time_goes_on,
    witnessed_now,
    words,
)
from support.brokers import World

HOUR_MS = 3_600_000


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def test_unanswered_is_logged_once_and_only_on_witnessed_time(world: World) -> None:
    answer_by = world.clock() + HOUR_MS
    made, out = await handed_over(world, answer_by)
    assert (await delivery(world, made)).deadline == answer_by
    out = await time_goes_on(world, out, 2 * HOUR_MS)
    await world.broker._sweep.look()
    row = await delivery(world, made)
    assert (row.state, row.deadline) == ("handed_over", answer_by)

    await witnessed_now(world, out)
    for _ in range(3):
        await world.broker._sweep.look()
    await out.until(lambda: bool(words(out, made, Event.UNANSWERED)))
    row = await delivery(world, made)
    assert (row.state, row.deadline) == ("unanswered", row.due_day * DAY_MS)
    (word,) = words(out, made, Event.UNANSWERED)
    assert (word.issuer, word.code, word.detail) == ("broker", "no_answer", None)
    assert word.ciphertext == made.ciphertext_digest
    assert word.time >= answer_by


async def test_two_looks_at_one_deadline_say_it_once(world: World) -> None:
    """Both are in one group: what the first one says has another deadline, which is far."""
    made, out = await handed_over(world, world.clock() + HOUR_MS)
    await time_goes_on(world, out, 2 * HOUR_MS)
    due = Expiry(made.bulletin_id, A, B, world.clock())
    for work in [world.broker._sweep._submit(due) for _ in range(2)]:
        await work.outcome
    assert (await delivery(world, made)).state == "unanswered"


async def test_a_later_answer_counts_and_is_the_only_one(world: World) -> None:
    made, out = await handed_over(world, world.clock() + HOUR_MS)
    out = await time_goes_on(world, out, 2 * HOUR_MS)
    await witnessed_now(world, out)
    await world.broker._sweep.look()
    into = await world.line(B)
    codes = [
        await said(world, into, made, event, code)
        for event, code in (
            (Event.HANDOVER, None),
            (Event.READ, None),
            (Event.ACCEPTED, None),
            (Event.REJECTED, "rule_broken"),
            (Event.READ, None),
            (Event.READ, "system"),
        )
    ]
    assert codes == [
        "order_illegal",
        "order_illegal",
        None,
        "already_decided",
        None,
        "already_read",
    ]
    row = await delivery(world, made)
    assert (row.state, row.deadline) == ("read", None)


async def test_the_stanza_is_given_out_as_before(world: World) -> None:
    """A handover released it: neither the warning nor a reading takes that back."""
    made, out = await handed_over(world, world.clock() + HOUR_MS)
    out = await time_goes_on(world, out, 2 * HOUR_MS)
    await witnessed_now(world, out)
    await world.broker._sweep.look()
    into = await world.line(B)
    for event, state in ((Event.ACCEPTED, "unanswered"), (Event.READ, "accepted"), (None, "read")):
        assert (await delivery(world, made)).state == state
        (stanza,) = await into.stanzas(made.bulletin_id)
        assert stanza is not None
        assert event is None or await said(world, into, made, event) is None


async def test_what_stays_unanswered_expires_at_its_due_day(world: World) -> None:
    made, out = await handed_over(world, world.clock() + HOUR_MS)
    for ms, state in ((2 * HOUR_MS, "unanswered"), (50 * DAY_MS, "expired")):
        out = await time_goes_on(world, out, ms)
        await witnessed_now(world, out)
        await world.broker._sweep.look()
        assert (await delivery(world, made)).state == state
    await out.until(lambda: bool(words(out, made, Event.EXPIRED)))
    assert [word.code for word in words(out, made, Event.EXPIRED)] == ["no_outcome"]
    into = await world.line(B)
    assert await said(world, into, made, Event.ACCEPTED) == "already_decided"


async def test_both_times_are_over_at_once_and_both_are_said(world: World) -> None:
    """The broker, or every witness, was away for months."""
    made, out = await handed_over(world, world.clock() + HOUR_MS)
    out = await time_goes_on(world, out, 50 * DAY_MS)
    await witnessed_now(world, out)
    for _ in range(2):
        await world.broker._sweep.look()
    assert (await delivery(world, made)).state == "expired"
    await out.until(lambda: bool(words(out, made, Event.EXPIRED)))
    assert len(words(out, made, Event.UNANSWERED)) == 1


async def test_who_answers_in_time_or_takes_it_late_is_never_called_unanswered(
    world: World,
) -> None:
    answer_by = world.clock() + HOUR_MS
    made, out = await handed_over(world, answer_by)
    late = await submitted(world, out, answer_by)
    into = await world.line(B)
    assert await said(world, into, made, Event.REJECTED, "rule_broken") is None
    await into.close()
    out = await time_goes_on(world, out, 2 * HOUR_MS)
    into = await world.line(B)
    assert await said(world, into, late, Event.HANDOVER) is None
    await witnessed_now(world, out)
    await world.broker._sweep.look()
    assert (await delivery(world, made)).state == "rejected"
    row = await delivery(world, late)
    assert (row.state, row.deadline) == ("handed_over", row.due_day * DAY_MS)
    assert not words(out, made, Event.UNANSWERED)


async def test_unopened_after_the_warning_is_consigned_anew_without_a_second_one(
    world: World,
) -> None:
    made, out = await handed_over(world, world.clock() + HOUR_MS)
    out = await time_goes_on(world, out, 2 * HOUR_MS)
    await witnessed_now(world, out)
    await world.broker._sweep.look()
    into = await world.line(B)
    assert await said(world, into, made, Event.UNOPENED, "stanza_unopenable") is None
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (result,) = await out.submit(items, batch)
    assert result.code is None
    assert await said(world, into, made, Event.HANDOVER) is None
    await witnessed_now(world, out)
    await world.broker._sweep.look()
    assert (await delivery(world, made)).state == "handed_over"
    assert len(words(out, made, Event.UNANSWERED)) == 1


async def test_an_agency_cannot_say_it_for_the_broker(world: World) -> None:
    made, out = await handed_over(world, world.clock() + HOUR_MS)
    for line in (out, await world.line(B)):
        assert await said(world, line, made, Event.UNANSWERED, "no_answer") == "issuer_wrong"
