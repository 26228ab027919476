"""How long an entry waits for its witness: from its time in the log until the sender's node holds a
proof of it under a head that the other agency's node has cosigned.

`python -m benchmarks.evidence_witness` starts a broker and the recipient's node, is the sender's
node itself, and sends 200 bulletins a second, whatever became of those before; each makes three
entries. All parties read the same clock. It prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from saphan.compose import Wish
from saphan.interpreter import serve_for_long
from saphan.node.config import NodeConfig, system_clock
from saphan.node.service import NodeService, running

from benchmarks import programs
from benchmarks.bulletin import wish
from benchmarks.machine import Others, described
from benchmarks.running import say
from benchmarks.sending_node import accepted, ready, until
from benchmarks.whole_way import quantile
from benchmarks.world import RECIPIENT, SENDER, World, make_world

PER_SECOND: Final = 200
SECONDS: Final = 30
WARM_S: Final = 3
"""First seconds whose entries are not counted."""
LOOK_S: Final = 0.05


class Watch:
    """Notes when entries of one node are proven; each look costs two short reads."""

    def __init__(self, service: NodeService, since: int) -> None:
        self._db = service.db
        self._since = since
        self._waiting: set[int] = set()
        self._newest = self._last()
        self.lags: list[int] = []
        """Milliseconds, of each entry dated `since` or later."""

    def _last(self) -> int:
        row = self._db.row("SELECT coalesce(max(idx), -1) FROM entries")
        return -1 if row is None else int(row[0])

    def look(self) -> None:
        """Whoever has left the list since the last look is proven now."""
        newest = self._db.rows("SELECT idx FROM entries WHERE idx > ?", (self._newest,))
        still = {index for (index,) in self._db.rows("SELECT idx FROM unproven")}
        now = system_clock()
        proven = (self._waiting | {index for (index,) in newest}) - still
        for index in proven:
            row = self._db.row("SELECT time FROM entries WHERE idx = ?", (index,))
            if row is not None and row[0] >= self._since:
                self.lags.append(now - row[0])
        self._waiting = still
        self._newest = max([self._newest, *(index for (index,) in newest)])

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_S)


async def offer(service: NodeService, count: int, made: Wish) -> float:
    """Open loop; seconds until the last receipt."""
    begin, before = time.perf_counter(), accepted(service)

    async def one(number: int) -> None:
        await asyncio.sleep(max(0.0, begin + number / PER_SECOND - time.perf_counter()))
        await service.send(made)

    await asyncio.gather(*(one(number) for number in range(count)))
    await until(lambda: accepted(service) - before >= count)
    return time.perf_counter() - begin


async def measured(world: World, seconds: int, log: Path) -> dict[str, Any]:
    """Everything once."""
    async with AsyncExitStack() as stack:
        _, url = await stack.enter_async_context(programs.broker(world.data, world.keys, log))
        folder = world.office(RECIPIENT).folder
        await stack.enter_async_context(programs.node(folder, url, log))
        config = NodeConfig(folder=world.office(SENDER).folder, broker=url)
        service = await stack.enter_async_context(running(config))
        await ready(service)
        made, count = wish(RECIPIENT), PER_SECOND * seconds
        watch = Watch(service, system_clock() + min(WARM_S, seconds // 2) * 1000)
        watching = asyncio.create_task(watch.run())
        took = await offer(service, count, made)
        async with asyncio.timeout(60):
            await until(lambda: service.db.row("SELECT 1 FROM unproven") is None)
        await asyncio.sleep(4 * LOOK_S)
        watching.cancel()
        lags = sorted(watch.lags)
        heads = service.db.row("SELECT count(DISTINCT head_size) FROM entries")
        return {
            "bulletins_per_second": PER_SECOND,
            "seconds": round(took, 1),
            "entries": len(lags),
            "lag_ms": {f"p{q}": quantile(lags, q / 100) for q in (50, 90, 99)} | {"max": lags[-1]},
            "heads_rested_under": 0 if heads is None else heads[0],
        }


async def main(seconds: int, place: Path) -> dict[str, Any]:
    """Make the world, measure, say on what."""
    say("a world is made")
    world = await make_world(place / "w", senders=0)
    others = Others()
    say("bulletins are sent")
    found = await measured(world, seconds, place / "log")
    return found | {"others_used_cores": round(others.cores(), 2), "machine": described()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.evidence_witness", description=__doc__)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long bulletins are sent")
    parser.add_argument("--disk", type=Path, default=Path("/var/tmp"), help="where stores are made")  # noqa: S108
    args = parser.parse_args()
    serve_for_long()
    folder = Path(tempfile.mkdtemp(prefix="sb", dir=args.disk))
    try:
        json.dump(asyncio.run(main(args.seconds, folder)), sys.stdout, indent=2)
    finally:
        shutil.rmtree(folder)
