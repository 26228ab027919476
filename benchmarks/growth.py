"""What grows with the years must not slow anything down: leaves in the log, agencies, both at once.

The same bulletins, sealed once, go into brokers whose logs hold ten thousand or a million leaves
(`seeded_store`), and into brokers that know 2, 20 or 200 agencies more. And a broker with a million
leaves is killed with SIGKILL while it takes bulletins: what counts is the time from the start of
the next process until it has accepted one.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import ingest, programs, takeover
from benchmarks.running import say
from benchmarks.seeded_store import Sort, seed
from benchmarks.world import World, crowd

ENTRIES: Final = 3
"""Leaves of a seeded bulletin."""
OPEN: Final = Sort(days=30, ciphertext=64)
"""Not due, so that nothing of it is destroyed meanwhile; small, so that a copy is quickly made."""


@dataclass(frozen=True, slots=True)
class Grown:
    """Worlds of one kind, by how much of it they have; `base` is the smallest."""

    kind: str
    worlds: dict[int, World]


async def longer(world: World, place: Path, leaves: tuple[int, ...]) -> Grown:
    """Copies of a world whose evidence logs have about so many leaves."""
    made = {}
    for count in leaves:
        say(f"seeding {count:,} leaves")
        made[count] = world.copy(place / f"leaves{count}")
        await seed(made[count], count // ENTRIES, OPEN)
    return Grown("leaves", made)


async def crowded(world: World, place: Path, agencies: tuple[int, ...]) -> Grown:
    """Copies of a world whose directories know so many agencies more."""
    made = {}
    for count in agencies:
        say(f"enrolling {count} agencies more")
        made[count] = world.copy(place / f"agencies{count}")
        await crowd(made[count], count)
    return Grown("agencies", made)


async def rates(
    grown: Grown, prepared: ingest.Prepared, place: Path, log: Path
) -> dict[str, float]:
    """Bulletins/s into each of them; a store grows by what is pushed, so each block has a copy."""
    found = {}
    for count, world in grown.worlds.items():
        copy = world.copy(place / "copy")
        try:
            one = await ingest.ingest(copy, prepared, log)
        finally:
            copy.remove()
        found[f"{grown.kind} {count}"] = one.rate
        found[f"{grown.kind} {count} us"] = one.broker_us
    return found


async def serving_again(world: World, kills: int, log: Path) -> list[float]:
    """Seconds from the start of a broker that was killed until it accepts a bulletin."""
    found = []
    begin: float | None = None
    for _ in range(kills + 1):
        async with AsyncExitStack() as stack:
            running = programs.broker(world.data, world.keys, log)
            broker, url = await stack.enter_async_context(running)
            offering = await stack.enter_async_context(takeover.Offering(world, url))
            accepted = await offering.accepted()
            if begin is not None:
                found.append(accepted - begin)
            broker.process.kill()
            await broker.process.wait()
        begin = time.perf_counter()
    return found
