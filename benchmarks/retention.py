"""Destruction while bulletins arrive: `python -m benchmarks.retention`; RESULTS-retention.md.

One broker on SQLite with a million bulletins that are due (`seeded_store`), one agency that sends
200 a second, one after the other. First without a sweep, for no witness has confirmed the time;
then its witness does, and the same arrivals go on while the broker destroys; and once more when
everything due is gone. Only the sending agency is connected, and one in 21 of the due bulletins is
its own: it hears of those.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from saphan.node.config import system_clock

from benchmarks import programs
from benchmarks.bulletin import Sealer
from benchmarks.ingest_client import write_frames
from benchmarks.machine import Others, described
from benchmarks.running import RESULTS, measured_by, say
from benchmarks.seeded_store import Seeded, disk_used, seed
from benchmarks.world import RECIPIENT, SENDER, World, make_world

RATE: Final = 200
PAGE: Final = "RESULTS-retention.md"
POLL_SECONDS: Final = 1.0
MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How many are due; seconds of arrivals without a sweep, and beside one."""

    due: int
    before: int
    beside: int


FULL: Final = Plan(due=1_000_000, before=60, beside=180)
TOY: Final = Plan(due=2_000, before=2, beside=2)


@dataclass(frozen=True, slots=True)
class Swept:
    """One run: arrivals in ms, destroyed/s beside them and alone, memory in bytes.

    `after`: arrivals once more when everything due is gone."""

    before: dict[str, float]
    beside: dict[str, float]
    after: dict[str, float]
    destroyed_beside: int
    rate_beside: float
    rate_alone: float
    seconds: float
    destroyed: int
    memory: tuple[int, int]
    resting: int
    disk: int


