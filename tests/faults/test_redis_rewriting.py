"""The server's own files are written anew after a destruction: whatever stops it, whoever leads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from saphan_broker.store.redis import rewriting
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.rewriting import Rewriting
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.errors import Unavailable
from support.archives import HookedTwin, archive_all, hooked_twin, reopen
from support.destroyed import cleanse, destroy, secrets_of, settled_ones
from support.servers import ENGINES, Engine, Server
from support.windows import found_in


@pytest.fixture(params=ENGINES)
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """One that nobody else writes to."""
    engine: Engine = request.param
    with Server(tmp_path / "server", engine) as server:
        yield server.start()


async def test_its_file_is_not_rewritten_when_nothing_was_removed(
    twin: HookedTwin, server: Server
) -> None:
    def rewrites() -> int:
        with server.client() as client:
            return int(client.info("persistence")["aof_rewrites"])

    rows = await settled_ones(twin, 2)
    first = rewrites()
    assert await twin.store.cleanse()
    assert rewrites() == first
    await destroy(twin, rows)
    assert await cleanse(twin.store)
    assert await cleanse(twin.store)
    assert rewrites() == first + 1


async def test_a_server_that_is_killed_while_it_rewrites_its_file_rewrites_it_again(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Rewriting._begin

    async def killed(self: Rewriting, said: object) -> None:
        monkeypatch.setattr(Rewriting, "_begin", begin)
        await begin(self, said)  # type: ignore[arg-type]
        await asyncio.to_thread(own_server.kill)
        await asyncio.to_thread(own_server.start)

    async with hooked_twin(own_server, tmp_path) as twin:
        rows = await settled_ones(twin, 5)
        await archive_all(twin.store)
        await destroy(twin, rows)
        monkeypatch.setattr(Rewriting, "_begin", killed)
        with suppress(Unavailable):
            await twin.store.cleanse()
        await reopen(twin, own_server, tmp_path)
        assert await cleanse(twin.store)
        folders = (own_server.directory, tmp_path / "objects")
        assert found_in(folders, secrets_of(twin, rows)) == set()
        await twin.check()


async def test_a_rewriting_that_failed_was_none(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server counts it, and goes on with the files it has."""
    monkeypatch.setattr(rewriting, "FAILED_REST_S", 0.0)
    begin = Rewriting._begin

    async def failing(self: Rewriting, said: object) -> None:
        monkeypatch.setattr(Rewriting, "_begin", begin)
        await asyncio.to_thread(own_server.set, "rdb-key-save-delay", "1000000")
        await begin(self, said)  # type: ignore[arg-type]
        while not await asyncio.to_thread(own_server.kill_child):
            pass
        await asyncio.to_thread(own_server.set, "rdb-key-save-delay", "0")

    async with hooked_twin(own_server, tmp_path) as twin:
        rows = await settled_ones(twin, 5)
        await destroy(twin, rows)
        monkeypatch.setattr(Rewriting, "_begin", failing)
        assert await cleanse(twin.store)
        assert found_in([own_server.directory], secrets_of(twin, rows)) == set()


async def test_the_file_of_a_promoted_replica_is_written_anew(
    own_server: Server, tmp_path: Path
) -> None:
    with Server(tmp_path / "replica", own_server.engine) as replica:
        await asyncio.to_thread(replica.start)
        await asyncio.to_thread(replica.follow, own_server)
        async with hooked_twin(own_server, tmp_path) as twin:
            rows = await settled_ones(twin, 3)
            await destroy(twin, rows)
            assert await cleanse(twin.store)
            await twin.store.close()
            with own_server.client() as client:
                client.execute_command("WAIT", 1, 10_000)
            await asyncio.to_thread(own_server.kill)
            with replica.client() as client:
                client.execute_command("REPLICAOF", "NO", "ONE")
            assert found_in([replica.directory], secrets_of(twin, rows)) != set()
            await reopen(twin, replica, tmp_path)
            assert await cleanse(twin.store)
            assert found_in([replica.directory], secrets_of(twin, rows)) == set()


# --- snapshots ------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps", ["", "3600 1"], ids=["because somebody asked", "by itself"])
@pytest.mark.parametrize("appends", ["yes", "no"], ids=["beside its file", "alone"])
async def test_a_snapshot_that_the_server_has_written_is_written_anew(
    tmp_path: Path, keeps: str, appends: str
) -> None:
    settings = {"save": keeps or '""', "appendonly": appends}
    with await asyncio.to_thread(Server(tmp_path / "server", settings=settings).start) as server:
        async with hooked_twin(server, tmp_path, accept_loss=True) as twin:
            rows = await settled_ones(twin, 3)
            with server.client() as client:
                client.bgsave()
                while client.info("persistence")["rdb_bgsave_in_progress"]:
                    pass
            await destroy(twin, rows)
            dump = server.directory / "dump.rdb"
            assert found_in([server.directory], secrets_of(twin, rows)) >= {dump}
            assert await cleanse(twin.store)
            assert dump.exists()
            assert found_in([server.directory], secrets_of(twin, rows)) == set()


async def test_who_lost_the_lease_asks_for_no_rewriting_again_and_again(
    server: Server, tmp_path: Path
) -> None:
    """Without objects nothing else tells it."""
    address = server.address(name=tmp_path.name)
    async with hooked_twin(server, tmp_path) as twin:
        rows = await settled_ones(twin, 2)
        await destroy(twin, rows)
        store = await RedisStore.open(address, objects=twin.objects, policy=EAGER)
        with server.client() as client:
            for log in ("evidence", "directory"):
                client.hincrby(f"saphan:{{{tmp_path.name}/{log}}}:head", "epoch", 1)
            before = client.info("persistence")["aof_rewrites"]
            with pytest.raises(Unavailable) as refused:
                await store._rewriting.rewrite()
            assert refused.value.code == "lease_lost"
            assert client.info("persistence")["aof_rewrites"] <= before + 1
        await store.close()
