"""Every engine of the broker's store, for the one suite they all have to pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from saphan_broker.store.base import Store
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.redis.store import RedisStore
from saphan_broker.store.sqlite import SqliteStore
from support.servers import ENGINES, Engine, Server


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Engine, Server]]:
    """One server of each kind for all tests; each test's store has a name of its own there."""
    running: dict[Engine, Server] = {}
    yield running
    for server in running.values():
        server.free()


@pytest.fixture(params=["memory", "sqlite", *ENGINES])
async def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    servers: dict[Engine, Server],
) -> AsyncIterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    elif request.param == "sqlite":
        made = await SqliteStore.create(tmp_path / "data")
    else:
        engine: Engine = request.param
        if engine not in servers:
            servers[engine] = Server(tmp_path_factory.mktemp(engine), engine).start()
        made = await RedisStore.create(servers[engine].address(name=tmp_path.name))
    yield made
    await made.close()
