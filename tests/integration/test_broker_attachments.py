"""Attachments at a running broker: brought in parts, named by a submission, fetched in parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_protocol.admission import measure
from saphan_schemas.frames import FeedEntry
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import Event
from support.agency import Made
from support.broker_attachments import (
    PHOTO,
    REPORT,
    A,
    B,
    C,
    attached_world,
    final,
    seal,
    staged,
    state,
    submit,
)
from support.brokers import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with attached_world(tmp_path) as made:
        yield made


# --- the good way --------------------------------------------------------------------------------


async def test_attachments_cross_whole(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = seal(world, PHOTO, REPORT)
    sent = await out.bring(made.attachments)
    assert sent == sum(map(len, made.attachments))
    result = await submit(world, out, made)
    assert result.code is None, result
    assert (final(world, made), staged(world)) == (list(made.attachments), [])

    _, arrived = await into.entry(result.indices[0])
    assert arrived.attachments == made.blobs
    assert await into.fetch_whole(made.bulletin_id, 0) == made.ciphertext
    for place, data in enumerate(made.attachments, 1):
        assert await into.fetch_whole(made.bulletin_id, place) == data
    assert await state(world, into, Event.HANDOVER, made) == "logged"
    assert await state(world, into, Event.ACCEPTED, made) == "logged"
    assert await into.fetch_whole(made.bulletin_id, 1) == made.attachments[0]


async def test_a_bulletin_without_its_attachments_is_told_to_bring_them(world: World) -> None:
    """Nothing is logged, nothing is a record: the same submission is good once they are there."""
    out = await world.line(A)
    made = seal(world, PHOTO, REPORT)
    assert (await submit(world, out, made)).code == "attachment_missing"
    await out.bring(made.attachments[:1])
    refused = await submit(world, out, made)
    assert (refused.code, refused.indices) == ("attachment_missing", ())
    await out.bring(made.attachments)
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (first,) = await out.submit(items, batch)
    assert first.code is None
    # Sent again, its first answer is given, though nothing is staged any more.
    assert await out.submit(items, batch) == (first,)


async def test_one_item_without_attachments_holds_up_none_of_its_neighbours(world: World) -> None:
    out = await world.line(A)
    bulletins = [seal(world), seal(world, PHOTO), seal(world)]
    items, batch = world.agencies[A].submissions(bulletins, [world.agencies[B]])
    codes = [result.code for result in await out.submit(items, batch)]
    assert codes == [None, "attachment_missing", None]


async def test_a_bulletin_consigned_anew_needs_its_bytes_no_second_time(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = seal(world, PHOTO)
    await out.bring(made.attachments)
    assert (await submit(world, out, made)).code is None
    assert await state(world, into, Event.HANDOVER, made) == "logged"
    assert await state(world, into, Event.UNOPENED, made, "mailbox_key_gone") == "logged"
    again = await submit(world, out, made)
    assert again.code is None
    _, arrived = await into.entry(again.indices[0])
    assert arrived.attachments == made.blobs
    assert await into.fetch_whole(made.bulletin_id, 1) == made.attachments[0]


async def test_two_sessions_of_an_agency_bring_one_attachment_together(world: World) -> None:
    """A node that reconnects before its old line has timed out: both send, nothing is mixed up."""
    made = seal(world, PHOTO)
    (data,) = made.attachments
    old, new = await world.line(A), await world.line(A)
    offers = {line: await line.offer(made.blobs) for line in (old, new)}
    for offset in range(0, len(data), 4 * KIB):
        for line, number in offers.items():
            await line.part(number, 0, offset, data[offset : offset + 4 * KIB])
    for line in (old, new):  # where parts met, one goes on from what is held
        while line.held[number := await line.offer(made.blobs)] != (len(data),):
            (held,) = line.held.pop(number)
            await line.part(number, 0, held, data[held : held + 4 * KIB])
            await line.until(lambda: number in line.held)  # noqa: B023
    assert (await submit(world, new, made)).code is None
    assert final(world, made) == [data]


# --- cut lines and restarts ----------------------------------------------------------------------


async def test_an_upload_goes_on_where_the_line_was_cut(world: World) -> None:
    made = seal(world, PHOTO)
    (data,) = made.attachments
    part, sent = 4 * KIB, 0
    while True:
        line = await world.line(A)
        number = await line.offer(made.blobs)
        (held,) = line.held[number]
        assert held == sent  # no byte of a part that was answered is brought twice
        if held == len(data):
            break
        sent = min(len(data), held + 5 * part)
        for offset in range(held, sent, part):
            await line.part(number, 0, offset, data[offset : min(sent, offset + part)])
        await line.until(lambda: line.held[number] == (sent,))  # noqa: B023
        await line.close()
    assert (await submit(world, line, made)).code is None
    assert final(world, made) == [data]


async def test_what_is_staged_outlives_the_broker(world: World) -> None:
    made = seal(world, PHOTO)
    line = await world.line(A)
    number = await line.offer(made.blobs)
    await line.part(number, 0, 0, made.attachments[0][: 8 * KIB])
    await line.until(lambda: line.held[number] == (8 * KIB,))
    await line.close()
    await world.broker.stop()
    async with world.running():
        line = await world.line(A)
        assert await line.bring(made.attachments) == len(made.attachments[0]) - 8 * KIB
        assert (await submit(world, line, made)).code is None


async def test_files_without_a_bulletin_are_swept_at_the_start_and_linked_again(
    world: World,
) -> None:
    """As after a crash between the link and the commit: the staged bytes are still there."""
    made, kept = seal(world, PHOTO), seal(world, REPORT)
    line = await world.line(A)
    await line.bring(kept.attachments)
    assert (await submit(world, line, kept)).code is None
    await line.bring(made.attachments)
    await world.broker.state.blobs.settle(A, made.bulletin_id, made.blobs)
    assert final(world, made) == list(made.attachments)
    await line.close()
    await world.broker.stop()
    async with world.running():
        assert not (
            world.data / "blobs" / made.bulletin_id.hex()[:2] / made.bulletin_id.hex()
        ).exists()
        assert final(world, kept) == list(kept.attachments)
        line = await world.line(A)
        assert await line.bring(made.attachments) == 0
        assert (await submit(world, line, made)).code is None
        assert final(world, made) == list(made.attachments)


async def test_what_nobody_names_ages_out(world: World) -> None:
    old, fresh = seal(world, PHOTO), seal(world, REPORT)
    line = await world.line(A)
    await line.bring(old.attachments)
    world.clock.ahead = LIMITS.staged_ms // 2
    await line.bring(fresh.attachments)
    world.clock.ahead = LIMITS.staged_ms + 1000
    assert await world.broker.state.blobs.age_out() == 1
    assert len(staged(world)) == 1
    assert await line.bring(fresh.attachments) == 0


# --- who may fetch -------------------------------------------------------------------------------


async def test_only_a_recipient_fetches_and_only_what_there_is(world: World) -> None:
    out, into, third = await world.line(A), await world.line(B), await world.line(C)
    made = seal(world, PHOTO)
    assert (await into.fetch_part(made.bulletin_id, 1)).code == "part_unknown"
    await out.bring(made.attachments)
    assert (await into.fetch_part(made.bulletin_id, 1)).code == "part_unknown"
    assert (await submit(world, out, made)).code is None
    for line, place in ((out, 0), (out, 1), (third, 0), (third, 1), (into, 2), (into, 32)):
        fetched = await line.fetch_part(made.bulletin_id, place)
        assert (fetched.data, fetched.code) == (None, "part_unknown")
    length = len(made.attachments[0])
    for offset in (length, length + 1, 2**53):
        assert (await into.fetch_part(made.bulletin_id, 1, offset)).data == b""
    assert (await into.fetch_part(made.bulletin_id, 0, 2**53)).data == b""
    middle = await into.fetch_part(made.bulletin_id, 1, 1000, 7)
    assert middle.data == made.attachments[0][1000:1007]


async def test_after_a_recall_nothing_is_given(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = seal(world, PHOTO)
    await out.bring(made.attachments)
    assert (await submit(world, out, made)).code is None
    assert (await into.fetch_part(made.bulletin_id, 1)).data == made.attachments[0][
        : LIMITS.part_bytes
    ]
    assert await state(world, out, Event.RECALLED, made, "error") == "logged"
    for place in (0, 1):
        fetched = await into.fetch_part(made.bulletin_id, place, 16 * KIB)
        assert (fetched.data, fetched.code) == (None, "part_withdrawn")


async def test_a_lost_file_is_an_alarm_and_no_silence(world: World) -> None:
    out, into = await world.line(A), await world.line(B)
    made = seal(world, PHOTO)
    await out.bring(made.attachments)
    assert (await submit(world, out, made)).code is None
    name = made.bulletin_id.hex()
    path = world.data / "blobs" / name[:2] / name / "0"
    await asyncio.to_thread(path.unlink)
    assert (await into.fetch_part(made.bulletin_id, 1)).code == "part_missing"
    assert "attachment_gone" in {alarm.code for alarm in world.broker.state.alarms.active()}


# --- ciphertexts that come later -----------------------------------------------------------------


async def test_a_line_that_has_shown_little_gets_long_ciphertexts_later(world: World) -> None:
    """It has acknowledged nothing yet; what is immediate comes at once, and all of it is there."""
    content = {"about": {}, "attachments": [], "body": {"summary": "x" * 40_000}}
    sender = world.agencies[A]
    out, into = await world.line(A), await world.line(B, ack=False)

    async def sent(urgency: str) -> tuple[Made, FeedEntry]:
        made = sender.bulletin([B], world.clock(), content, urgency=urgency)
        result = await submit(world, out, made)
        return made, (await into.entry(result.indices[0]))[1]

    made, late = await sent("routine")
    assert late.ciphertext == measure(made.ciphertext)
    assert late.header == made.header_bytes
    assert await into.fetch_whole(made.bulletin_id, 0) == made.ciphertext
    made, soon = await sent("immediate")
    assert soon.ciphertext == made.ciphertext
