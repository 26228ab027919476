"""The Redis engine ages: an older format learns its days, and what is archived is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
import redis
from msgspec.structs import replace
from saphan_broker.store.base import DeliveryRow, Store
from saphan_broker.store.redis.creating import FORMAT
from saphan_broker.store.redis.lease import Lease
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, Unavailable
from support.aging_commits import destruction, hold, release, settled
from support.archives import HookedTwin, Twin, archive_all, fill, held, hooked_twin, reopen
from support.servers import ENGINES, Engine, Server
from support.store_commits import digest
from support.windows import found_in

DUE = 30_000
OLD = 33_001
ONE_ENGINE = pytest.mark.parametrize("own_server", ["valkey"], indirect=True)
"""For what is the same on both: our own order of effects, not a server's."""
SINCE_FORMAT_2 = ("destroyable", "days", "ages", "said")


@pytest.fixture(params=ENGINES)
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    engine: Engine = request.param
    with Server(tmp_path / "server", engine) as server:
        yield server.start()


# --- an older format ------------------------------------------------------------------------------


def set_back(server: Server, name: str) -> None:
    """To what the first version of the format has written."""
    prefix = f"saphan:{{{name}/evidence}}:".encode()
    with server.client() as client:
        for kind in SINCE_FORMAT_2:
            client.delete(prefix + kind.encode())
        for key in client.scan_iter(prefix + b"refs:*"):
            client.delete(key)
        for key in client.scan_iter(prefix + b"b:*"):
            _shorten(client, key)
        for log in ("evidence", "directory"):
            client.hset(f"saphan:{{{name}/{log}}}:head", "format", 1)


def _shorten(client: redis.Redis, key: bytes) -> None:
    for field, value in client.hgetall(key).items():
        if field[:1] == b"d":
            assert isinstance(value, bytes)
            row = msgspec.msgpack.decode(value)
            client.hset(key, field, msgspec.msgpack.encode(row[:9]))


async def test_a_store_of_the_first_format_is_brought_up_to_this_one(
    own_server: Server, tmp_path: Path
) -> None:
    async with hooked_twin(own_server, tmp_path) as twin:
        await fill(twin)
        await archive_all(twin.store)
        await twin.finish(await twin.bulletins(3))
        await asyncio.to_thread(set_back, own_server, tmp_path.name)
        await reopen(twin, own_server, tmp_path)
        await twin.check()
        with own_server.client() as client:
            assert client.hget(f"saphan:{{{tmp_path.name}/evidence}}:head", "format") == b"2"
        assert FORMAT == 2
        rows = await twin.store.destroyable(DUE, 10**6)
        assert len(rows) > 100
        await twin.commit(destruction(twin.story, rows)[0])
        assert any([await twin.store.cleanse() for _ in range(3)])
        await twin.check()


@ONE_ENGINE
async def test_nothing_is_brought_up_while_an_older_program_leads(
    own_server: Server, tmp_path: Path
) -> None:
    async with hooked_twin(own_server, tmp_path) as twin:
        await fill(twin)
        await asyncio.to_thread(set_back, own_server, tmp_path.name)
        lease = Lease(own_server.address(name=tmp_path.name), "older")
        assert await lease.take()
        with pytest.raises(Unavailable) as refused:
            await RedisStore.open(own_server.address(name=tmp_path.name), objects=twin.objects)
        assert refused.value.code == "store_busy"
        await lease.release()
        await lease.close()
        await reopen(twin, own_server, tmp_path)
        twin.store.epoch = 1
        await twin.check()


# --- forgetting -----------------------------------------------------------------------------------


async def forget_all(store: Store, before_day: int, limit: int = 200) -> None:
    while done := await store.forget(before_day, limit):
        assert done <= limit


async def both_forget(twin: Twin, before_day: int, limit: int = 200) -> None:
    for store in (twin.store, twin.memory):
        await forget_all(store, before_day, limit)


async def ended(twin: Twin, number: int) -> list[DeliveryRow]:
    """Bulletins with their outcome."""
    commit, rows = settled(twin.story, await twin.bulletins(number))
    await twin.commit(commit)
    return rows


async def destroyed(twin: Twin, rows: Sequence[DeliveryRow]) -> None:
    await twin.commit(destruction(twin.story, rows)[0])


