"""What carries a broker: SQLite in one process, or a Valkey server with one to three processes.

The world is made on SQLite and copied into Valkey by `saphan-broker copy`'s own function, so that
the same bulletins, sealed once, fit every engine.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from saphan_broker.moving.copying import copy_store
from saphan_broker.opening import BlobPlace, StoreChoice, create_store, open_objects, open_store
from saphan_broker.seeds import DayKeys
from saphan_broker.store.redis.address import RedisAddress

from benchmarks import programs
from benchmarks.ingest import Ingested, Prepared, measured
from benchmarks.valkey import Valkey, valkey
from benchmarks.world import NAME, World

STORE: Final = "valkey"
"""Folder of the server in a world."""
OBJECTS: Final = "objects"


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to run a broker; `processes` 0 is SQLite in one process."""

    name: str
    processes: int


SQLITE: Final = Engine("sqlite", 0)
VALKEY: Final = tuple(Engine(f"valkey{number}", number) for number in (1, 2, 3))
ENGINES: Final = (SQLITE, *VALKEY)


def options(world: World, server: Valkey) -> list[str | Path]:
    """How a broker's command line names the server and the folder of objects."""
    return ["--redis", server.url, "--blobs", world.place / OBJECTS]


async def carry(world: World, log: Path) -> None:
    """Copy a world's store into a server that lies in the world; nothing may run in it."""
    async with valkey(world.place / STORE, log) as server:
        place = BlobPlace(str(world.place / OBJECTS))
        choice = StoreChoice(redis=RedisAddress(url=server.url), blobs=place).named(NAME)
        source = await open_store(world.data, StoreChoice(), None)
        target = await create_store(world.data, choice, open_objects(world.data, choice))
        try:
            keys = await asyncio.to_thread(DayKeys.open, world.keys)
            await copy_store(source, target, keys, lambda *_: None)
        finally:
            await source.close()
            await target.close()
    (world.place / "sqlite").mkdir()
    for file in world.data.glob("broker.db*"):
        shutil.move(file, world.place / "sqlite" / file.name)


@asynccontextmanager
async def served(
    world: World, engine: Engine, log: Path
) -> AsyncIterator[tuple[programs.Program, str, Valkey | None]]:
    """(broker, url, server): a broker on this engine, on what the world's store holds."""
    async with AsyncExitStack() as stack:
        more: list[str | Path] = []
        server = None
        if engine.processes:
            server = await stack.enter_async_context(valkey(world.place / STORE, log))
            more = [*options(world, server), "--processes", str(engine.processes)]
        broker, url = await stack.enter_async_context(
            programs.broker(world.data, world.keys, log, *more)
        )
        yield broker, url, server


async def ingest(world: World, engine: Engine, prepared: Prepared, log: Path) -> Ingested:
    """Push prepared bulletins, every sender on a session of its own."""
    async with (
        served(world, engine, log) as (broker, url, _),
        programs.started("client", log, "benchmarks.ingest_client") as client,
    ):
        return await measured(broker, client, pushing(world, prepared, url))


def pushing(world: World, prepared: Prepared, url: str) -> dict[str, Any]:
    """The client's command for prepared bulletins."""
    return {
        "do": "push",
        "url": url,
        "offices": [str(world.office(name).folder) for name in prepared.senders],
        "files": [str(path) for path in prepared.files],
        "window": prepared.window,
        "warm": prepared.warm,
    }
