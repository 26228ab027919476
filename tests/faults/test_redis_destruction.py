"""Destroyed on a real server: nothing of it in any file, whatever is cut off, fenced or full."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan_broker.store.redis import rewriting
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.line import Command, Line, LineDown
from saphan_broker.store.redis.refusals import Reply
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import OperatorError, Unavailable
from support.aging_commits import destruction, hold, release, wrapped_anew
from support.archives import HookedTwin, Twin, archive_all, hooked_twin, reopen
from support.destroyed import (
    cleanse,
    destroy,
    noted_first,
    objects_in,
    packs,
    random_bodies,
    secrets_of,
    settled_ones,
)
from support.redis_relay import redis_relay
from support.servers import ENGINES, Engine, Server
from support.store_commits import digest
from support.windows import found_in

DUE = 30_000
LONG = 100_000
ONE_ENGINE = pytest.mark.parametrize("own_server", ["valkey"], indirect=True)
"""For what is the same on both: our own order of effects, not a server's."""


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a rewriting takes long, and then the next one is waited for."""
    monkeypatch.setattr(rewriting, "REST", 0)


@pytest.fixture(params=ENGINES)
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """One that nobody else writes to."""
    engine: Engine = request.param
    with Server(tmp_path / "server", engine) as server:
        yield server.start()


# --- the canary -----------------------------------------------------------------------------------


async def test_no_window_of_what_is_destroyed_is_in_any_file(
    own_server: Server, tmp_path: Path
) -> None:
    folders = (own_server.directory, tmp_path / "objects")
    async with hooked_twin(own_server, tmp_path) as twin:
        packed = await settled_ones(twin, 12)
        long = await settled_ones(twin, 2, LONG)
        await archive_all(twin.store)
        here = await settled_ones(twin, 6)
        long_here = await settled_ones(twin, 1, LONG)
        kept, gone = [*packed[:2], here[0], long[0]], [*packed[2:], *here[1:], long[1], *long_here]
        held, rows = hold(twin.story, kept, digest("order"))
        await twin.commit(held)
        due = await twin.store.stanzas_due(DUE + 1, 10)
        before = [row.sealed for row in due]
        anew = wrapped_anew(twin.story, due, DUE + 40)
        fresh = [replace(row, sealed=os.urandom(1200)) for row in anew.stanzas]
        await twin.commit(replace(anew, stanzas=fresh))
        assert found_in(folders, secrets_of(twin, gone)) != set()
        await destroy(twin, gone)
        assert found_in(folders, secrets_of(twin, gone)) != set()
        assert await cleanse(twin.store)
        await twin.check()
        assert found_in(folders, [*secrets_of(twin, gone), *before]) == set()
        for row in kept:
            assert found_in(folders, secrets_of(twin, [row])) != set()
        await archive_all(twin.store)
        freed, rows = release(twin.story, rows, held.holds)
        await twin.commit(freed)
        await destroy(twin, rows)
        await archive_all(twin.store)
        assert await cleanse(twin.store)
        await twin.check()
        assert found_in(folders, secrets_of(twin, [*gone, *kept])) == set()
        assert packs(tmp_path) == set()
        await twin.store.close()
        assert found_in(folders, secrets_of(twin, [*gone, *kept])) == set()


# --- cut off --------------------------------------------------------------------------------------


class Cut:
    """The n-th effect fails, and every later one: the process is gone."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@ONE_ENGINE
