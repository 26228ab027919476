"""A receiver stops reading while 10,000 bulletins wait: the broker stays small, others go on.

Nothing here waits for a minute: what a stall costs is decided by how much waits, not by how long.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

from support.agency import Agency, Made
from support.broker_process import broker_process
from support.brokers import World
from support.session import Line
from support.stalling import plenty, read_again, resident_bytes, stop_reading

A, B, C = "la.ospp", "kh.gpo", "th.oncb"
WAITING = 10_000
GROUP = 64
ALLOWED = 20 * 1024 * 1024


async def submit(line: Line, sender: Agency, to: Agency, made: list[Made]) -> int:
    """One frame of bulletins, all taken; the last one's index."""
    items, batch = sender.submissions(made, [to])
    results = await line.submit(items, batch)
    assert {result.code for result in results} == {None}
    return results[-1].indices[0]


async def joined(world: World, name: str, url: str) -> Line:
    """A session with the broker of another process."""
    line = Line(world.agencies[name], world.pins, world.clock, True)
    await line.connect(url)
    assert line.closing is None, line.closing
    return line


def grouped(made: Iterator[Made]) -> Iterator[list[Made]]:
    while group := list(itertools.islice(made, GROUP)):
        yield group


async def test_a_stalled_receiver_costs_the_broker_little_and_others_nothing(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, A, B, C)
    await world.init()
    async with world.running():
        await world.enrol()
    sender, stalled, other = (world.agencies[name] for name in (A, B, C))
    async with broker_process(world.data, world.keys) as broker:
        lines = [await joined(world, name, broker.url) for name in (A, B, C)]
        out, dead, alive = lines
        last = waiting = 0
        for made in grouped(plenty(sender, C, world.clock(), 1024)):  # caches are as warm as later
            last = await submit(out, sender, other, made)
        await alive.entry(last)
        await out.entry(last)
        await stop_reading(dead)
        before, most = resident_bytes(broker.process.pid), 0
        for number, made in enumerate(grouped(plenty(sender, B, world.clock(), WAITING))):
            waiting = await submit(out, sender, stalled, made)
            if number % 20 == 0:
                (one,) = plenty(sender, C, world.clock(), 1)
                await alive.entry(await submit(out, sender, other, [one]))
            most = max(most, resident_bytes(broker.process.pid))
        assert most - before < ALLOWED, f"{(most - before) >> 20} MiB more"
        assert waiting not in dead.entries

        read_again(dead)
        await dead.entry(waiting)
        most = max(most, resident_bytes(broker.process.pid))
        numbers = [entry.number for entry, _ in dead.entries.values() if entry.sender == A]
        assert numbers == list(range(1, WAITING + 1))
        assert most - before < ALLOWED, f"{(most - before) >> 20} MiB more"
        await asyncio.gather(*(line.close() for line in lines))
