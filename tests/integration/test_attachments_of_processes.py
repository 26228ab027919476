"""Attachments and long bodies through several processes of a broker that share one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.opening import BlobPlace, StoreChoice
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.samples import sample
from support.broker_attachments import PHOTO, REPORT, A, B, seal, submit
from support.crews import Crew, Member
from support.s3_server import BUCKET, S3Server
from support.session import Line

PART = 16 * 1024


@pytest.fixture
async def crew(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Crew]:
    made = Crew(tmp_path, A, B)
    place = BlobPlace(str(tmp_path / "shared"))
    if getattr(request, "param", "directory") == "s3":
        server: S3Server = request.getfixturevalue("s3")
        where = f"s3://{BUCKET}/crew/{tmp_path.name}"
        place = BlobPlace(where, credentials=server.credentials, endpoint=server.endpoint)
    made.choice = StoreChoice(redis=made.choice.redis, blobs=place)
    async with made.carried(2):
        await made.enrol()
        yield made


def follower(crew: Crew) -> Member:
    (found,) = [member for member in crew.members if not member.broker.role.holding]
    return found


async def fetched(line: Line, bulletin: bytes, attachments: tuple[bytes, ...]) -> None:
    for place, data in enumerate(attachments, 1):
        assert await line.fetch_whole(bulletin, place) == data


@pytest.mark.parametrize("crew", ["directory", "s3"], indirect=True)
async def test_what_comes_through_one_is_fetched_through_the_other(crew: Crew) -> None:
    made = seal(crew, PHOTO, REPORT)
    out = await crew.line_at(follower(crew), A)
    await out.bring(made.attachments)
    assert (await submit(crew, out, made)).code is None
    for member in crew.members:
        into = await crew.line_at(member, B)
        await fetched(into, made.bulletin_id, made.attachments)
    for member in crew.members:  # at once: an answer was lost on two lines
        again = await crew.line_at(member, A)
        assert (await submit(crew, again, made)).code is None


async def test_a_node_whose_process_is_gone_goes_on_at_the_other(crew: Crew) -> None:
    made = seal(crew, PHOTO)
    (photo,) = made.attachments
    first = await crew.line_at(crew.members[0], A)
    offer = await first.offer(made.blobs)
    half = len(photo) // PART // 2 * PART
    for offset in range(0, half, PART):
        await first.part(offer, 0, offset, photo[offset : offset + PART])
    await first.until(lambda: first.held[offer][0] == half)
    await first.close()
    second = await crew.line_at(crew.members[1], A)
    assert await second.bring(made.attachments) <= len(photo)
    assert (await submit(crew, second, made)).code is None
    into = await crew.line_at(crew.members[0], B)
    await fetched(into, made.bulletin_id, made.attachments)


async def test_one_attachment_through_both_at_once(crew: Crew) -> None:
    made = seal(crew, PHOTO, REPORT)
    lines = [await crew.line_at(member, A) for member in crew.members]
    await asyncio.gather(*(line.bring(made.attachments, PART) for line in lines))
    results = await asyncio.gather(*(submit(crew, line, made) for line in lines))
    # One is logged; the other is told so, or to bring again what the first has used up.
    assert {result.code for result in results} <= {None, "attachment_missing"}
    assert None in {result.code for result in results}
    again = await submit(crew, lines[0], made)
    assert again.code is None
    into = await crew.line_at(crew.holder, B)
    await fetched(into, made.bulletin_id, made.attachments)


async def test_a_sweep_at_the_holder_leaves_what_the_follower_has_just_settled(crew: Crew) -> None:
    made = seal(crew, PHOTO)
    out = await crew.line_at(follower(crew), A)
    await out.bring(made.attachments)
    aside = follower(crew).broker.state.blobs
    await aside.settle(A, made.bulletin_id, made.blobs)
    await crew.holder.broker._blob_sweep.look(starting=True)
    await crew.holder.broker._blob_sweep.look()
    assert (await submit(crew, out, made)).code is None
    into = await crew.line_at(crew.holder, B)
    await fetched(into, made.bulletin_id, made.attachments)


async def test_a_long_body_committed_by_one_is_read_by_the_other(crew: Crew) -> None:
    long = sample("training_notice") | {"summary": "x" * 60_000}
    made = crew.agencies[A].bulletin([B], crew.clock(), content=long)
    out = await crew.line_at(crew.holder, A)
    assert (await submit(crew, out, made)).code is None
    into = await crew.line_at(follower(crew), B)
    assert await into.fetch_whole(made.bulletin_id, 0) == made.ciphertext
    store, objects = crew.holder.broker.store, crew.holder.broker.state._objects
    assert isinstance(store, RedisStore)
    assert objects is not None
    await objects.put("bodies/ab-before-1", made.ciphertext)  # by a holder that was killed
    await store._links[0].one("ZADD", store._keys["evidence"].bodies, 0, "bodies/ab-before-1")
    await crew.holder.broker._blob_sweep.look()
    (left,) = [found.name async for found in objects.list("bodies")]
    assert made.bulletin_id.hex() in left
