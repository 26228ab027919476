"""Objects of ciphertexts whose commit has failed, or has not waited for them, do not stay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.base import HeadMoved
from saphan_broker.store.redis import long_bodies
from saphan_broker.store.redis.lease import Lease
from saphan_broker.store.redis.long_bodies import OBJECT_BYTES
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import LIMITS
from support.crews import until
from support.servers import Server
from support.store_commits import Story

LONG = OBJECT_BYTES + 1


class Fussy(DirectoryObjects):
    """A directory that refuses some puts, and lets others wait until it is told."""

    refused: frozenset[int] = frozenset()
    waiting: asyncio.Event | None = None
    puts = 0

    async def put(self, name: str, data: bytes) -> None:
        self.puts += 1
        if self.puts in self.refused:
            raise Unavailable("blobs_unreachable", "it does not answer")
        if self.waiting is not None:  # as a directory of a server that is away: no interruption
            waiting = asyncio.ensure_future(self.waiting.wait())
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                await waiting
        await super().put(name, data)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "server").start()
    yield started
    started.free()


@pytest.fixture
async def objects(tmp_path: Path) -> AsyncIterator[Fussy]:
    made = Fussy(tmp_path / "objects")
    yield made
    await made.close()


@pytest.fixture
async def store(server: Server, objects: Fussy) -> AsyncIterator[RedisStore]:
    made = await RedisStore.create(server.address(), objects=objects)
    yield made
    await made.close()


async def bodies(objects: Fussy) -> int:
    return len([found async for found in objects.list("bodies")])


async def swept(store: RedisStore) -> int:
    """Two sweeps: the first one leaves what a late put may still bring."""
    assert await store.sweep_bodies() == 0
    return await store.sweep_bodies()


async def test_what_a_commit_names_stays(store: RedisStore, objects: Fussy) -> None:
    story = Story(body_bytes=LONG)
    commit = story.bulletins(10)
    await store.commit(commit)
    assert await swept(store) == 0
    found = await store.bodies([row.id for row in commit.bulletins])
    assert found == {row.id: row for row in commit.bulletins}


async def test_of_a_commit_that_fails_nothing_stays(store: RedisStore, objects: Fussy) -> None:
    story, other = Story(body_bytes=LONG), Story(body_bytes=LONG)
    first = story.bulletins(2)
    await store.commit(first)
    with pytest.raises(HeadMoved):
        await store.commit(other.bulletins(3))
    assert await bodies(objects) == 5
    assert await swept(store) == 3
    assert await bodies(objects) == 2
    assert set(await store.bodies([row.id for row in first.bulletins])) == {
        row.id for row in first.bulletins
    }


async def test_what_is_put_for_nothing_goes_and_what_is_refused_stays_in_the_server(
    store: RedisStore, objects: Fussy, server: Server
) -> None:
    objects.refused = frozenset({2})
    commit = Story(body_bytes=LONG).bulletins(3)
    await store.commit(commit)
    assert await bodies(objects) == 2  # and both are used
    assert await swept(store) == 1  # the name of the third one
    with server.client() as client:
        assert client.zcard("saphan:{saphan/evidence}:bodies") == 0
    rows = {row.id: row for row in commit.bulletins}
    assert await store.bodies(rows) == rows


async def test_a_directory_that_hangs_holds_up_no_commit(
    store: RedisStore, objects: Fussy, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = replace(LIMITS, object_commit_ms=50)
    monkeypatch.setattr(long_bodies, "LIMITS", limits)
    monkeypatch.setattr(long_bodies, "PAUSE_SECONDS", 0.0)
    objects.waiting, begun = asyncio.Event(), objects.puts
    story = Story(body_bytes=LONG)
    commits = [story.bulletins(2, name=str(at)) for at in range(2)]
    async with asyncio.timeout(20):
        for commit in commits:
            await store.commit(commit)
    assert objects.puts == begun + 2  # nothing more is begun while these hang
    assert await store.sweep_bodies() == 0
    objects.waiting.set()
    await until(lambda: not store._long._late)
    assert await bodies(objects) == 2
    assert await swept(store) == 2
    assert await bodies(objects) == 0
    rows = {row.id: row for commit in commits for row in commit.bulletins}
    assert await store.bodies(rows) == rows


async def test_what_a_killed_holder_has_put_is_swept_by_the_next_one(
    store: RedisStore, objects: Fussy, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (Lease(server.address(), name) for name in ("first", "second"))
    assert await first.take()
    store.epoch = first.epoch
    story = Story(body_bytes=LONG)
    kept = story.bulletins(2)
    await store.commit(kept)
    reached = asyncio.Event()

    async def hang(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(store._writer, "commit", hang)
    dying = asyncio.create_task(store.commit(story.bulletins(3, name="cut off")))
    await reached.wait()
    await first.release()
    other = await RedisStore.open(server.address(), objects=objects)
    assert await other.sweep_bodies() == 0  # the first one may still commit
    assert await second.take()
    other.epoch = second.epoch
    assert await bodies(objects) == 5
    assert await other.sweep_bodies() == 3
    assert await bodies(objects) == 2
    rows = {row.id: row for row in kept.bulletins}
    assert await other.bodies(rows) == rows
    for task in (dying, *store._begun):
        task.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    for lease in (first, second):
        await lease.close()
    await other.close()
