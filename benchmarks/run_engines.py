"""`make bench-engines`: SQLite and Valkey under the same load; writes RESULTS-engines.md.

python -m benchmarks.run_engines           five interleaved runs, about a quarter of an hour
python -m benchmarks.run_engines --quick   one run of short blocks; prints, writes nothing
python -m benchmarks.run_engines --toy     every piece once; figures mean nothing
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import engines, floors, ingest, kept, machine, report, running, takeover, valkey
from benchmarks.engines import ENGINES, VALKEY, Engine
from benchmarks.report import Run, Target
from benchmarks.running import say
from benchmarks.stage import Stage, make_stage
from benchmarks.world import small_senders

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
    """One whole measurement."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        self._plan = plan
        self._stage = stage
        say("sealing bulletins beforehand")
        batchers, small = (tuple(small_senders(n)) for n in (plan.batchers, plan.senders))
        self._loads = {
            "batches": stage.sealed("batches", batchers, plan.batches, ingest.BATCH, WINDOW),
            "singles": stage.sealed("singles", small, plan.singles, 1, ingest.SMALL_WINDOW),
        }

    async def run(self, number: int) -> Run:
        """Every engine under both loads once, each on a store as it was made."""
        others = machine.Others()
        say(f"run {number}: floors")
        found = {
            "checks": floors.composite_checks(self._plan.floor_seconds),
            "xadd": await self._stage.peer(valkey.measure, self._plan.floor_seconds),
        }
        for load in self._plan.loads:
            for engine in self._plan.engines:
                say(f"run {number}: {NAMES[engine.name]}, {LOADS[load]}")
                async with self._stage.fresh(engine) as world:
                    one = await engines.ingest(world, engine, self._loads[load], self._stage.log)
                found |= {f"{engine.name} {load}": one.rate}
                found |= {f"{engine.name} {load} us": one.broker_us}
        found["others"] = others.cores()
        say(json.dumps({name: round(value, 2) for name, value in found.items()}))
        return found

    async def takeover(self) -> list[Run]:
        """Each kill is a figure of its own."""
        say(f"killing the holder {self._plan.kills} times")
        async with self._stage.fresh(VALKEY[0]) as world:
            times = await takeover.measure(world, self._plan.kills, self._stage.log)
        return [{"takeover": seconds} for seconds in times]

    async def memory(self) -> kept.Kept:
        """Bytes of open bulletins, and what stays of finished ones."""
        say(f"memory of {self._plan.finished:,} finished bulletins")
        async with self._stage.fresh(VALKEY[0]) as world:
            count, still = self._plan.finished, self._plan.still
            return await kept.measure(world, self._loads["batches"], count, still, self._stage.log)


async def measured(plan: Plan, place: Path) -> str:
    """The results page."""
    bench = Bench(plan, await make_stage(place, plan.senders))
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
