"""Attachments at a running broker: brought in parts, named by a submission, fetched in parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from saphan_broker.blobs import store as blob_store
from saphan_protocol.admission import measure
from saphan_protocol.content import ATTACHMENT_SEALED_BYTES, ciphertext_length
from saphan_schemas.codec import encode
from saphan_schemas.frames import FeedEntry, Offer, Result
from saphan_schemas.limits import KIB, LIMITS, MIB
from saphan_schemas.records import Blob, Event, Marking
from support.agency import Made
from support.brokers import World
from support.session import Line

A, B, C = "la.ospp", "kh.gpo", "th.oncb"
PHOTO, REPORT = b"photo" * 20_000, b"report" * 10


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, three agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B, C)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


def seal(world: World, *plain: bytes, **changes: Any) -> Made:
    return world.agencies[A].bulletin([B], world.clock(), attachments=plain, **changes)


async def submit(world: World, line: Line, made: Made) -> Result:
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (result,) = await line.submit(items, batch)
    return result


async def state(world: World, line: Line, event: Event, made: Made, code: str | None = None) -> str:
    about = [(made.bulletin_id, made.ciphertext_digest)]
    said, batch = line.agency.statements(event, about, (A, B), world.clock(), code)
    (result,) = await line.state(said, batch)
    return result.code or "logged"


def staged(world: World) -> list[Path]:
    return sorted((world.data / "blobs/staging" / A).glob("*"))


def final(world: World, made: Made) -> list[bytes]:
    name = made.bulletin_id.hex()
    folder = world.data / "blobs" / name[:2] / name
    return [path.read_bytes() for path in sorted(folder.iterdir(), key=lambda path: int(path.name))]


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


# --- bad input -----------------------------------------------------------------------------------


async def test_a_part_at_a_wrong_offset_is_not_written(world: World) -> None:
    made = seal(world, PHOTO)
    (data,) = made.attachments
    line = await world.line(A)
    number = await line.offer(made.blobs)
    for offset in (1, 4 * KIB, len(data), 2**53):
        line.held.clear()
        await line.part(number, 0, offset, data[: 4 * KIB])
        await line.until(lambda: number in line.held)
        assert line.held[number] == (0,)
    assert staged(world) == []
    await line.part(number, 0, 0, data[: 4 * KIB])
    await line.part(number, 0, 0, data[: 4 * KIB])
    await line.until(lambda: line.held[number] == (4 * KIB,))
    await line.bring(made.attachments)
    assert (await submit(world, line, made)).code is None


async def test_more_bytes_than_declared_end_the_offer(world: World) -> None:
    made = seal(world, REPORT)
    (data,) = made.attachments
    line = await world.line(A)
    number = await line.offer(made.blobs)
    await line.part(number, 0, 0, data + b"x")
    await line.until(lambda: number in line.refused)
    assert line.refused[number].code == "attachment_length"
    await line.bring(made.attachments)
    assert (await submit(world, line, made)).code is None


async def test_fewer_bytes_than_declared_are_never_whole(world: World) -> None:
    made = seal(world, REPORT)
    line = await world.line(A)
    number = await line.offer(made.blobs)
    await line.part(number, 0, 0, made.attachments[0][:-1])
    await line.until(lambda: line.held[number] == (len(made.attachments[0]) - 1,))
    assert (await submit(world, line, made)).code == "attachment_missing"


async def test_other_bytes_than_declared_are_dropped_and_told_the_second_time(
    world: World,
) -> None:
    made = seal(world, REPORT)
    (data,) = made.attachments
    line = await world.line(A)
    number = await line.offer(made.blobs)
    await line.part(number, 0, 0, b"\x00" * (len(data) - 1))
    await line.part(number, 0, len(data) - 1, b"\x00")
    line.held.clear()
    await line.until(lambda: line.held.get(number) == (0,))
    assert staged(world) == []
    await line.part(number, 0, 0, b"\x00" * len(data))
    await line.until(lambda: number in line.refused)
    assert line.refused[number].code == "attachment_digest"
    assert (await submit(world, line, made)).code == "attachment_missing"


@pytest.mark.parametrize(
    ("blobs", "code"),
    (
        ((Blob(5000, b"\x01" * 32),), "attachment_length"),
        ((Blob(2**53, b"\x01" * 32),), "attachment_length"),
        ((Blob(ATTACHMENT_SEALED_BYTES, b"\x01" * 32),) * 3, "attachments_too_large"),
    ),
)
async def test_offers_of_what_no_bulletin_may_have_are_refused(
    world: World, blobs: tuple[Blob, ...], code: str
) -> None:
    line = await world.line(A)
    number = await line.offer(blobs)
    assert line.refused[number].code == code
    await line.part(number, 0, 0, b"x")  # passed over
    assert (await submit(world, line, seal(world))).code is None


async def test_ten_thousand_attachments_end_the_session_and_nothing_else(world: World) -> None:
    line, other = await world.line(A), await world.line(B)
    blob = Blob(ciphertext_length(0), b"\x01" * 32)
    await line.ws.send_bytes(encode(Offer(1, (blob,) * 10_000)))
    assert (await line.closed()).code == "malformed"
    assert (await other.offer((blob,))) in other.held
    line = await world.line(A)
    submission, batch = world.agencies[A].submissions([seal(world)], [world.agencies[B]])
    many = replace(submission[0], attachments=(blob,) * 10_000)
    _answer = await line.send_submit([many], batch)
    assert (await line.closed()).code == "malformed"


async def test_open_offers_are_bounded(world: World) -> None:
    line = await world.line(A)
    blobs = [Blob(ciphertext_length(0), bytes([at]) * 32) for at in range(20)]
    offers = [await line.offer((blob,)) for blob in blobs]
    assert {line.refused[number].code for number in offers[16:]} == {"busy"}
    assert all(number in line.held for number in offers[:16])


async def test_an_agency_links_nothing_under_an_id_that_is_not_its_own(world: World) -> None:
    """A thief brings the victim's attachment's place with other bytes: the id does not cover it."""
    thief = await world.line(C)
    victim, other = (
        seal(world, PHOTO),
        world.agencies[C].bulletin([B], world.clock(), None, [REPORT]),
    )
    await thief.bring(other.attachments)
    items, batch = world.agencies[A].submissions([victim], [world.agencies[B]])
    stolen = replace(items[0], attachments=other.blobs)
    (result,) = await thief.submit([stolen], batch)
    assert result.code == "sender_not_peer"
    out = await world.line(A)
    assert (await submit(world, out, victim)).code == "attachment_missing"
    assert not list((world.data / "blobs").glob("??"))


async def test_what_another_agency_has_brought_is_not_ours(world: World) -> None:
    made = seal(world, PHOTO)
    other = await world.line(C)
    await other.bring(made.attachments)
    out = await world.line(A)
    assert (await submit(world, out, made)).code == "attachment_missing"


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
    assert "blobs_unusable" in {alarm.code for alarm in world.broker.state.alarms.active()}


# --- a bounded broker ----------------------------------------------------------------------------


async def test_the_oldest_staged_bytes_make_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 3 * len(seal(world, PHOTO).attachments[0])
    store = blob_store.BlobStore(world.data / "blobs", world.clock, staged_bytes=room)
    monkeypatch.setattr(world.broker.state, "blobs", store)
    line = await world.line(A)
    bulletins = [seal(world, PHOTO) for _ in range(4)]
    for made in bulletins:
        await line.bring(made.attachments)
        world.clock.ahead += 1000
        assert sum(path.stat().st_size for path in staged(world)) <= room
    codes = [(await submit(world, line, made)).code for made in bulletins]
    assert codes == ["attachment_missing", None, None, None]
    await line.bring(bulletins[0].attachments)
    assert (await submit(world, line, bulletins[0])).code is None
    store.close()


async def test_files_of_refused_bulletins_are_bounded_and_swept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the commit can refuse has its files by then: so many an hour, and no more."""
    line = await world.line(A)
    first = seal(world)
    assert (await submit(world, line, first)).code is None
    replays = [seal(world, PHOTO, nonce=first.header.nonce) for _ in range(3)]
    room = 2 * len(replays[0].attachments[0])
    store = blob_store.BlobStore(world.data / "blobs", world.clock, staged_bytes=room)
    monkeypatch.setattr(world.broker.state, "blobs", store)
    codes = []
    for made in replays:
        await line.bring(made.attachments)
        codes.append((await submit(world, line, made)).code)
    assert codes == ["replay", "replay", "attachments_wait"]
    assert len(list((world.data / "blobs").glob("??/*/0"))) == 2
    good = seal(world, REPORT)
    await line.bring(good.attachments)
    assert (await submit(world, line, good)).code == "attachments_wait"
    await world.broker._blob_sweep.look()
    assert len(list((world.data / "blobs").glob("??/*/0"))) == 2  # not an hour old
    world.clock.ahead = blob_store.ORPHAN_MS + 1000
    await world.broker._blob_sweep.look()
    assert list((world.data / "blobs").glob("??/*/0")) == []
    world.clock.ahead = 0
    assert (await submit(world, line, good)).code is None
    assert final(world, good) == list(good.attachments)
    store.close()


