"""A broker whose attachments lie in a real S3 service, which dies, comes back, and loses things."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from saphan_broker.objects import remote
from saphan_broker.objects import s3 as s3_module
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.objects.s3 import open_s3
from saphan_broker.opening import BlobPlace, StoreChoice
from saphan_schemas.records import Blob
from saphan_schemas.samples import sample
from support.agency import Agency
from support.broker_attachments import PHOTO, REPORT, A, B, seal, submit
from support.brokers import World
from support.crews import Crew, until
from support.s3_server import BUCKET, S3Server

PART = 16 * 1024


@pytest.fixture
async def world(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(s3_module, "RETRIES", 1)
    monkeypatch.setattr(remote, "RETRY_MS", 200)
    world = World(tmp_path, A, B)
    place = f"s3://{BUCKET}/broker/{tmp_path.name}"
    world.choice = StoreChoice(
        blobs=BlobPlace(place, credentials=s3.credentials, endpoint=s3.endpoint)
    )
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


def alarms(world: World) -> set[str]:
    return {alarm.code for alarm in world.broker.state.alarms.active()}


async def test_a_service_that_dies_in_the_middle_is_an_alarm_and_loses_nothing(
    world: World, s3: S3Server
) -> None:
    out, into = await world.line(A), await world.line(B)
    first, second = seal(world, PHOTO), seal(world, PHOTO, REPORT)
    await out.bring(first.attachments)
    assert (await submit(world, out, first)).code is None
    (photo, report) = second.attachments
    offer = await out.offer(second.blobs)
    half = len(photo) // PART // 2 * PART
    for offset in range(0, half, PART):
        await out.part(offer, 0, offset, photo[offset : offset + PART])
    await out.until(lambda: out.held[offer][0] == half)
    await asyncio.to_thread(s3.kill)
    try:
        for offset in range(half, len(photo), PART):
            await out.part(offer, 0, offset, photo[offset : offset + PART])
        await out.until(lambda: offer in out.refused)
        refused = out.refused[offer]
        assert refused.code == "blobs_unreachable"
        assert refused.retry_after_ms > 0
        asked = asyncio.create_task(into.fetch_part(first.bulletin_id, 1))
        again = await submit(world, out, second)
        assert again.code == "blobs_unreachable"
        assert "blobs_unreachable" in alarms(world)
        assert (await submit(world, out, seal(world))).code is None  # the others go on
        assert not asked.done()  # not lost, so not said to be lost
    finally:
        await asyncio.to_thread(s3.start)
    assert (await asked).data == first.attachments[0][: 128 * 1024]
    assert await out.bring(second.attachments) <= len(photo) - half + len(report) + PART
    assert (await submit(world, out, second)).code is None
    for place, data in enumerate(second.attachments, 1):
        assert await into.fetch_whole(second.bulletin_id, place) == data
    assert "blobs_unreachable" not in alarms(world)


async def test_an_attachment_that_the_service_has_lost_is_said_and_others_go_on(
    world: World, s3: S3Server, tmp_path: Path
) -> None:
    out, into = await world.line(A), await world.line(B)
    lost, kept = seal(world, PHOTO), seal(world, REPORT)
    for made in (lost, kept):
        await out.bring(made.attachments)
        assert (await submit(world, out, made)).code is None
    where = f"s3://{BUCKET}/broker/{tmp_path.name}"
    objects = open_s3(where, credentials=s3.credentials, endpoint=s3.endpoint)
    names = [found.name async for found in objects.list("")]
    (name,) = [name for name in names if lost.bulletin_id.hex() in name]
    await objects.delete(name)
    assert (await into.fetch_part(lost.bulletin_id, 1)).code == "part_missing"
    assert "attachment_gone" in alarms(world)
    assert await into.fetch_whole(kept.bulletin_id, 1) == kept.attachments[0]
    assert not [name for name in names if name.startswith(("staging", "unlogged"))]


async def test_a_lost_long_body_ends_no_feed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipient's node gets everything else, and is told what the broker has lost."""
    closed: list[object] = []
    close = DirectoryObjects.close

    async def closing(objects: DirectoryObjects) -> None:
        closed.append(objects)
        await close(objects)

    monkeypatch.setattr(DirectoryObjects, "close", closing)
    crew = Crew(tmp_path, A, B)
    long = sample("training_notice") | {"summary": "x" * 60_000}
    async with crew.carried(1):
        await crew.enrol()
        sender, receiver = crew.agencies[A], crew.agencies[B]
        made = [Agency.bulletin(sender, [B], crew.clock(), content=long) for _ in range(3)]
        out = await crew.line_at(crew.holder, A)
        items, batch = sender.submissions(made, [receiver])
        results = await out.submit(items, batch)
        assert {result.code for result in results} == {None}
        (body,) = (crew.data / "objects/bodies").glob(f"{made[1].bulletin_id.hex()}-*")
        await asyncio.to_thread(body.unlink)
        later = await crew.join()
        await until(lambda: later.broker.role.holder_known)
        line = await crew.line_at(later, B)
        for one, result in zip(made, results, strict=True):
            _entry, given = await line.entry(result.indices[0])
            blob = Blob(len(one.ciphertext), sha256(one.ciphertext).digest())
            assert given.ciphertext in ((blob,) if one is made[1] else (blob, one.ciphertext))
        assert (await line.fetch_part(made[1].bulletin_id, 0)).code == "part_missing"
        sounding = {alarm.code for alarm in later.broker.state.alarms.active()}
        assert "attachment_gone" in sounding
        for one in (made[0], made[2]):
            assert await line.fetch_whole(one.bulletin_id, 0) == one.ciphertext
        opened = [member.broker.state._objects for member in crew.members]
    assert all(closed.count(one) == 1 for one in opened)
