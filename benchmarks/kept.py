"""What bulletins cost in the memory of Valkey: open ones, and finished ones once they are archived.

Both are slopes between two counts, so that the server's own workings and the directory count for
nothing. Open: sealed beforehand, nobody fetches them. Finished: two nodes exchange them, the
recipient accepts, and the broker moves them into its objects; the second figure is what stays.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_broker.store.redis.keys import Keys

from benchmarks import programs
from benchmarks.engines import OBJECTS, VALKEY, push, served
from benchmarks.ingest import Prepared
from benchmarks.valkey import Valkey
from benchmarks.world import NAME, RECIPIENT, SENDER, World

PIECE: Final = 2_000
"""Bulletins that the sender is told to send at once: it has two minutes for them."""
LOOK_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 180.0


@dataclass(frozen=True, slots=True)
class Finished:
    """Bytes in Valkey and in the objects' files for each finished bulletin, and how many remain."""

    memory: float
    files: float
    left: int
    seconds: float


async def open_ones(world: World, prepared: Prepared, log: Path) -> float:
    """Bytes of Valkey's memory for each bulletin that waits for its recipient."""
    command = {
        "do": "push",
        "offices": [str(world.office(name).folder) for name in prepared.senders],
        "files": [str(path) for path in prepared.files],
        "window": prepared.window,
        "warm": prepared.warm,
    }
    async with (
        served(world, VALKEY[0], log) as (broker, url, server),
        programs.started("client", log, "benchmarks.ingest_client") as client,
    ):
        assert server is not None
        before = await server.used()
        found = await push(broker, client, command | {"url": url})
        return (await server.used() - before) / found.accepted


async def finished(world: World, count: int, log: Path) -> Finished:
    """What stays of `count` accepted bulletins, measured from a quarter of them on."""
    async with AsyncExitStack() as stack:
        _, url, server = await stack.enter_async_context(served(world, VALKEY[0], log))
        assert server is not None
        recipient = world.office(RECIPIENT).folder
        await stack.enter_async_context(programs.node(recipient, url, log))
        sender = await stack.enter_async_context(
            programs.started(
                "sender", log, "benchmarks.sending_node", world.office(SENDER).folder, url
            )
        )
        await sender.hear()
        first = count // 4
        await _send(sender, first)
        await _settled(server, LOOK_SECONDS)
        before = await server.used(), _files(world)
        await _send(sender, count - first)
        begin = time.perf_counter()
        left = await _settled(server, LOOK_SECONDS)
        took = time.perf_counter() - begin
        after = await server.used(), _files(world)
    memory, files = ((now - was) / (count - first) for now, was in zip(after, before, strict=True))
    return Finished(memory, files, left, took)


async def _send(sender: programs.Program, count: int) -> None:
    while count > 0:
        await sender.ask({"do": "send", "count": min(PIECE, count)})
        count -= PIECE


async def _settled(server: Valkey, pause: float) -> int:
    """Wait until the mover has nothing more to do; bulletins that still wait for it."""
    keys = Keys(NAME, "evidence")
    last, since = (-1, 0), time.perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while time.perf_counter() - since < 6 * pause:
            await asyncio.sleep(pause)
            now = await server.ask("ZCARD", keys.done), await server.ask("DBSIZE")
            if now != last:
                last, since = now, time.perf_counter()
    return last[0]


def _files(world: World) -> int:
    folder = world.place / OBJECTS
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