@ONE_ENGINE
async def test_what_is_archived_is_forgotten_with_its_objects(
    own_server: Server, tmp_path: Path
) -> None:
    async with hooked_twin(own_server, tmp_path) as twin:
        rows = await ended(twin, 150)
        late = await ended(twin, 10)
        kept, _rows = hold(twin.story, late[:2], digest("order"))
        await twin.commit(kept)
        await twin.commit(twin.story.refusal(digest("refused")))
        await archive_all(twin.store)
        await destroyed(twin, [*rows, *late[2:]])
        await archive_all(twin.store)
        twin.story.record_day = OLD
        await ended(twin, 20)
        records = [entry.record for entry in await twin.store.entries(0, 3)]
        await both_forget(twin, OLD)
        await twin.check()
        await archive_all(twin.store)
        await both_forget(twin, OLD)
        assert any([await twin.store.cleanse() for _ in range(3)])
        await twin.check()
        objects = tmp_path / "objects"
        bare = sorted(path.name for path in objects.glob("*/logs/evidence/bare/*"))
        assert bare == ["0"]
        assert "0" not in {path.name for path in objects.glob("*/logs/evidence/blocks/*")}
        headers = [commit.bulletins[0].header for commit in twin.commits[:1]]
        assert found_in([objects, own_server.directory], headers) == set()
        assert len(records) == 3
        await reopen(twin, own_server, tmp_path)
        await twin.check()
        freed, again = release(twin.story, _rows, kept.holds)
        await twin.commit(freed)
        await destroyed(twin, again)
        await archive_all(twin.store)
        await both_forget(twin, OLD + 1)
        await archive_all(twin.store)
        await both_forget(twin, OLD + 1)
        await twin.check()


@pytest.mark.parametrize("part", ["/bare/", "/facts/", "/packs/"])
async def test_cut_off_while_it_forgets_it_goes_on(
    twin: HookedTwin, server: Server, tmp_path: Path, part: str
) -> None:
    rows = await ended(twin, 130)
    kept, _rows = hold(twin.story, rows[:2], digest("order"))
    await twin.commit(kept)
    await destroyed(twin, rows[2:])
    await archive_all(twin.store)
    cut = 0

    async def fail(name: str) -> None:
        nonlocal cut
        if part in name:
            cut += 1
            raise OperatorError("blobs_unusable", "injected")

    for hook in ("before", "after"):
        setattr(twin.objects, hook, fail)
        with pytest.raises(OperatorError):
            await forget_all(twin.store, OLD)
        setattr(twin.objects, hook, None)
        await reopen(twin, server, tmp_path)
        assert await twin.store.entries(0, 10**6) == []
    assert cut == 2
    await both_forget(twin, OLD)
    await twin.check()
    assert (await held(server, tmp_path.name))["b"] == 0


async def test_what_is_said_again_after_it_was_forgotten_has_a_new_answer(
    twin: HookedTwin,
) -> None:
    rows = await ended(twin, 2)
    await destroyed(twin, rows)
    refused = await twin.commit(twin.story.refusal(digest("refused")))
    await archive_all(twin.store)
    (said,) = refused.statements
    twin.story.record_day = OLD
    await twin.bulletins(1)
    await both_forget(twin, OLD)
    assert await twin.store.statements([said]) == {}
    again = twin.story.refusal(digest("refused"))
    index = again.expected.size
    await twin.commit(replace(again, statements={said: index}))
    assert await twin.store.statements([said]) == {said: index}
    await archive_all(twin.store)
    assert await twin.store.statements([said]) == {said: index}
    await twin.check()


async def test_leaves_without_entries_are_passed_over_once(twin: HookedTwin) -> None:
    """A copy begins with those whose records were forgotten at its original."""
    await twin.commit(twin.story.leaves([b"%d" % at for at in range(600)]))
    await ended(twin, 2)
    assert await twin.store.forget(1, 10) == 0
    assert await twin.store._logs.forgotten() == 512
    await archive_all(twin.store)
    await both_forget(twin, 1)
    await twin.check()


@ONE_ENGINE
async def test_a_server_that_lets_us_rewrite_nothing_says_so(own_server: Server) -> None:
    twin = Twin(await RedisStore.create(own_server.address()))
    rows = await ended(twin, 2)
    await destroyed(twin, rows)
    with own_server.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-bgrewriteaof")
    with pytest.raises(OperatorError) as refused:
        await twin.store.cleanse()
    assert refused.value.code == "redis_refused"
    assert "bgrewriteaof" in refused.value.message
    with own_server.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "+bgrewriteaof")
    assert any([await twin.store.cleanse() for _ in range(3)])
    await twin.check()
    await twin.store.close()
