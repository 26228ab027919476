"""`make bench`: measure, compare with the floors of the same runs, write RESULTS.md.

python -m benchmarks.run            five interleaved runs, about ten minutes
python -m benchmarks.run --quick    one run of short blocks; prints, writes nothing
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_schemas.codec import decode
from saphan_schemas.frames import Submit

from benchmarks import floors, ingest, machine, report, running, unsigned_loop, whole_way, wire
from benchmarks.ingest_client import read_frames
from benchmarks.running import say
from benchmarks.world import SENDER, World, make_world, small_senders

WIRE_BATCH: Final = 32
MB: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured; seconds and counts of one run."""

    runs: int
    floor_seconds: float
    loop_seconds: float
    ingest_frames: int
    senders: int
    singles: int
    whole: int
    latency: int
    wire_times: int
    wire_quiet: float
    memory: int


FULL: Final = Plan(
    runs=5,
    floor_seconds=1.0,
    loop_seconds=2.0,
    ingest_frames=250,
    senders=20,
    singles=200,
    whole=5_000,
    latency=525,
    wire_times=5,
    wire_quiet=1.5,
    memory=100_000,
)
QUICK: Final = Plan(
    runs=1,
    floor_seconds=0.5,
    loop_seconds=1.0,
    ingest_frames=80,
    senders=20,
    singles=50,
    whole=1_500,
    latency=225,
    wire_times=1,
    wire_quiet=1.5,
    memory=10_000,
)
TOY: Final = Plan(
    runs=1,
    floor_seconds=0.05,
    loop_seconds=0.1,
    ingest_frames=3,
    senders=2,
    singles=4,
    whole=20,
    latency=40,
    wire_times=1,
    wire_quiet=0.2,
    memory=128,
)


class Bench:
    """One whole measurement in a folder of its own on a real disk."""

    def __init__(self, plan: Plan, place: Path, world: World) -> None:
        self._plan = plan
        self._place = place
        self._world = world
        self._log = place / "programs.log"
        senders = small_senders(plan.senders)
        say("sealing bulletins beforehand")
        self._batched = ingest.prepare(
            world, (SENDER,), place, plan.ingest_frames, ingest.BATCH, ingest.WINDOW
        )
        self._single = ingest.prepare(
            world, tuple(senders), place, plan.singles, 1, ingest.SMALL_WINDOW
        )

    def ciphertext(self) -> int:
        """Bytes of one bulletin's ciphertext."""
        frame = read_frames(self._batched.files[0])[0]
        return len(decode(Submit, frame, len(frame), "frame").items[0].ciphertext)

    async def run(self, number: int) -> dict[str, float]:
        """Every rate and latency once, each on a broker with an empty store."""
        plan, others = self._plan, machine.Others()
        say(f"run {number}: floors")
        found = {
            "checks": floors.composite_checks(plan.floor_seconds),
            "signs": floors.composite_signatures(plan.floor_seconds),
            "commits": floors.sqlite_commits(self._place, plan.floor_seconds),
            "loop": await unsigned_loop.measure(self._place, plan.loop_seconds),
        }
        say(f"run {number}: (1) and (2) ingest")
        with self._fresh() as world:
            batched = await ingest.ingest(world, self._batched, self._log)
        with self._fresh() as world:
            single = await ingest.ingest(world, self._single, self._log)
        found |= {"ingest": batched.rate, "ingest_us": batched.broker_us}
        found |= {"singles": single.rate, "singles_us": single.broker_us}
        say(f"run {number}: (3) and (4) the whole way")
        with self._fresh() as world:
            whole = await whole_way.throughput(world, plan.whole, self._log)
            late = await whole_way.latency(world, plan.latency, self._log)
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

    async def wire(self) -> tuple[dict[str, float], dict[str, float]]:
        """Bytes per bulletin alone and in a batch."""
        say("(5) bytes on the wire")
        times, quiet = self._plan.wire_times, self._plan.wire_quiet
        with self._fresh() as world:
            alone, batch = await wire.measure(world, self._log, (1, WIRE_BATCH), times, quiet)
        return alone, batch

    async def memory(self) -> ingest.Ingested:
        """The broker's memory after many bulletins."""
        say(f"(6) memory after {self._plan.memory:,} bulletins")
        with self._fresh() as world:
            return await ingest.fill(world, self._plan.memory, self._log)

    def _fresh(self) -> _Copy:
        return _Copy(self._world, self._place / "copy")


class _Copy:
    """A copy of the world for one block."""

    def __init__(self, world: World, to: Path) -> None:
        self._world = world
        self._to = to

    def __enter__(self) -> World:
        self._copy = self._world.copy(self._to)
        return self._copy

    def __exit__(self, *_: object) -> None:
        self._copy.remove()


async def measured(plan: Plan, place: Path) -> str:
    """The results page."""
    world = await make_world(place / "world", plan.senders)
    bench = Bench(plan, place, world)
    runs = [await bench.run(number) for number in range(1, plan.runs + 1)]
    alone, batch = await bench.wire()
    memory = await bench.memory()
    once = {
        "alone": max(alone.values()),
        "of_32": max(batch.values()),
        "memory": memory.memory / MB,
    }
    lines = [
        "# Results",
        "",
        f"{running.measured_by('make bench')}"
        f"{plan.runs} interleaved runs, medians with [min..max]; ratios are taken within a run. "
        f"A bulletin's content has {4096:,} bytes, its ciphertext {bench.ciphertext():,}.",
        "",
        *report.targets([*runs, once]),
        *report.figures(runs),
        *report.wire(alone, batch, WIRE_BATCH),
        f"Broker after {memory.accepted:,} bulletins of one sender: "
        f"{memory.memory / MB:,.0f} MB resident, at most {memory.peak / MB:,.0f} MB.",
        "",
        *report.machine(machine.described()),
    ]
    return "\n".join(lines)


def main() -> int:
    """Parse options, measure, write or print the page."""
    return running.run("measure Saphan", "RESULTS.md", measured, full=FULL, quick=QUICK, toy=TOY)


if __name__ == "__main__":
    sys.exit(main())