class Numbers:
    """The broker's own counters, read from /metrics."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = f"{url}/metrics"

    async def value(self, name: str) -> float:
        """One number without labels."""
        async with self._http.get(self._url) as answer:
            lines = (await answer.text()).splitlines()
        return next(float(row.split()[1]) for row in lines if row.startswith(f"{name} "))

    async def destroyed(self) -> int:
        """Deliveries destroyed since the start."""
        return int(await self.value("saphan_destroyed_total"))

    async def all_of(self, due: int) -> int:
        """The same, once it is all that was due."""
        while True:
            found = await self.destroyed()
            if found >= due:
                return found
            await asyncio.sleep(POLL_SECONDS)


async def sweep(world: World, plan: Plan, files: Sequence[Path], log: Path) -> Swept:
    """Arrivals without and with a sweep, the rest of the sweep alone, arrivals without it again."""
    async with (
        programs.broker(world.data, world.keys, log) as (broker, url),
        programs.started("client", log, "benchmarks.retention_client") as client,
        aiohttp.ClientSession() as http,
    ):
        numbers = Numbers(http, url)
        office = str(world.office(SENDER).folder)
        known = 3 * plan.due
        await client.ask({"do": "open", "url": url, "office": office, "after": known})
        resting = broker.memory()[0]
        say("arrivals without a sweep")
        before = await client.ask(_arrivals(files[0], plan.before))
        say("arrivals beside the sweep")
        await client.ask({"do": "witness"})
        begun, first = time.monotonic(), await numbers.destroyed()
        beside = await client.ask(_arrivals(files[1], plan.beside))
        middle, second = time.monotonic(), await numbers.destroyed()
        say(f"{second:,} destroyed; the rest alone")
        destroyed = await numbers.all_of(plan.due)
        end = time.monotonic()
        alone = (destroyed - second) / (end - middle) if destroyed > second else 0.0
        await asyncio.to_thread(os.sync)
        say("arrivals without a sweep again")
        after = await client.ask(_arrivals(files[2], plan.before))
        return Swept(
            before,
            beside,
            after,
            second - first,
            (second - first) / (middle - begun),
            alone,
            end - begun,
            destroyed,
            broker.memory(),
            resting,
            disk_used(world.data),
        )


def _arrivals(file: Path, seconds: int) -> dict[str, Any]:
    return {"do": "arrive", "file": str(file), "rate": RATE, "seconds": seconds}


def frames(world: World, plan: Plan, folder: Path) -> list[Path]:
    """Sealed bulletins for the three parts, one in a frame."""
    now = system_clock()
    sealer = Sealer.of(world.office(SENDER), world.office(RECIPIENT), now)
    lengths = {"before": plan.before, "beside": plan.beside, "after": plan.before}
    files = [folder / f"{name}.frames" for name in lengths]
    for path, seconds in zip(files, lengths.values(), strict=True):
        write_frames(path, sealer.frames(RATE * seconds, 1, now))
    return files


def page(plan: Plan, seeded: Seeded, swept: Swept, others: float) -> str:
    """The results as Markdown; `others` are cores that other programs used."""
    rows = [
        ("p50 of an arrival, before, beside and after the sweep", "p50", "ms"),
        ("p99 of an arrival, before, beside and after the sweep", "p99", "ms"),
        ("slowest arrival, before, beside and after the sweep", "max", "ms"),
    ]
    lines = [
        "# Destruction",
        "",
        measured_by("python -m benchmarks.retention"),
        "",
        "| what | value |",
        "| --- | --- |",
        f"| bulletins due at once, three entries each | {seeded.bulletins:,} |",
        f"| seeded in, taking on the disk | {seeded.seconds:,.0f} s, {seeded.disk / 1e9:.2f} GB |",
        f"| destroyed with an entry each, beside {RATE}/s | {swept.destroyed_beside:,}: "
        f"{swept.rate_beside:,.0f}/s |",
        f"| destroyed with an entry each, nothing arriving | {swept.rate_alone:,.0f}/s |",
        f"| all {swept.destroyed:,} | {swept.seconds:,.0f} s |",
    ]
    for name, key, unit in rows:
        three = (part[key] for part in (swept.before, swept.beside, swept.after))
        lines.append(f"| {name} | {', '.join(f'{one:.1f} {unit}' for one in three)} |")
    now, peak = swept.memory
    quieter = min(swept.before["p99"], swept.after["p99"])
    lines += [
        f"| p99 beside the sweep / the lower one without | {swept.beside['p99'] / quieter:.2f} |",
        f"| broker's memory at rest, at the end, at most | {swept.resting / MB:.0f} MB, "
        f"{now / MB:.0f} MB, {peak / MB:.0f} MB |",
        f"| on the disk afterwards | {swept.disk / 1e9:.2f} GB |",
        f"| cores that others used meanwhile | {others:.2f} |",
        "",
        f"Arrivals: {plan.before} s before the sweep, {plan.beside} s beside it, {plan.before} s "
        f"after it, {RATE}/s of one bulletin a frame, each with a signature of its own. "
        "See README.md.",
        "",
        "| machine | |",
        "| --- | --- |",
        *(f"| {name} | {what} |" for name, what in described().items()),
        "",
    ]
    return "\n".join(lines)


async def measured(plan: Plan, place: Path) -> str:
    """Everything, in folders below `place`; the page."""
    say("the world")
    world = await make_world(place / "world")
    say("bulletins to arrive")
    files = await asyncio.to_thread(frames, world, plan, place)
    say(f"{plan.due:,} due bulletins")
    seeded = await seed(world, plan.due)
    await asyncio.to_thread(os.sync)  # what was seeded must not be written while arrivals are timed
    others = Others()
    swept = await sweep(world, plan, files, place / "programs.log")
    return page(plan, seeded, swept, others.cores())


def main() -> int:
    """Parse options, measure, print the page and, of the full plan, write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retention")
    parser.add_argument("--toy", action="store_true", help="every piece once; means nothing")
    parser.add_argument("--due", type=int, help="another number, only printed")
    parser.add_argument("--before", type=int, default=FULL.before)
    parser.add_argument("--beside", type=int, default=FULL.beside)
    parser.add_argument("--disk", type=Path, default=Path("/var/tmp"))  # noqa: S108
    args = parser.parse_args()
    plan = TOY if args.toy else Plan(args.due or FULL.due, args.before, args.beside)
    place = Path(tempfile.mkdtemp(prefix="sb", dir=args.disk))
    try:
        text = asyncio.run(measured(plan, place))
    finally:
        shutil.rmtree(place)
    sys.stdout.write(text)
    if plan == FULL:
        (RESULTS / PAGE).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
