"""A broker killed at any moment loses nothing that it has answered, and logs nothing twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from saphan_broker.broker import open_broker
from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import Consignment
from support.broker_process import BrokerProcess, broker_process
from support.brokers import World
from support.session import Line

A, B = "la.ospp", "kh.gpo"
ROUNDS = 5
PER_ROUND = 60


async def open_line(world: World, name: str, url: str, before: Line | None) -> Line:
    """A session that goes on where the killed one ended."""
    line = Line(world.agencies[name], world.pins, world.clock, True)
    if before is not None:
        line.heads, line.after = before.heads, before.after
        line.leaves, line.entries = before.leaves, before.entries
    await line.connect(url)
    assert line.closing is None, line.closing
    return line


async def submit_until_killed(
    world: World, line: Line, broker: BrokerProcess, chance: random.Random
) -> list[tuple[bytes, int | None]]:
    """(bulletin id, index or None) of everything sent; killed after a random number of answers."""
    sender, recipient = world.agencies[A], world.agencies[B]
    made = [sender.bulletin([B], world.clock()) for _ in range(PER_ROUND)]
    stop_after = chance.randrange(PER_ROUND)
    answers = []
    for one in made:
        items, batch = sender.submissions([one], [recipient])
        with suppress(ConnectionError):
            answers.append((one.bulletin_id, await line.send_submit(items, batch)))
    results: list[tuple[bytes, int | None]] = []
    for place, (bulletin, answer) in enumerate(answers):
        if place == stop_after:
            await broker.kill()
        try:
            (result,) = await answer
        except asyncio.CancelledError:
            results.append((bulletin, None))
            continue
        assert result.code is None, result
        results.append((bulletin, result.indices[0]))
    return results


async def test_killed_broker_keeps_every_answered_bulletin(tmp_path: Path) -> None:
    """Timeline, five times: submit, SIGKILL in the middle, start again; then look at everything."""
    chance = random.Random(20)
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
    out: Line | None = None
    sent: list[tuple[bytes, int | None]] = []
    for _ in range(ROUNDS):
        async with broker_process(world.data, world.keys) as broker:
            out = await open_line(world, A, broker.url, out)
            sent += await submit_until_killed(world, out, broker, chance)
            await out.close()
    assert any(index is None for _, index in sent)
    assert any(index is not None for _, index in sent)

    async with broker_process(world.data, world.keys) as broker:
        into = await open_line(world, B, broker.url, None)
        sender = await open_line(world, A, broker.url, out)
        last = world.agencies[A].bulletin([B], world.clock())
        items, batch = world.agencies[A].submissions([last], [world.agencies[B]])
        (result,) = await sender.submit(items, batch)
        await into.entry(result.indices[0])
        arrived = {
            index: decode(Consignment, given.statement, 16_384, "consignment").bulletin
            for index, (_, given) in into.entries.items()
        }
        for bulletin, index in sent:
            assert index is None or arrived[index] == bulletin
        assert set(Counter(arrived.values()).values()) == {1}
        numbers = [entry.number for _, (entry, _) in sorted(into.entries.items())]
        assert numbers == list(range(1, len(numbers) + 1))
        await into.close()
        await sender.close()


async def test_two_brokers_on_one_directory_are_refused(tmp_path: Path) -> None:

    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        with pytest.raises(OperatorError) as caught:
            await open_broker(world.data, world.keys)
        assert caught.value.code == "store_locked"
