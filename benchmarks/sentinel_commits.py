"""What a commit costs by sentinels, beside the same servers named themselves; prints, a minute.

    PYTHONPATH=tests:. python -m benchmarks.sentinel_commits [COMMITS]

A primary with two replicas, all on this machine. By sentinels a commit waits for all replicas that
may be promoted; the ways take turns, and each commit begins when the one before is everywhere.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.store import RedisStore
from support.sentinels import Guarded
from support.store_commits import Story

SIZES: Final = (1, 64)
SETTLE_S: Final = 0.15
"""Until slower replicas have the commit before: else the next one would pay for it."""


def main() -> None:
    """Measure and print."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as place:
        guarded = Guarded(Path(place) / "guarded")
        try:
            guarded.start()
            asyncio.run(_measure(guarded, turns))
        finally:
            guarded.free()


async def _measure(guarded: Guarded, turns: int) -> None:
    ways: dict[str, RedisAddress] = {
        "by sentinels, --replicas 1": guarded.address(replicas=1, name="a"),
        "named itself, --replicas 1": guarded.servers[0].address(replicas=1, name="b"),
        "named itself, --replicas 2": guarded.servers[0].address(replicas=2, name="c"),
    }
    stores = {way: (await RedisStore.create(address), Story()) for way, address in ways.items()}
    took: dict[tuple[str, int], list[float]] = {(way, n): [] for way in ways for n in SIZES}
    for turn in range(turns):
        for size in SIZES:
            for way, (store, story) in stores.items():
                commit = story.bulletins(size, name=turn)
                await asyncio.sleep(SETTLE_S)
                begun = perf_counter()
                await store.commit(commit)
                took[way, size].append(1000 * (perf_counter() - begun))
    for (way, size), found in took.items():
        found.sort()
        p50, p90 = found[len(found) // 2], found[len(found) * 9 // 10]
        print(f"{way}, {size} bulletins: p50 {p50:.1f} ms, p90 {p90:.1f} ms")
    for store, _story in stores.values():
        await store.close()


if __name__ == "__main__":
    main()
