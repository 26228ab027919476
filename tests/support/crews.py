"""Several processes' brokers over one real server, all in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from saphan_broker.app import make_app, serving
from saphan_broker.broker import Broker, open_broker
from saphan_broker.http_log import LogPages
from saphan_broker.init import init
from saphan_broker.opening import StoreChoice
from saphan_broker.serving_keys import share
from saphan_broker.store.redis.store import RedisStore

from support.brokers import World
from support.servers import Server
from support.session import Line

PATIENCE_S = 20.0
ENGINE = RedisStore
"""Loaded here: a program loads it before it serves anybody."""


class Member:
    """One process of the broker."""

    def __init__(self, broker: Broker, url: str) -> None:
        self.broker = broker
        self.url = url


class Crew(World):
    """One broker carried by a server; every member serves, one of them sequences."""

    def __init__(self, place: Path, *names: str) -> None:
        super().__init__(place, *names)
        self.server = Server(place / "server")
        self.choice = StoreChoice(redis=self.server.address())
        self.members: list[Member] = []
        self._stack = AsyncExitStack()

    async def init(self) -> None:
        """`saphan-broker init --redis`, on a server of its own."""
        await self._serve()
        invitation, _heads = await asyncio.to_thread(
            lambda: init(
                self.data, self.keys, "bridge.example", store=self.choice, clock=self.clock
            )
        )
        self._pins = invitation.pins

    async def _serve(self) -> None:
        await asyncio.to_thread(self.server.start)
        self._stack.callback(self.server.free)

    @asynccontextmanager
    async def carried(self, processes: int) -> AsyncIterator[list[Member]]:
        """So many members, started one after the other: the first one sequences."""
        async with self._stack:
            await self.init()
            for _ in range(processes):
                await self.join()
            yield self.members
            for line in self._lines:
                await line.close()
            self._lines.clear()

    async def join(self, *, serves_only: bool = False) -> Member:
        """One more member.

        Args:
            serves_only: on another host: with a keys directory that cannot sign.
        """
        keys = self.keys
        if serves_only:
            keys = self.place / f"shared{len(self.members)}"
            await asyncio.to_thread(share, self.keys, keys)
        broker = await open_broker(self.data, keys, store=self.choice, clock=self.clock)
        self._stack.push_async_callback(broker.stop)
        await broker.start()
        app = make_app(broker, LogPages(broker.state, broker.admits).routes())
        host, port = await self._stack.enter_async_context(serving(app, "127.0.0.1", 0))
        member = Member(broker, f"http://{host}:{port}")
        self.members.append(member)
        if self._broker is None:
            self._broker, self.url = broker, member.url
        await until(lambda: broker.role.holder_known)
        return member

    async def line_at(
        self,
        member: Member,
        name: str,
        *,
        resume: Line | None = None,
        login: Mapping[str, Any] | None = None,
    ) -> Line:
        """A session of an agency at that member."""
        before, self.url = self.url, member.url
        try:
            return await self.line(name, resume=resume, login=login)
        finally:
            self.url = before

    @property
    def holder(self) -> Member:
        """The one that sequences."""
        (found,) = [member for member in self.members if member.broker.role.holding]
        return found


async def until(true: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait until it is true; a test that waits in vain says where."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - nobody tells a test what goes on inside
            await asyncio.sleep(0.005)