@pytest.mark.parametrize("done", [False, True], ids=["not done", "done, reported failed"])
async def test_cut_off_at_each_effect_of_cleansing_nothing_is_lost_or_left(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    ask = Line.ask
    broken: Cut | None = None

    async def cut_ask(self: Line, commands: Sequence[Command], wait_ms: int = 0) -> list[Reply]:
        writes = any(word[0] == "EVAL" and "no-writes" not in str(word[1]) for word in commands)
        cut = writes and broken is not None and broken()
        if cut and not done:
            raise LineDown("injected")
        replies = await ask(self, commands, wait_ms)
        if cut:
            raise LineDown("injected")
        return replies

    monkeypatch.setattr("saphan_broker.store.redis.archive.move_bulletins.ENTERED_AT_ONCE", 2)
    monkeypatch.setattr(Line, "ask", cut_ask)
    async with hooked_twin(own_server, tmp_path) as twin:
        # Those that enter the pack first are held: what came after them is only a copy there.
        rows = sorted(await settled_ones(twin, 6), key=lambda row: row.bulletin)
        long = await settled_ones(twin, 1, LONG)
        for effects in (5, 6, 7, 8, 60):
            broken = Cut(effects)
            with suppress(Unavailable):
                await archive_all(twin.store)
            broken = None
            await reopen(twin, own_server, tmp_path)
        held, _kept = hold(twin.story, rows[:2], digest("order"))
        await twin.commit(held)
        gone = [*rows[2:], *long]
        await destroy(twin, gone)
        failures, clean = 0, False
        for effects in range(60):
            broken = Cut(effects % 12)
            try:
                clean = await twin.store.cleanse()
            except (OperatorError, Unavailable):
                failures, clean = failures + 1, False
            broken = None
            await twin.check()
            await reopen(twin, own_server, tmp_path)
            if clean:
                break
        assert clean
        assert failures >= 5
        await twin.check()
        twin.store.epoch = 1  # what an earlier holder has left is nobody's
        with own_server.client() as client:
            for log in ("evidence", "directory"):
                client.hset(f"saphan:{{{tmp_path.name}/{log}}}:head", "epoch", 1)
        assert await cleanse(twin.store)
        folders = (own_server.directory, tmp_path / "objects")
        assert found_in(folders, secrets_of(twin, gone)) == set()
        await twin.check()


async def test_a_destruction_whose_reply_is_lost_is_recognised(own_server: Server) -> None:
    async with redis_relay(own_server.port) as relay:
        twin = Twin(await RedisStore.create(relay.address()))
        rows = await settled_ones(twin, 5)
        gone, _after = destruction(twin.story, rows[:3])
        relay.hold_down = True
        committing = asyncio.create_task(twin.commit(gone))
        await relay.swallowed.wait()
        relay.cut()
        await committing
        await twin.check()
        await destroy(twin, rows[3:])
        await twin.check()
        await twin.store.close()


async def test_a_reply_that_is_lost_after_forgetting_is_no_failure(own_server: Server) -> None:
    async with redis_relay(own_server.port) as relay:
        twin = Twin(await RedisStore.create(relay.address()))
        rows = await settled_ones(twin, 5)
        await destroy(twin, rows)
        relay.hold_down = True
        forgetting = asyncio.create_task(twin.store.forget(33_001, 4))
        await relay.swallowed.wait()
        relay.cut()
        assert await forgetting == 4
        assert await twin.memory.forget(33_001, 4) == 4
        for one in (twin.store, twin.memory):
            while await one.forget(33_001, 100):
                pass
        assert await twin.store.entries(0, 100) == []
        await twin.check()
        await twin.store.close()


# --- fenced, full, behind -------------------------------------------------------------------------


async def test_who_lost_the_lease_destroys_and_forgets_nothing(
    twin: HookedTwin, server: Server, tmp_path: Path
) -> None:
    rows = await settled_ones(twin, 4)
    await archive_all(twin.store)
    await destroy(twin, rows[:2])
    with server.client() as client:
        for log in ("evidence", "directory"):
            client.hincrby(f"saphan:{{{tmp_path.name}/{log}}}:head", "epoch", 1)
        before = {key: client.dump(key) for key in client.scan_iter(f"saphan:{{{tmp_path.name}*")}
    objects = packs(tmp_path)
    gone, _after = destruction(twin.story, rows[2:])
    refused = []
    for attempt in (
        lambda: twin.store.commit(gone),
        lambda: twin.store.destroyable(DUE, 10),
        lambda: twin.store.forget(40_000, 10),
        lambda: twin.store.cleanse(),
    ):
        with pytest.raises(Unavailable) as error:
            await attempt()
        refused.append(error.value.code)
    assert refused == ["lease_lost"] * 4
    assert packs(tmp_path) == objects
    with server.client() as client:
        assert {key: client.dump(key) for key in before} == before


@pytest.mark.parametrize("swept", [False, True], ids=["noted", "swept by the next holder"])
@pytest.mark.parametrize("part", ["/packs/", "/facts/"])
async def test_what_a_process_puts_after_it_lost_the_lease_does_not_stay(
    twin: HookedTwin, server: Server, tmp_path: Path, part: str, swept: bool
) -> None:
    """It was stopped for a while between its note and its put."""
    rows = await settled_ones(twin, 4)

    def lose() -> None:
        with server.client() as client:
            for log in ("evidence", "directory"):
                client.hincrby(f"saphan:{{{tmp_path.name}/{log}}}:head", "epoch", 1)
            if swept:
                client.delete(f"saphan:{{{tmp_path.name}/evidence}}:notes")

    async def stopped(name: str) -> None:
        if part in name:
            twin.objects.before = None
            await asyncio.to_thread(lose)

    twin.objects.before = stopped
    with pytest.raises(Unavailable) as refused:
        await archive_all(twin.store)
    assert refused.value.code == "lease_lost"
    assert packs(tmp_path) == set()
    await reopen(twin, server, tmp_path)
    twin.store.epoch = 1
    await archive_all(twin.store)
    await twin.check()
    await destroy(twin, rows)
    assert await cleanse(twin.store)
    assert packs(tmp_path) == set()


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_server_without_memory_is_cleansed_and_forgets(
    tmp_path: Path, engine: Engine
) -> None:
    with await asyncio.to_thread(Server(tmp_path / engine, engine).start) as server:
        async with hooked_twin(server, tmp_path) as twin:
            rows = await settled_ones(twin, 40)
            await archive_all(twin.store)
            await destroy(twin, rows)
            with server.client() as client:
                used = client.info("memory")["used_memory"]
            await asyncio.to_thread(server.set, "maxmemory", str(used // 2))
            assert await twin.store.destroyable(DUE, 10) == []
            assert await cleanse(twin.store)
            assert packs(tmp_path) == set()
            for one in (twin.store, twin.memory):
                while await one.forget(33_001, 100):
                    pass
            await twin.check()


async def test_objects_that_are_away_keep_nothing_in_the_servers_file(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_name: str) -> None:
        raise Unavailable("blobs_unreachable", "injected")

    async with hooked_twin(own_server, tmp_path) as twin:
        rows = await settled_ones(twin, 3)
        long = await settled_ones(twin, 1, LONG)
        await archive_all(twin.store)
        here = await settled_ones(twin, 3)
        await destroy(twin, [*rows, *long, *here])
        with monkeypatch.context() as patched:
            patched.setattr(twin.objects, "delete", away)
            with pytest.raises(Unavailable) as refused:
                await twin.store.cleanse()
        assert refused.value.code == "blobs_unreachable"
        secrets = secrets_of(twin, [*rows, *long, *here])
        assert found_in([own_server.directory], secrets) == set()
        assert found_in([tmp_path / "objects"], secrets) != set()
        assert await cleanse(twin.store)
        assert found_in([tmp_path / "objects"], secrets) == set()
        await twin.check()


@ONE_ENGINE
async def test_while_the_replica_is_behind_no_object_is_put_or_removed(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(tmp_path / "replica", own_server.engine) as replica:
        await asyncio.to_thread(replica.start)
        await asyncio.to_thread(replica.follow, own_server)
        async with hooked_twin(own_server, tmp_path) as twin:
            rows = await settled_ones(twin, 3)
            await archive_all(twin.store)
            await twin.store.close()
            address = own_server.address(name=tmp_path.name, replicas=1, wait_ms=2000)
            twin.store = await RedisStore.open(address, objects=twin.objects, policy=EAGER)
            await destroy(twin, rows)
            await settled_ones(twin, 1, LONG)
            later = twin.story.bulletins(1, name="later")
            before = objects_in(tmp_path)
            await asyncio.to_thread(replica.pause)
            with monkeypatch.context() as patched:
                patched.setattr(twin.store._writer, "address", replace(address, wait_ms=200))
                for attempt in (
                    twin.store.cleanse,
                    twin.store.archive_some,
                    lambda: twin.store.commit(random_bodies(later, LONG)),
                ):
                    with pytest.raises(Unavailable) as refused:
                        await attempt()
                    assert refused.value.code == "replicas_missing"
            # One that is promoted by now knows of everything that is there.
            assert {path for path in objects_in(tmp_path) - before if noted_first(path)} == set()
            assert packs(tmp_path) != set()
            await asyncio.to_thread(replica.resume)
            for _ in range(10):
                with suppress(Unavailable):  # it may take a moment to catch up
                    assert await cleanse(twin.store)
                    break
            assert packs(tmp_path) == set()
