"""What our user may do in the server: little is enough, and less leaves nothing half done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.dialling import dial
from saphan_broker.store.redis.lease import Lease
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError
from support.aging_commits import admitted, destruction
from support.archives import archive_all
from support.rooms import ROOT
from support.servers import ENGINES, Engine, Server
from support.store_commits import Story
from support.whole_store import check_whole

PAGE = ROOT / "docs/operating.md"
PASSWORD = "correct horse battery staple"


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    engine: Engine = request.param
    started = Server(tmp_path / "server", engine).start()
    yield started
    started.free()


async def test_a_user_of_the_access_list_needs_few_rights(server: Server, tmp_path: Path) -> None:
    """The rights that docs/operating.md names are enough, and no other application's keys."""
    with server.client() as client:
        (named,) = (line for line in PAGE.read_text().splitlines() if "~saphan:*" in line)
        rights = named.split()[4:]
        client.execute_command("ACL", "SETUSER", "broker", "on", f">{PASSWORD}", *rights)
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(PASSWORD, encoding="utf-8")
    address = server.address(user="broker", password_file=path)
    store = await RedisStore.create(address)
    await store.commit(Story().bulletins(1), lambda: b"note")
    assert (await check_whole(store, 1)).size == 1
    story = Story()
    other = await RedisStore.create(server.address(user="broker", password_file=path, name="other"))
    _commit, rows = await admitted(other, story, 1)
    await other.commit(destruction(story, rows)[0])
    assert await other.cleanse()
    assert await other.forget(33_001, 100) > 0
    await other.close()
    await store.close()
    lease = Lease(address, "one")
    assert await lease.take()
    await lease.close()
    ours = await dial(address)
    assert await ours.one("PUBLISH", "saphan:{saphan/evidence}:process:all", "news") == 0
    for word in (("GET", "theirs"), ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "SET", "save", "")):
        (refused_word,) = await ours.ask([word])
        assert str(refused_word).startswith("NOPERM")
    ours.abort()
    for wrong in (
        server.address(user="stranger", password_file=path),
        server.address(user="broker"),  # not the default user instead
    ):
        with pytest.raises(OperatorError) as refused:
            await RedisStore.open(wrong)
        assert refused.value.code == "redis_refused"


async def test_a_right_that_was_taken_away_refuses_a_commit_whole(server: Server) -> None:
    """A script that is stopped within its writes would leave the first of them."""
    store = await RedisStore.create(server.address())
    story = Story()
    await store.commit(story.bulletins(1), lambda: b"first")
    for word in ("hset", "hsetnx", "hincrby", "set", "xadd", "zadd", "zrem"):
        commit = story.bulletins(1)
        async with without(server, word):
            await store.commit(commit)
        await store.commit(commit, lambda: b"second")
    assert await check_whole(store, 1) == story.head
    await store.close()


async def test_a_right_that_was_taken_away_moves_nothing_half_into_the_archive(
    server: Server, tmp_path: Path
) -> None:
    objects = DirectoryObjects(tmp_path / "objects")
    store = await RedisStore.create(server.address(), objects=objects, policy=EAGER)
    story = Story()
    for word in ("hset", "xtrim", "zadd"):
        await store.commit(story.bulletins(2))
        async with without(server, word):
            await store.archive_some()
        await archive_all(store)
        assert await check_whole(store, 2) == story.head
    await store.close()
    await objects.close()


@asynccontextmanager
async def without(server: Server, word: str) -> AsyncIterator[None]:
    """While we may not use a command; what is tried then is refused, and the command named."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "default", f"-{word}")
        with pytest.raises(OperatorError) as refused:
            yield
        client.execute_command("ACL", "SETUSER", "default", f"+{word}")
    assert refused.value.code == "redis_refused"
    assert server.engine == "redis" or f"'{word}'" in refused.value.message
