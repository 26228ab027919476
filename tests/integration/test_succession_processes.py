"""A log lost on a server that several processes serve: what one is brought all of them know."""

from __future__ import annotations

import asyncio
from pathlib import Path

from saphan_broker.keys import read_pins
from support.crews import Crew, until
from support.reporting import copy_of
from support.succeeding import exchange, reporters, succeeding

LA, KH = "la.ospp", "kh.gpo"


async def _succeeded(crew: Crew) -> bytes:
    """The server comes back with nothing; two processes serve the successor. An agreement's text,
    which nobody has brought again."""
    await crew.enrol()
    broker = crew.members[0].broker
    first, second = crew.agencies.values()
    await exchange(crew, first, second)
    copy = await copy_of(broker.state)
    ((_place, text),) = (await broker.store.packages(0, len(copy.leaves))).items()
    await broker.stop()
    await asyncio.to_thread(crew.server.kill)
    await asyncio.to_thread(crew.server.start_empty)
    async with succeeding(crew, choice=crew.choice) as command:
        url = await command.url()
        for reporter in reporters(crew, copy).values():
            assert (await reporter.report(url)).code == "log_lost"
        await command.made
    crew._pins = read_pins(crew.data / "pins.json")
    crew.members.clear()
    crew._broker = None
    for _ in range(2):
        await crew.join()
    return text


def test_a_text_that_one_process_was_brought_reaches_sessions_and_successors_of_all(
    tmp_path: Path,
) -> None:
    """Timeline: a party's text comes to the process that sequences; the other party, which has
    lost it, is in session at the other one; the first one ends, and the other one sequences."""

    async def scenario() -> None:
        crew = Crew(tmp_path, LA, KH)
        async with crew.carried(1):
            text = await _succeeded(crew)
            holder, follower = crew.members
            there = await crew.line_at(follower, KH)
            await until(lambda: len(there.leaves) > 0)
            assert there.packages == []
            line = await crew.line_at(holder, LA)
            assert (await line.register(agreement=text)).code is None
            await until(lambda: there.packages == [text])
            await line.close()
            await holder.broker.stop()
            await until(lambda: follower.broker.role.holding)
            crew.url = follower.url
            first, second = crew.agencies.values()
            await exchange(crew, first, second)  # judged by that agreement

    asyncio.run(scenario())
