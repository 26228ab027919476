"""Reads of real servers that are away, hang, were restarted empty, or hold damaged rows."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.dialling import dial
from saphan_broker.store.redis.line import Line
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from support.servers import ENGINES, Engine, Server
from support.store_commits import Story

GROUP = 3
PLENTY = 10**6
PREFIX = b"saphan:{saphan/evidence}:"


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    engine: Engine = request.param
    started = Server(tmp_path / "server", engine).start()
    yield started
    started.free()


@pytest.fixture
async def store(server: Server) -> AsyncIterator[RedisStore]:
    made = await RedisStore.create(server.address())
    yield made
    await made.close()


@pytest.fixture
async def story(store: RedisStore) -> Story:
    story = Story()
    await store.commit(story.bulletins(GROUP), lambda: b"first")
    return story


async def test_reads_of_a_server_that_is_away_can_be_asked_again(
    store: RedisStore, story: Story, server: Server
) -> None:
    server.kill()
    with pytest.raises(Unavailable) as refused:
        await store.state("evidence")
    assert refused.value.code == "redis_unreachable"
    assert refused.value.hint
    server.start()
    assert (await store.state("evidence")).head == story.head


async def test_many_readers_of_a_server_that_hangs_wait_once_not_one_after_another(
    store: RedisStore, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled = 0

    async def counted(address: RedisAddress) -> Line:
        nonlocal dialled
        dialled += 1
        return await dial(address)

    monkeypatch.setattr("saphan_broker.store.redis.link.dial", counted)
    quick = dataclasses.replace(LIMITS, store_reply_ms=200)
    monkeypatch.setattr("saphan_broker.store.redis.line.LIMITS", quick)
    server.pause()
    for times in (0, 1):  # on the line there was, then on one that is dialled
        asked = (store.bulletins([bytes(32)]) for _ in range(20))
        for refused in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(refused, Unavailable)
        assert dialled == times
    server.resume()
    assert await store.bulletins([bytes(32)]) == {}


async def test_readers_of_a_server_that_was_restarted_empty_are_told(
    store: RedisStore, server: Server
) -> None:
    server.kill()
    server.start_empty()
    for read in (store.state("evidence"), store.counts(), store.feed("kh.gpo", None, 9, 9, 9)):
        with pytest.raises(SaphanError) as refused:
            await read
        assert refused.value.code == "store_missing"
    other = await RedisStore.create(server.address())
    with pytest.raises(OperatorError) as refused:
        await store.state("evidence")
    assert refused.value.code == "store_foreign"
    await other.close()


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"\x01", None])
async def test_a_damaged_row_is_said_and_never_passed_over(
    store: RedisStore, server: Server, damage: bytes | None
) -> None:
    commit = Story().bulletins(GROUP)
    await store.commit(commit)
    ids = [row.id for row in commit.bulletins]
    with server.client() as client:
        for key, field in ((b"blocks:0", "1"), (b"b:" + ids[0], "h" if damage is None else "f")):
            if damage is None:
                client.hdel(PREFIX + key, field)
            else:
                client.hset(PREFIX + key, field, damage)
    for read in (
        store.leaves("evidence", 0, PLENTY),
        store.entries(0, PLENTY),
        store.feed("kh.gpo", None, PLENTY, PLENTY, PLENTY),
        store.bodies(ids),
    ):
        with pytest.raises(OperatorError) as refused:
            await read
        assert refused.value.code == "store_damaged"
        assert refused.value.hint
    assert len(await store.bodies(ids[1:])) == GROUP - 1  # others are read
    assert len(await store.leaves("evidence", 2, PLENTY)) == 1
