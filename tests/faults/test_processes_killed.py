"""Processes of one broker that are killed, or stopped and woken, while bulletins are brought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
from support.crews import Crew, until
from support.process_house import BULLETINS, A, B, House

PAUSE_S = 10.0
TAKEN_OVER_S = 20.0
"""Generous: a lease lasts 2 s, and the machine may be busy with something else."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A broker with two agencies and their agreement; no process runs yet."""
    crew = Crew(tmp_path, A, B)
    async with crew.carried(1):
        await crew.enrol()
        await crew.members[0].broker.stop()
        house = House(crew)
        try:
            yield house
        finally:
            await house.close()


async def test_the_holder_is_killed_under_load(house: House, tmp_path: Path) -> None:
    """Timeline: the sender's node is at the process that sequences, the recipient's at another;
    SIGKILL; the sender's node goes there too; the lease moves; nothing is lost or twice."""
    await house.start(2)
    sender, recipient = house.node(A, 0, 1), house.node(B, 1)
    await recipient.connect()
    loading = asyncio.create_task(house.load(sender))
    await until(lambda: len(house.told) >= BULLETINS // 4)
    before = house.lease()
    killed, at = house.processes[0], monotonic()
    await killed.kill()
    await until(lambda: house.lease() not in (None, before), TAKEN_OVER_S)
    took = monotonic() - at
    await loading
    await asyncio.wait_for(recipient.fetch(BULLETINS), TAKEN_OVER_S)
    print(f"the lease was another's {took:.2f} s after SIGKILL")
    assert took < TAKEN_OVER_S
    assert "store_behind_node" not in sender.refusals | recipient.refusals
    await house.check(BULLETINS, tmp_path)


async def test_a_holder_that_stands_still_for_ten_seconds(house: House) -> None:
    """Timeline: SIGSTOP under load; another takes over; SIGCONT: what the old one had is fenced,
    it signs no second root, answers nothing twice, and follows.

    If it stood still while it signed, the other one signs nothing before it goes on.
    """
    await house.start(2)
    sender, recipient = house.node(A, 0, 1), house.node(B, 1)
    await recipient.connect()
    loading = asyncio.create_task(house.load(sender))
    await until(lambda: len(house.told) >= BULLETINS // 4)
    before = house.lease()
    house.processes[0].pause()
    woken = monotonic() + PAUSE_S
    try:
        await until(lambda: house.lease() not in (None, before), TAKEN_OVER_S)
        after = house.lease()
        await asyncio.sleep(woken - monotonic())
    finally:
        house.processes[0].resume()
    await loading
    back = house.node(A, 0)
    await house.load(back, 5)
    assert house.lease() == after
    await asyncio.wait_for(recipient.fetch(BULLETINS + 5), TAKEN_OVER_S)
    assert "store_behind_node" not in sender.refusals | recipient.refusals | back.refusals
    await house.check(BULLETINS + 5)


async def test_every_process_is_killed_at_once_and_started_again(house: House) -> None:
    await house.start(2)
    sender = house.node(A, 0, 1)
    loading = asyncio.create_task(house.load(sender))
    await until(lambda: len(house.told) >= BULLETINS // 4)
    for process in house.processes:
        await process.kill()
    house.processes.clear()
    await house.start(2)
    await loading
    await house.check(BULLETINS)
