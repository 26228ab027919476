"""`saphan-broker succeed` inside a test's own event loop, by the same functions as the command."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

from saphan_broker.keys import load_log_keys
from saphan_broker.logs.signer import Signer
from saphan_broker.moving.house import House
from saphan_broker.opening import SQLITE, StoreChoice
from saphan_broker.store.base import LOGS, Log
from saphan_broker.succession.making import Made
from saphan_broker.succession.succeeding import Told, View, Wanted, succeed
from saphan_broker.tls_files import PLAIN
from saphan_schemas.records import HeadRef

from support.agency import Agency
from support.brokers import World
from support.reporting import Copy, Reporter, copy_of


class Succeeding:
    """A command that gathers; `made` ends with the successor or with the command's error."""

    def __init__(
        self,
        world: World,
        *,
        without: Collection[str] = (),
        agree: Callable[[View], bool] = lambda view: True,
        agreed: Callable[[View], Awaitable[bool]] | None = None,
        choice: StoreChoice = SQLITE,
        address: str | None = None,
    ) -> None:
        self.views: list[View] = []
        self.resumed = False
        self._changed = asyncio.Event()
        self._url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        wanted = Wanted(
            listen=("127.0.0.1", 0), showing=PLAIN, without=frozenset(without), address=address
        )

        async def said(view: View) -> bool:
            return agree(view)

        told = Told(
            listening=lambda bound: self._url.set_result("http://{}:{}".format(*bound)),
            changed=self._see,
            agreed=agreed or said,
            resumed=lambda plan: setattr(self, "resumed", True),
        )
        house = House(world.data, choice)
        self.made: asyncio.Task[Made] = asyncio.create_task(
            succeed(house, world.keys, wanted, told, world.clock)
        )

    def _see(self, view: View) -> None:
        self.views.append(view)
        self._changed.set()

    async def until(self, agency: str, state: str) -> None:
        """Wait until the table shows an agency so."""
        async with asyncio.timeout(30):
            while self.state(agency) != state:
                self._changed.clear()
                await self._changed.wait()

    async def url(self) -> str:
        """Where it listens; raises what the command raised before it did."""
        either: set[asyncio.Future[Any]] = {self.made, self._url}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._url.done():
            await self.made
        return self._url.result()

    def state(self, agency: str) -> str:
        """How an agency stands in the newest table."""
        return next((row.state for row in self.views[-1].rows if row.agency == agency), "")


@asynccontextmanager
async def succeeding(world: World, **options: object) -> AsyncIterator[Succeeding]:
    """The command, ended with the block."""
    command = Succeeding(world, **options)  # type: ignore[arg-type]
    try:
        yield command
    finally:
        command.made.cancel()
        with suppress(BaseException):
            await command.made


async def lived(world: World) -> Copy:
    """A broker with its agencies enrolled and some bulletins logged; what a node holds of it."""
    await world.init()
    async with world.running() as broker:
        await world.enrol()
        first, second = list(world.agencies.values())[:2]
        await exchange(world, first, second)
        return await copy_of(broker.state)


async def exchange(world: World, sender: Agency, recipient: Agency, bulletins: int = 3) -> None:
    """Some bulletins go into the log, under a signed head."""
    line = await world.line(sender.name)
    made = [sender.bulletin([recipient.name], world.clock()) for _ in range(bulletins)]
    items, batch = sender.submissions(made, [recipient])
    results = await line.submit(items, batch)
    assert [result.code for result in results] == [None] * bulletins, results
    await line.close()


def reporters(world: World, copy: Copy) -> dict[str, Reporter]:
    """Every agency's node, each with the same copy."""
    return {name: Reporter(agency, copy, world.clock) for name, agency in world.agencies.items()}


def lose_data(world: World) -> None:
    """The disk with the data is gone."""
    shutil.rmtree(world.data)


def signed_last(world: World) -> dict[Log, HeadRef]:
    """What the signer's files say."""
    found: dict[Log, HeadRef] = {}
    for log in LOGS:
        keys = load_log_keys(world.keys, log)
        last = Signer.open(world.keys, log, keys).last()
        found[log] = HeadRef(keys.origin, last.size, last.root)
    return found
