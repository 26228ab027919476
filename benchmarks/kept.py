"""What bulletins cost in the memory of Valkey: open ones, and finished ones once they are archived.

Open ones are sealed beforehand, and nobody fetches them; the difference of the whole memory counts.
Then their recipient comes and accepts them, and the broker moves what is finished into its objects,
all but the newest. From there on two nodes exchange more. What these add to keys that grow with
history is the second figure; keys that hold the newest only are counted apart: their size goes up
and down with how much the broker moves at once, and never beyond that.
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
from benchmarks.engines import OBJECTS, VALKEY, pushing, served
from benchmarks.ingest import Prepared, measured
from benchmarks.valkey import Valkey
from benchmarks.world import NAME, RECIPIENT, SENDER, World

NEWEST: Final = frozenset((b"b", b"n", b"due", b"done", b"blocks", b"sigs", b"box"))
"""Keys (`store.redis.keys`) from which the broker moves what is finished and not of the newest."""
PIECE: Final = 2_000
"""Bulletins that the sender is told to send at once: it has two minutes for them."""
LOOK_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes in Valkey's memory and in the objects' files.

    Args:
        opened, finished: how many bulletins were measured.
        open_memory: of each open one.
        memory, files: of each finished one, beside what is kept of the newest.
        newest: of all keys for the newest finished bulletins and blocks, together; how many
            bulletins these are.
    """

    opened: int
    open_memory: float
    finished: int
    memory: float
    files: float
    newest: tuple[int, int]


async def measure(world: World, prepared: Prepared, count: int, still: float, log: Path) -> Kept:
    """Open ones first; their recipient comes and finishes them; then `count` more.

    Args:
        still: seconds without any change after which nothing is taken to move any more.
    """
    async with AsyncExitStack() as stack:
        broker, url, server = await stack.enter_async_context(served(world, VALKEY[0], log))
        assert server is not None
        empty = await server.used()
        async with programs.started("client", log, "benchmarks.ingest_client") as client:
            pushed = await measured(broker, client, pushing(world, prepared, url))
        opened = await server.used() - empty
        recipient = world.office(RECIPIENT).folder
        await stack.enter_async_context(programs.node(recipient, url, log))
        await _settled(server, still)
        before = (await _split(server))[0], _files(world)
        await _exchange(world, url, count, log)
        left = await _settled(server, still)
        history, newest = await _split(server)
        after = history, _files(world)
    memory, files = ((now - was) / count for now, was in zip(after, before, strict=True))
    return Kept(pushed.accepted, opened / pushed.accepted, count, memory, files, (newest, left))


async def _split(server: Valkey) -> tuple[int, int]:
    """Bytes of keys that grow with history, and of those for what is open or newest."""
    history = newest = 0
    async for key, size in server.keys():
        name = key.partition(b"}:")[2].partition(b":")[0]
        if name in NEWEST:
            newest += size
        else:
            history += size
    return history, newest


async def _exchange(world: World, url: str, count: int, log: Path) -> None:
    folder = world.office(SENDER).folder
    async with programs.started("sender", log, "benchmarks.sending_node", folder, url) as sender:
        await sender.hear()
        while count > 0:
            await sender.ask({"do": "send", "count": min(PIECE, count)})
            count -= PIECE


async def _settled(server: Valkey, still: float) -> int:
    """Wait until nothing is due and nothing moves any more; finished bulletins still in memory."""
    keys = Keys(NAME, "evidence")
    last, since = (-1, -1), time.perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while time.perf_counter() - since < still:
            await asyncio.sleep(LOOK_SECONDS)
            due = await server.ask("ZCARD", keys.due)
            now = await server.ask("ZCARD", keys.done), await server.ask("DBSIZE")
            if due or now != last:
                last, since = now, time.perf_counter()
    return last[0]


def _files(world: World) -> int:
    folder = world.place / OBJECTS
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
