"""`make bench-speed`: how fast, beside NATS and Redis streams; writes RESULTS-speed.md.

python -m benchmarks.run_speed           three interleaved runs, about half an hour
python -m benchmarks.run_speed --quick   one run of short blocks; prints, writes nothing
python -m benchmarks.run_speed --toy     every piece once; figures mean nothing
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import (
    engines,
    floors,
    growth,
    ingest,
    machine,
    nats,
    report,
    running,
    starting,
    unsigned_loop,
    valkey,
    whole_way,
)
from benchmarks.engines import SQLITE, VALKEY
from benchmarks.report import Run, Target
from benchmarks.running import say
from benchmarks.stage import Stage, make_stage
from benchmarks.world import SENDER, small_senders

PER_SECOND: Final = 200
BATCHERS: Final = 8
BATCHER_WINDOW: Final = 2
"""Frames of 64 in flight of each of several senders of batches: a thousand bulletins in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured; seconds and counts of one run."""

    runs: int
    floor_seconds: float
    frames: int
    batches: int
    senders: int
    singles: int
    whole: int
    latency: int
    leaves: tuple[int, ...]
    agencies: tuple[int, ...]
    grown_runs: int
    kills: int
    blocks: tuple[str, ...] = ("ingest", "singles", "singles2", "valkey1", "valkey2")


FULL: Final = Plan(
    runs=3,
    floor_seconds=2.0,
    frames=250,
    batches=30,
    senders=20,
    singles=200,
    whole=6_000,
    latency=2_100,
    leaves=(10_000, 1_000_000),
    agencies=(2, 20, 200),
    grown_runs=3,
    kills=3,
)
QUICK: Final = replace(
    FULL,
    runs=1,
    floor_seconds=1.0,
    frames=100,
    batches=12,
    singles=50,
    whole=1_500,
    latency=700,
    leaves=(10_000, 100_000),
    grown_runs=1,
    kills=1,
)
TOY: Final = Plan(
    runs=1,
    floor_seconds=0.1,
    frames=3,
    batches=2,
    senders=2,
    singles=3,
    whole=20,
    latency=120,
    leaves=(30,),
    agencies=(1,),
    grown_runs=1,
    kills=1,
    blocks=("ingest",),
)


def _ratio(above: str, below: str, what: str, bound: float) -> Target:
    return Target(what, lambda run: run[above] / run[below], bound, form="{:.2f}")


def _least(name: str, what: str, bound: float) -> Target:
    return Target(what, lambda run: run[name], bound)


def _most(name: str, what: str, bound: float, form: str = "{:,.0f}") -> Target:
    return Target(what, lambda run: run[name], bound, True, form)


TARGETS: Final = (
    _least("ingest", "SQLite, one process, batches of 64, bulletins/s", 10_000),
    _ratio("ingest", "nats", "the same over NATS's pipelined publish, synced always", 1.8),
    _ratio("singles", "checks", "20 senders, one at a time, one process, over checks/s", 0.85),
    _ratio("singles2", "checks", "the same, two processes (Valkey)", 1.5),
    _least("valkey1", "Valkey, one process, batches of 64, bulletins/s", 6_000),
    _ratio("valkey2", "valkey1", "Valkey, two processes over one", 1.0),
    _least("whole", "the whole way, receipts/s", 2_000),
    _most("p50", f"latency at {PER_SECOND}/s, p50, ms", 12, "{:.1f}"),
    _most("p99", f"latency at {PER_SECOND}/s, p99, ms", 40, "{:.1f}"),
    _most("again", "serving again after SIGKILL, most leaves, s", 3, "{:.2f}"),
    _most("import_ms", "import of saphan, ms", 150),
    _most("help_ms", "saphan --help, ms", 250),
)
FIGURES: Final = {
    "checks": "floor: composite signature checks, one thread, per second",
    "way_ms": "floor: what one bulletin's way signs and checks, one after another, ms",
    "commits": "floor: SQLite commits of one small row, per second",
    "loop": "floor: unsigned accept loop, envelopes of 4 KiB, per second",
    "nats": "NATS JetStream, synced always, 4 KiB, 256 on their way, per second",
    "xadd": "Valkey streams, AOF always, XADD of 4 KiB, 4 connections of 64, per second",
    "ingest": "SQLite, one process, one sender, batches of 64, per second",
    "ingest_us": "processor time of the broker, us",
    "singles": "SQLite, one process, 20 senders, one at a time, per second",
    "singles_us": "processor time of the broker, us",
    "singles2": "Valkey, two processes, 20 senders, one at a time, per second",
    "valkey1": "Valkey, one process, 8 senders, batches of 64, per second",
    "valkey1_us": "processor time of the broker, us",
    "valkey2": "Valkey, two processes, 8 senders, batches of 64, per second",
    "valkey2_us": "processor time of the broker, us",
    "whole": "the whole way, receipts at the sender, per second",
    "whole_broker_us": "processor time of the broker, us",
    "whole_sender_us": "processor time of the sender's node, us",
    "whole_recipient_us": "processor time of the recipient's node, us",
    "p50": f"latency at {PER_SECOND}/s, p50, ms",
    "p99": f"latency at {PER_SECOND}/s, p99, ms",
    "python_ms": "start of the interpreter alone, ms",
    "import_ms": "import of saphan beyond that, ms",
    "help_ms": "saphan --help, ms",
    "again": "from the start of the process until it has accepted a bulletin, s",
    "others": "processor used by other programs meanwhile, cores",
}


class Bench:
    """One whole measurement."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        self._plan = plan
        self._stage = stage
        say("sealing bulletins beforehand")
        small = tuple(small_senders(plan.senders))
        self._one = stage.sealed("one", (SENDER,), plan.frames, ingest.BATCH, ingest.WINDOW)
        self._single = stage.sealed("single", small, plan.singles, 1, ingest.SMALL_WINDOW)
        self._many = stage.sealed(
            "many", small[:BATCHERS], plan.batches, ingest.BATCH, BATCHER_WINDOW
        )

    async def run(self, number: int) -> Run:
        """Every rate and latency once, each on a store as it was made, peers in between."""
        plan, stage, others = self._plan, self._stage, machine.Others()
        say(f"run {number}: floors and peers")
        found = {
            "checks": floors.composite_checks(plan.floor_seconds),
            "way_ms": floors.way_of_signatures(plan.floor_seconds),
            "commits": floors.sqlite_commits(stage.place, plan.floor_seconds),
            "loop": await unsigned_loop.measure(stage.place, plan.floor_seconds),
            "nats": await stage.peer(nats.measure, plan.floor_seconds),
            "xadd": await stage.peer(valkey.measure, plan.floor_seconds),
            **starting.measure(),
        }
        for name, engine, prepared in (
            ("ingest", SQLITE, self._one),
            ("singles", SQLITE, self._single),
            ("singles2", VALKEY[1], self._single),
            ("valkey1", VALKEY[0], self._many),
            ("valkey2", VALKEY[1], self._many),
        ):
            if name not in plan.blocks:
                continue
            say(f"run {number}: {FIGURES[name]}")
            async with stage.fresh(engine) as world:
                one = await engines.ingest(world, engine, prepared, stage.log)
            found |= {name: one.rate, f"{name}_us": one.broker_us}
        say(f"run {number}: the whole way")
        async with stage.fresh(SQLITE) as world:
            whole = await whole_way.throughput(world, plan.whole, stage.log)
            late = await whole_way.latency(world, plan.latency, stage.log, PER_SECOND)
        found |= {
            "whole": whole.rate,
            "whole_broker_us": whole.broker_us,
            "whole_sender_us": whole.sender_us,
            "whole_recipient_us": whole.recipient_us,
            "p50": late.p50,
            "p99": late.p99,
            "others": others.cores(),
        }
        say(json.dumps({name: round(value, 2) for name, value in found.items()}))
        return found

    async def grown(self) -> tuple[list[Run], list[Run]]:
        """(rates by leaves and by agencies, each kill's seconds)."""
        plan, stage = self._plan, self._stage
        longer = await growth.longer(stage.world, stage.place, plan.leaves)
        crowded = await growth.crowded(stage.world, stage.place, plan.agencies)
        found = list[Run]()
        for number in range(1, plan.grown_runs + 1):
            say(f"run {number}: what has grown")
            rates = await growth.rates(longer, self._one, stage.place, stage.log)
            found.append(rates | await growth.rates(crowded, self._one, stage.place, stage.log))
        say(f"killing a broker with {max(plan.leaves):,} leaves {plan.kills} times")
        largest = longer.worlds[max(plan.leaves)]
        again = await growth.serving_again(largest, plan.kills, stage.log)
        return found, [{"again": seconds} for seconds in again]


