"""One round: a world, a load, the faults of its schedule, healing, settling, judgement."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from chaos import disks
from chaos import schedule as schedules
from chaos.judging import judged
from chaos.load import Load
from chaos.nemesis import Nemesis
from chaos.recovering import KILLS, Recovered, recoveries
from chaos.schedule import Schedule
from chaos.settling import settle, states
from chaos.story import Story
from chaos.world import World, running


class Outcome(msgspec.Struct):
    """What a round came to.

    Attributes:
        outcomes: deliveries by their state at the sender.
        shown: to case systems and at desks; letters: bulletins that officers wrote at desks.
        kills: that were carried out.
        losses: what the oracle found; empty: all is well.
        settled: seconds from the last fault until nothing was open.
    """

    schedule: Schedule
    seconds: float
    bulletins: int
    deliveries: int
    outcomes: dict[str, int]
    shown: int
    letters: int
    kills: int
    starts: int
    settled: float
    losses: list[str]
    recovered: list[Recovered]
    events: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """Where rounds are played: templates by whether a server carries them; where to write to; least
    and most seconds between two bulletins of an agency."""

    templates: dict[bool, Path]
    out: Path
    patience: float
    pause: tuple[float, float]


async def play(schedule: Schedule, table: Table) -> Outcome:
    """Play one round; its schedule is on disk before anything starts."""
    name = f"round-{schedule.number:03d}"
    schedules.write(schedule, table.out / f"{name}.json")
    (table.out / f"{name}.story.jsonl").unlink(missing_ok=True)
    story = Story(table.out / f"{name}.story.jsonl")
    begun = time.monotonic()
    try:
        small = any(fault.kind == "disk_full" for fault in schedule.faults)
        made = table.templates[schedule.form == "valkey"]
        logs = table.out / f"{name}.logs"
        async with running(made, schedule, story, logs, small_disk=small) as world:
            world.clocks_were_wrong = any(f.kind.startswith("clock") for f in schedule.faults)
            found = await _played(world, schedule, story, table)
            if found.losses:
                world.keep(logs)
        found.seconds = time.monotonic() - begun
        return found
    finally:
        story.close()


async def _played(world: World, schedule: Schedule, story: Story, table: Table) -> Outcome:
    chance = Random(f"saphan load {schedule.seed} {schedule.number}")
    load = Load(world.place, chance, story, table.pause)
    world.load = load
    nemesis = Nemesis(world, story)
    story.begin()
    load.begin()
    world.write_now()
    try:
        await nemesis.run(schedule)
        story.tell("faults are over")
        await asyncio.sleep(max(0.0, schedule.seconds - story.now))
        load.push_no_more()
        world.write_no_more()
        await nemesis.heal()
        await load.pushed_all()
        seconds, open_ = await settle(world, load, table.patience)
        story.tell("settled", seconds=round(seconds, 2), open=open_[:20])
    finally:
        await load.stop()
    losses = [f"nothing moved for {table.patience:.0f} s: {one}" for one in open_[:20]]
    losses += await judged(world, load)
    return Outcome(
        schedule=schedule,
        seconds=0.0,
        bulletins=len(load.pushed),
        deliveries=sum(len(one.to) for one in load.pushed),
        outcomes=states(load),
        shown=len(load.shown) + len(world.listed()),
        letters=sum(one.desk != "" for one in load.pushed),
        kills=sum(one["kind"] in KILLS for one in story.all("fault over") if one["struck"]),
        starts=len(story.all("started")),
        settled=seconds,
        losses=losses,
        recovered=recoveries(schedule, load.pushed, story),
        events=story.events,
    )


def allowed() -> tuple[list[str], list[str]]:
    """(kinds that need something of the machine and have it, what is left out and why)."""
    left_out = []
    special = []
    if disks.may_mount():
        special.append("disk_full")
    else:
        left_out.append("disk_full: mounting needs root")
    if disks.may_trace():
        special.append("slow_disk")
    else:
        left_out.append("slow_disk: strace is not here, or may not trace")
    return special, left_out
