"""`make bench-desks`: weak lines, attachments, idle nodes and desks; writes RESULTS-desks.md.

python -m benchmarks.run_desks          about fifteen minutes
python -m benchmarks.run_desks --toy    every piece once, on lines that are not weak; only printed
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from saphan_schemas.limits import KIB, MIB

from benchmarks import attachment, desks, idle, machine, report, running, weak
from benchmarks.report import Run, Target
from benchmarks.running import say
from benchmarks.weak_line import Quality
from benchmarks.world import World, make_world

T = TypeVar("T")
MB: Final = 1_000_000
FRAME: Final = 16 * KIB
"""The most that nodes have on their way when a session begins on a line that they do not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured; without `several` no bulletins and no desk on a line in use."""

    quality: Quality
    firsts: int
    several: int
    carried: int
    large: int
    larges: int
    idle_seconds: float
    settle_seconds: float
    listed: int
    times: int
    desks: int


FULL: Final = Plan(
    quality=weak.WEAK,
    firsts=3,
    several=10,
    carried=MIB,
    large=16 * MIB,
    larges=5,
    idle_seconds=600,
    settle_seconds=30,
    listed=20,
    times=5,
    desks=50,
)
TOY: Final = Plan(
    quality=Quality(rate=1e6, delay=0.01),
    firsts=1,
    several=0,
    carried=64 * KIB,
    large=256 * KIB,
    larges=1,
    idle_seconds=1,
    settle_seconds=0.5,
    listed=2,
    times=1,
    desks=3,
)

TARGETS: Final = (
    Target(
        "(7) first bulletin of new nodes, accepted, s", lambda r: r["first"], 30, True, "{:.1f}"
    ),
    Target(
        "(7) the same, connections and directory before it included, s",
        lambda r: r["cold"],
        30,
        True,
        "{:.1f}",
    ),
    Target(
        "(7) bytes of the attachment that came twice, for each cut",
        lambda r: r["twice"],
        FRAME,
        True,
    ),
    Target(
        "(7) bytes on their way that a cut threw away, for each cut",
        lambda r: r["lost"],
        FRAME,
        True,
    ),
    Target("(8) memory of the broker above idle, MB", lambda r: r["broker"], 64, True, "{:.1f}"),
    Target("(8) of the sender's node, MB", lambda r: r["sender's node"], 64, True, "{:.1f}"),
    Target("(8) of the recipient's node, MB", lambda r: r["recipient's node"], 64, True, "{:.1f}"),
    Target("(9) bytes a day of an idle node", lambda r: r["idle"], MB, True),
)
FIGURES: Final = {
    "cold": "(7) two new nodes: connections, directory, first bulletin accepted, s",
    "first": "(7) their first bulletin alone, s",
    "one": "(7) later bulletins, one at a time, s",
    "one_bytes": "(7) bytes of such a bulletin, both lines, both ways, cuts included",
    "carried": "(7) 1 MiB attachment accepted after, s",
    "cuts": "(7) cuts of the two lines meanwhile",
    "taken": "(8) 16 MiB attachment: sealed and durable in the sender's node, MB/s",
    "accepted": "(8) from the call until it is accepted, MB/s",
    "saved": "(8) given in clear by the recipient's API, MB/s",
    "desk_first": "(10) saphan inbox --desk, the first time, on this machine, s",
    "desk_again": "(10) and again, s",
    "weak_first": "(10) the same over a weak line, the first time, s",
    "weak_again": "(10) and again, s",
    "opened": "(10) 50 desks at once: all logged in, with their lists, s",
    "told": "(10) a bulletin sent: in the list of every one of them after, s",
    "crowd": "(10) memory of the node for 50 desks, MB",
}


class Bench:
    """One whole measurement in a folder of its own on a real disk."""

    def __init__(self, plan: Plan, place: Path, world: World, larger: World) -> None:
        self._plan = plan
        self._place = place
        self._world = world
        self._larger = larger
        self._log = place / "programs.log"
        self._copies = 0

    async def _on_copy(
        self, work: Callable[[World, Path], Awaitable[T]], world: World | None = None
    ) -> T:
        """Each piece begins with nodes and a broker that have never run."""
        self._copies += 1
        copying = (world or self._world).copy
        copy = await asyncio.to_thread(copying, self._place / str(self._copies))
        return await work(copy, self._log)

    async def loaded(self) -> list[Run]:
        """What uses the processor, one after the other."""
        plan, runs = self._plan, list[Run]()
        for _ in range(plan.larges):
            say("(8) an attachment from node to node")
            one = await self._on_copy(lambda w, log: attachment.measure(w, log, plan.large))
            speed = {name: one.size / MB / getattr(one, name) for name in ("taken", "accepted")}
            memory = {name: size / MB for name, size in one.memory.items()}
            runs.append(speed | {"saved": one.size / MB / one.saved} | memory)
        say("(10) desks")
        here = await self._on_copy(lambda w, log: desks.start(w, log, plan.listed, plan.times))
        crowd = await self._on_copy(lambda w, log: desks.crowd(w, log, plan.desks, plan.listed))
        runs.append({"desk_first": here.first, "desk_again": here.again, "opened": crowd.opened})
        runs.append({"told": crowd.told, "crowd": crowd.memory / MB})
        return runs

    async def waiting(self) -> list[Run]:
        """What waits for its line nearly all the time; what takes long, side by side."""
        say("(7) first bulletins")
        firsts = await self._firsts()
        say("(7), (9), (10) an attachment, an idle line, bulletins and a desk on weak lines")
        found = await asyncio.gather(
            self._carried(), self._idle(), self._several(), self._weak_desk()
        )
        return [run for runs in (firsts, *found) for run in runs]

    async def _firsts(self) -> list[Run]:
        quality = self._plan.quality
        found = [
            await self._on_copy(lambda w, log: weak.first(w, log, quality))
            for _ in range(self._plan.firsts)
        ]
        return [{"cold": one.running, "first": one.bulletin} for one in found]

    async def _several(self) -> list[Run]:
        plan = self._plan
        found = await self._on_copy(lambda w, log: weak.several(w, log, plan.several, plan.quality))
        return [{"one": one.seconds, "one_bytes": one.bytes} for one in found]

    async def _carried(self) -> list[Run]:
        plan, record = self._plan, self._place / "carried"
        one = await self._on_copy(
            lambda w, log: weak.attachment(w, log, plan.carried, record, plan.quality)
        )
        twice = (one.twice_up + one.twice_down) / max(1, one.cuts)
        lost = one.lost / max(1, one.cuts)
        return [{"carried": one.seconds, "cuts": one.cuts, "twice": twice, "lost": lost}]

    async def _idle(self) -> list[Run]:
        plan = self._plan
        one = await self._on_copy(
            lambda w, log: idle.measure(w, log, plan.idle_seconds, plan.settle_seconds),
            self._larger,
        )
        return [{"idle": one.day}]

    async def _weak_desk(self) -> list[Run]:
        plan = self._plan
        if not plan.several:
            return []
        one = await self._on_copy(
            lambda w, log: desks.start(w, log, plan.listed, plan.times, plan.quality)
        )
        return [{"weak_first": one.first, "weak_again": one.again}]


async def measured(plan: Plan, place: Path) -> str:
    """The results page."""
    others = machine.Others()
    world = await make_world(place / "world", 0)
    bench = Bench(plan, place, world, await make_world(place / "larger", 1))
    runs = await bench.loaded()
    used = others.cores()
    runs += await bench.waiting()
    lines = [
        "# Results: weak lines, attachments, desks",
        "",
        f"{running.measured_by('make bench-desks')}"
        "Medians with [min..max]. A weak line carries 64 kbit/s each way, takes "
        "600 ms one way, loses 2 % of the segments and is cut every 20 s for a second; sender and "
        "recipient each have one.",
        "",
        *report.targets(runs, TARGETS),
        *report.figures(runs, FIGURES),
        f"Others used {used:.2f} cores while (8) and the desks of this machine were measured.",
        "",
        *report.machine(machine.described()),
    ]
    return "\n".join(lines)


def main() -> int:
    """Parse options, measure, write or print the page."""
    return running.run(
        "measure Saphan on weak lines", "RESULTS-desks.md", measured, full=FULL, toy=TOY
    )


if __name__ == "__main__":
    sys.exit(main())