def _grown_figures(plan: Plan) -> dict[str, str]:
    kinds = {"leaves": "leaves in the log", "agencies": "agencies more in the directory"}
    counts = {"leaves": plan.leaves, "agencies": plan.agencies}
    return {
        f"{kind} {count}{suffix}": f"{count:,} {words}{what}"
        for kind, words in kinds.items()
        for count in counts[kind]
        for suffix, what in (("", ", bulletins/s"), (" us", ", processor time of the broker, us"))
    }


async def measured(plan: Plan, place: Path) -> str:
    """The results page."""
    bench = Bench(plan, await make_stage(place, plan.senders))
    runs = [await bench.run(number) for number in range(1, plan.runs + 1)]
    grown, again = await bench.grown()
    versions = {"NATS": await nats.version(), "Valkey": await valkey.version()}
    lines = [
        "# Results: speed",
        "",
        f"{running.measured_by('make bench-speed')}"
        f"{plan.runs} interleaved runs, medians with [min..max]; ratios are taken within a run. "
        "Clients, brokers, nodes and peers share the machine's cores; everything is answered after "
        "an fsync. Saphan checks both signatures of every bulletin, or of its batch, and makes the "
        "proofs; the peers check nothing.",
        "",
        *report.targets([*runs, *again], TARGETS),
        *report.figures([*runs, *again], FIGURES),
        "## What has grown",
        "",
        f"One sender, batches of 64, SQLite, one process; {plan.grown_runs} interleaved runs.",
        "",
        *report.figures(grown, _grown_figures(plan)),
        *report.machine(machine.described() | versions),
    ]
    return "\n".join(lines)


def main() -> int:
    """Parse options, measure, write or print the page."""
    return running.run(
        "measure Saphan's speed", "RESULTS-speed.md", measured, full=FULL, quick=QUICK, toy=TOY
    )


if __name__ == "__main__":
    sys.exit(main())
