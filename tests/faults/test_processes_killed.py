"""Processes of one broker that are killed, or stopped and woken, while bulletins are brought.

Oracle: `saphan audit verify` over the exported logs and the broker's record pack; every bulletin
once; no head that anybody was ever shown has another root than the log has at that size.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

import pytest
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.store import RedisStore
from saphan_schemas.frames import Result
from support.broker_command import saphan_broker
from support.broker_process import BrokerProcess, broker_process
from support.command import saphan
from support.crews import Crew, until
from support.loads import Stubborn, roots

A, B = "la.ospp", "kh.gpo"
BULLETINS = 24
PAUSE_S = 10.0
TAKEN_OVER_S = 20.0
"""Generous: a lease lasts 2 s, and the machine may be busy with something else."""


class House:
    """Processes of one broker, and nodes that do not give up."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.stack = AsyncExitStack()
        self.processes: list[BrokerProcess] = []
        self.told: list[Result] = []
        self.nodes: list[Stubborn] = []

    async def start(self, count: int) -> None:
        """One after the other: the first one sequences."""
        for _ in range(count):
            url = self.crew.server.address().url
            process = broker_process(self.crew.data, self.crew.keys, url)
            self.processes.append(await self.stack.enter_async_context(process))

    def node(self, name: str, *at: int) -> Stubborn:
        """A node that tries these processes, in this order."""
        crew = self.crew

        def urls() -> list[str]:
            running = self.processes
            return [running[place].url for place in at if place < len(running)]

        made = Stubborn(crew.agencies[name], crew.pins, crew.clock, urls)
        self.nodes.append(made)
        return made

    async def load(self, sender: Stubborn, count: int = BULLETINS) -> None:
        """Bulletins from A to B, a few at a time."""
        slots = asyncio.Semaphore(4)

        async def one() -> None:
            async with slots:
                made = sender.agency.bulletin([B], self.crew.clock())
                (item,), batch = sender.agency.submissions([made], [self.crew.agencies[B]])
                self.told.append(await sender.bring(item, batch))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(one())

    def lease(self) -> bytes | None:
        """Who holds it, as the server has it."""
        with self.crew.server.client() as client:
            found: bytes | None = client.get(Keys("bridge.example", "evidence").lease)
            return found

    async def check(self, count: int, place: Path | None = None) -> None:
        """Everything that was answered is there once, and the oracle finds nothing.

        Args:
            place: where logs and pack are exported to; None: they are not.
        """
        assert {result.code for result in self.told} == {None}
        assert len({result.indices for result in self.told}) == len(self.told) == count
        store = await RedisStore.open(self.crew.server.address(name="bridge.example"))
        pins = self.crew.pins
        leaves = {
            pins.directory.origin: await store.leaves("directory", 0, 10**9),
            pins.evidence.origin: await store.leaves("evidence", 0, 10**9),
        }
        rows = await store.entries(0, len(leaves[pins.evidence.origin]))
        await store.close()
        submitted = [row.bulletin for row in rows if row.event == "submitted"]
        assert len(submitted) == len(set(submitted)) == count
        true = {origin: roots(found) for origin, found in leaves.items()}
        shown = set().union(*[node.heads for node in self.nodes])
        assert len(shown) > 2
        assert [one for one in shown if true[one[0]][one[1]] != one[2]] == []
        if place is not None:
            await self._audit(place)

    async def _audit(self, place: Path) -> None:
        crew, logs, pack = self.crew, place / "logs", place / "broker.pack"
        at = ("--data", crew.data, "--redis", crew.server.address().url)
        keys = ("--keys", crew.keys)
        await asyncio.gather(
            asyncio.to_thread(saphan_broker, "log", "export", *at, "--out", logs),
            asyncio.to_thread(saphan_broker, "records", "export", *at, *keys, "--out", pack),
        )
        pins = crew.data / "pins.json"
        await asyncio.to_thread(saphan, "audit", "verify", logs, "--pins", pins, "--pack", pack)

    async def close(self) -> None:
        for node in self.nodes:
            await node.close()
        await self.stack.aclose()


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
