"""Long ciphertexts are objects: durable before the commit that needs them, and missed by name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec import structs
from saphan_broker.cli.serving import _look_at_objects
from saphan_broker.objects import s3 as s3_module
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.opening import BlobPlace, StoreChoice, open_objects
from saphan_broker.store.redis.long_bodies import OBJECT_BYTES
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, Unavailable
from support.s3_server import SECRET_KEY, write_credentials
from support.servers import Server
from support.store_commits import Story
from support.whole_store import check_whole

LONG = OBJECT_BYTES + 1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "server").start()
    yield started
    started.free()


@pytest.fixture
async def objects(tmp_path: Path) -> AsyncIterator[DirectoryObjects]:
    made = DirectoryObjects(tmp_path / "objects")
    yield made
    await made.close()


@pytest.fixture
async def store(server: Server, objects: DirectoryObjects) -> AsyncIterator[RedisStore]:
    made = await RedisStore.create(server.address(), objects=objects)
    yield made
    await made.close()


async def names(objects: DirectoryObjects) -> list[str]:
    return [found.name async for found in objects.list("bodies")]


async def test_long_ciphertexts_are_objects_and_short_ones_are_not(
    store: RedisStore, server: Server, objects: DirectoryObjects
) -> None:
    story = Story(body_bytes=LONG)
    commit = story.bulletins(10)
    await store.commit(commit)
    story.body_bytes = OBJECT_BYTES
    short = story.bulletins(1, name="short")
    await store.commit(short)
    assert len(await names(objects)) == 10
    assert await check_whole(store, 1) == story.head
    rows = [*commit.bulletins, *short.bulletins]
    assert await store.bodies([row.id for row in rows]) == {row.id: row for row in rows}
    with server.client() as client:
        held = {id_: client.hexists(_key(id_), "c") for id_ in (rows[0].id, rows[-1].id)}
    assert held == {rows[0].id: 0, rows[-1].id: 1}


async def test_a_missing_object_is_named_and_nothing_else_is_held_up(
    store: RedisStore, objects: DirectoryObjects
) -> None:
    story = Story(body_bytes=LONG)
    commit = story.bulletins(2)
    await store.commit(commit)
    lost, kept = commit.bulletins
    (name,) = [one for one in await names(objects) if lost.id.hex() in one]
    await objects.delete(name)
    with pytest.raises(OperatorError) as missing:
        await store.bodies([lost.id])
    assert missing.value.code == "object_missing"
    assert lost.id.hex() in missing.value.message
    fed = [row.bulletin for row in await store.feed("kh.gpo", None, 9, 9, 10**9)]
    assert fed == [structs.replace(lost, ciphertext=b""), kept]  # the feed goes on
    assert await store.bodies([kept.id]) == {kept.id: kept}
    assert lost.id in await store.bulletins([lost.id])
    assert len(await store.feed("la.ospp", None, 9, 9, 10**9)) == 2
    await store.commit(story.bulletins(1, name="later"))


async def test_a_feed_goes_on_while_objects_cannot_be_read(
    store: RedisStore, objects: DirectoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipient asks for what is missing alone, and waits for it there."""
    story = Story(body_bytes=LONG)
    commit = story.bulletins(3)
    await store.commit(commit)
    story.body_bytes = 10
    short = story.bulletins(1, name="short")
    await store.commit(short)
    asked: list[str] = []

    async def away(name: str) -> bytes:
        asked.append(name)
        raise Unavailable("blobs_unreachable", "it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(objects, "get", away)
        fed = [row.bulletin for row in await store.feed("kh.gpo", None, 9, 9, 10**9)]
        rows = [structs.replace(row, ciphertext=b"") for row in commit.bulletins]
        assert fed == [*rows, *short.bulletins]
        assert len(asked) == 1  # nobody waits for each of them
        with pytest.raises(Unavailable):
            await store.bodies([rows[0].id])
    store._mailboxes._objects._again = 0.0
    fed = [row.bulletin for row in await store.feed("kh.gpo", None, 9, 9, 10**9)]
    assert fed == [*commit.bulletins, *short.bulletins]


async def test_without_room_for_an_object_the_log_goes_on(
    store: RedisStore,
    server: Server,
    objects: DirectoryObjects,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Long ciphertexts stay in the server's memory meanwhile, and nobody waits for each of them."""
    story = Story(body_bytes=LONG)
    place = tmp_path / "objects/bodies"
    await asyncio.to_thread(place.write_bytes, b"somebody put a file there")
    commits = [story.bulletins(3, name=f"full {at}") for at in range(2)]
    for commit in commits:
        await store.commit(commit)
    assert [record.getMessage().count("stay in the server") for record in caplog.records] == [1]
    await asyncio.to_thread(os.unlink, place)
    await store.close()
    again = await RedisStore.open(server.address(), objects=objects)
    later = story.bulletins(1, name="later")
    await again.commit(later)
    assert len(await names(objects)) == 1
    rows = [row for commit in (*commits, later) for row in commit.bulletins]
    assert await again.bodies([row.id for row in rows]) == {row.id: row for row in rows}
    assert await check_whole(again, 1) == later.head
    await again.close()


async def test_another_store_of_objects_is_refused_before_anything_is_lost_in_it(
    store: RedisStore, server: Server, objects: DirectoryObjects, tmp_path: Path
) -> None:
    """A process on another host that was given a folder of its own."""
    elsewhere = DirectoryObjects(tmp_path / "elsewhere")
    with pytest.raises(OperatorError) as refused:
        await RedisStore.open(server.address(), objects=elsewhere)
    assert refused.value.code == "objects_elsewhere"
    assert "--blobs" in (refused.value.hint or "")
    again = await RedisStore.open(server.address(), objects=objects)
    await again.close()
    await elsewhere.close()


async def test_a_service_that_is_down_keeps_no_broker_down(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing was moved into it yet; what needs it waits, the rest goes on."""
    monkeypatch.setattr(s3_module, "RETRIES", 0)
    keys = tmp_path / "credentials"
    write_credentials(keys, SECRET_KEY)
    place = BlobPlace("s3://bucket", credentials=keys, endpoint="http://127.0.0.1:1")
    choice = StoreChoice(redis=server.address(), blobs=place)
    await _look_at_objects(tmp_path, choice)
    assert "the bucket bucket does not answer" in caplog.text
    objects = await asyncio.to_thread(open_objects, tmp_path, choice)
    made = await RedisStore.create(server.address(), objects=objects)
    story = Story(body_bytes=LONG)
    commit = story.bulletins(1)
    await made.commit(commit)
    (row,) = commit.bulletins
    assert await made.bodies([row.id]) == {row.id: row}
    await made.close()


def _key(id_: bytes) -> bytes:
    return b"saphan:{saphan/evidence}:b:" + id_
