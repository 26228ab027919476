"""`make bench-engines`: SQLite and Valkey under the same load; writes RESULTS-engines.md.

python -m benchmarks.run_engines           five interleaved runs, about a quarter of an hour
python -m benchmarks.run_engines --quick   one run of short blocks; prints, writes nothing
python -m benchmarks.run_engines --toy     every piece once; figures mean nothing
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import engines, floors, ingest, kept, machine, report, running, takeover, valkey
from benchmarks.engines import ENGINES, VALKEY, Engine
from benchmarks.report import Run, Target
from benchmarks.running import say
from benchmarks.world import World, make_world, small_senders

MB: Final = 1_000_000
WINDOW: Final = 2
"""Frames in flight of each sender of batches: a thousand bulletins of all eight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured; seconds and counts of one run."""

    runs: int
    engines: tuple[Engine, ...]
    floor_seconds: float
    batchers: int
    batches: int
    senders: int
    singles: int
    kills: int
    finished: int
    still: float
    loads: tuple[str, ...] = ("batches", "singles")


FULL: Final = Plan(
    runs=5,
    engines=ENGINES,
    floor_seconds=1.5,
    batchers=8,
    batches=30,
    senders=20,
    singles=150,
    kills=5,
    finished=20_000,
    still=3.0,
)
QUICK: Final = replace(
    FULL, runs=1, floor_seconds=1.0, batches=12, singles=40, kills=2, finished=6_000
)
TOY: Final = Plan(
    runs=1,
    engines=(VALKEY[1],),
    floor_seconds=0.05,
    batchers=1,
    batches=3,
    senders=2,
    singles=4,
    kills=1,
    finished=8,
    still=0.5,
    loads=("singles",),
)

LOADS: Final = {"batches": "8 senders, batches of 64", "singles": "20 senders, one at a time"}
NAMES: Final = {
    "sqlite": "SQLite, one process",
    "valkey1": "Valkey, one process",
    "valkey2": "Valkey, two processes",
    "valkey3": "Valkey, three processes",
}


def _aim(above: str, below: str, words: str, load: str, bound: float) -> Target:
    what = f"{NAMES[above]} over {words}, {LOADS[load]}"
    first, second = f"{above} {load}", f"{below} {load}"
    return Target(what, lambda run: run[first] / run[second], bound, form="{:.2f}")


TARGETS: Final = (
    *(_aim("valkey1", "sqlite", "SQLite", load, 0.5) for load in LOADS),
    *(_aim("valkey2", "valkey1", "one process", load, 1.0) for load in LOADS),
    *(_aim("valkey3", "valkey1", "one process", load, 1.0) for load in LOADS),
    Target("from SIGKILL of the holder on, s", lambda run: run["takeover"], 3, True, "{:.2f}"),
)
FIGURES: Final = {
    "checks": "floor: composite signature checks, one thread, per second",
    "xadd": "floor: XADD of 4 KiB, fsynced before its answer, 4 connections of 64, per second",
    **{
        f"{engine} {load}{suffix}": f"{NAMES[engine]}: {words}, {what}"
        for load, words in LOADS.items()
        for engine in NAMES
        for suffix, what in (("", "per second"), (" us", "processor time of the broker, us"))
    },
    "takeover": "from SIGKILL of the holder to the next accepted bulletin, s",
    "others": "processor used by other programs meanwhile, cores",
}


class Bench:
    """One whole measurement in a folder of its own on a real disk."""

    def __init__(self, plan: Plan, place: Path, world: World) -> None:
        self._plan = plan
        self._place = place
        self._world = world
        self._log = place / "programs.log"
        self._copies = 0
        say("sealing bulletins beforehand")
        batchers = tuple(small_senders(plan.batchers))
        self._loads = {
            "batches": self._sealed("batches", batchers, plan.batches, ingest.BATCH, WINDOW),
            "singles": self._sealed(
                "singles", tuple(small_senders(plan.senders)), plan.singles, 1, ingest.SMALL_WINDOW
            ),
        }

    def _sealed(
        self, name: str, senders: tuple[str, ...], frames: int, batch: int, window: int
    ) -> ingest.Prepared:
        folder = self._place / name
        folder.mkdir()
        return ingest.prepare(self._world, senders, folder, frames, batch, window)

    async def carry(self) -> None:
        """Copy the world into Valkey too; both stay as they are from then on."""
        say("copying the world into Valkey")
        self._carried = self._world.copy(self._place / "carried")
        await engines.carry(self._carried, self._log)

    async def run(self, number: int) -> Run:
        """Every engine under both loads once, each on a store as it was made."""
        others = machine.Others()
        say(f"run {number}: floors")
        found = {
            "checks": floors.composite_checks(self._plan.floor_seconds),
            "xadd": await self._floor(),
        }
        for load in self._plan.loads:
            for engine in self._plan.engines:
                say(f"run {number}: {NAMES[engine.name]}, {LOADS[load]}")
                async with self._fresh(engine) as world:
                    one = await engines.ingest(world, engine, self._loads[load], self._log)
                found |= {f"{engine.name} {load}": one.rate}
                found |= {f"{engine.name} {load} us": one.broker_us}
        found["others"] = others.cores()
        say(json.dumps({name: round(value, 2) for name, value in found.items()}))
        return found

    async def takeover(self) -> list[Run]:
        """Each kill is a figure of its own."""
        say(f"killing the holder {self._plan.kills} times")
        async with self._fresh(VALKEY[0]) as world:
            times = await takeover.measure(world, self._plan.kills, self._log)
        return [{"takeover": seconds} for seconds in times]

    async def memory(self) -> kept.Kept:
        """Bytes of open bulletins, and what stays of finished ones."""
        say(f"memory of {self._plan.finished:,} finished bulletins")
        async with self._fresh(VALKEY[0]) as world:
            count, still = self._plan.finished, self._plan.still
            return await kept.measure(world, self._loads["batches"], count, still, self._log)

    async def _floor(self) -> float:
        folder = self._place / "floor"
        try:
            return await valkey.measure(folder, self._log, self._plan.floor_seconds)
        finally:
            shutil.rmtree(folder)

    @asynccontextmanager
    async def _fresh(self, engine: Engine) -> AsyncIterator[World]:
        """A copy for one block."""
        self._copies += 1
        place = self._place / str(self._copies)
        copy = (self._carried if engine.processes else self._world).copy(place)
        try:
            yield copy
        finally:
            copy.remove()


async def measured(plan: Plan, place: Path) -> str:
    """The results page."""
    world = await make_world(place / "world", plan.senders)
    bench = Bench(plan, place, world)
    await bench.carry()
    if plan is TOY:  # nothing is judged, so everything at once: the waits overlap
        one, kills, memory = await asyncio.gather(bench.run(1), bench.takeover(), bench.memory())
        runs = [one, *kills]
    else:
        runs = [await bench.run(number) for number in range(1, plan.runs + 1)]
        runs += await bench.takeover()
        memory = await bench.memory()
    lines = [
        "# Results: engines",
        "",
        f"{running.measured_by('make bench-engines')}"
        f"{plan.runs} interleaved runs, medians with [min..max]; ratios are taken within a run. "
        "Client, brokers and Valkey share the machine's cores; everything is answered after an "
        f"fsync. The holder of the lease was killed {plan.kills} times.",
        "",
        *report.targets(runs, TARGETS),
        *report.figures(runs, FIGURES),
        *_memory(memory),
        *report.machine(machine.described() | {"Valkey": await valkey.version()}),
    ]
    return "\n".join(lines)


def _memory(one: kept.Kept) -> list[str]:
    size, count = one.newest
    return [
        f"Valkey's memory: {one.open_memory:,.0f} bytes for each open bulletin ({one.opened:,} "
        f"measured). For each finished one {one.memory:,.1f} bytes ({one.finished:,} measured), so "
        f"{one.memory:,.0f} MB for a million: extrapolated, not measured; and, however many there "
        f"are, {size / MB:,.0f} MB for the newest {count:,} and the newest blocks of the log, "
        "which stay whole. The objects' files take "
        f"{one.files:,.0f} bytes for each finished bulletin.",
        "",
    ]


def main() -> int:
    """Parse options, measure, write or print the page."""
    return running.run(
        "measure Saphan's engines", "RESULTS-engines.md", measured, full=FULL, quick=QUICK, toy=TOY
    )


if __name__ == "__main__":
    sys.exit(main())