async def test_a_refused_bulletin_gets_no_files(world: World) -> None:
    """Admission is asked before anything is linked; what it says stands in the log as always."""
    line = await world.line(A)
    made = seal(world, PHOTO, marking=Marking("red", ("H0",)))
    await line.bring(made.attachments)
    refused = await submit(world, line, made)
    assert refused.code == "agreement_marking"
    assert len(refused.indices) == 1
    assert list((world.data / "blobs").glob("??")) == []


async def test_a_failing_disk_is_an_alarm_and_the_sender_is_told_to_wait(world: World) -> None:
    made = seal(world, PHOTO)
    line = await world.line(A)
    number = await line.offer(made.blobs)
    place = world.data / "blobs"
    await asyncio.to_thread(place.mkdir, exist_ok=True)
    await asyncio.to_thread((place / "staging").write_bytes, b"in the way")
    await line.part(number, 0, 0, made.attachments[0][:1000])
    await line.until(lambda: number in line.refused)
    assert line.refused[number].code == "attachments_wait"
    assert line.refused[number].retry_after_ms > 0
    assert [alarm.code for alarm in world.broker.state.alarms.active()] == ["blobs_unusable"]
    assert (await submit(world, line, seal(world))).code is None  # others go on
    await asyncio.to_thread((place / "staging").unlink)
    await line.bring(made.attachments)
    assert world.broker.state.alarms.active() == []
    assert (await submit(world, line, made)).code is None


async def test_parts_are_taken_while_a_bulletin_waits_for_the_log(world: World) -> None:
    """A bulletin that is submitted in the middle of two MiB of parts does not wait for them."""
    made, urgent = seal(world, b"x" * (2 * MIB)), seal(world)
    (data,) = made.attachments
    line = await world.line(A)
    number = await line.offer(made.blobs)
    size = LIMITS.part_bytes
    for offset in range(0, MIB, size):
        await line.part(number, 0, offset, data[offset : offset + size])
    assert (await submit(world, line, urgent)).code is None
    for offset in range(MIB, len(data), size):
        await line.part(number, 0, offset, data[offset : offset + size])
    await line.until(lambda: line.held[number] == (len(data),))
    assert (await submit(world, line, made)).code is None
    assert measure(final(world, made)[0]) == made.blobs[0]


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
