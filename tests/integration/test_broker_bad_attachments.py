"""Attachments that come in wrong at a broker, too many of them, and a disk that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan_broker.blobs import store as blob_store
from saphan_protocol.admission import measure
from saphan_protocol.content import ATTACHMENT_SEALED_BYTES, ciphertext_length
from saphan_schemas.codec import encode
from saphan_schemas.frames import Offer
from saphan_schemas.limits import KIB, LIMITS, MIB
from saphan_schemas.records import Blob, Marking
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
    submit,
)
from support.brokers import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with attached_world(tmp_path) as made:
        yield made


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
