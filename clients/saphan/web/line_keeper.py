"""The one task that holds the desk's line: it syncs, waits for news, and does what pages ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import LIMITS

from saphan.desk.desk import Desk
from saphan.desk.line import LINE_ENDED, DeskLine, connected
from saphan.desk.syncing import Synced, sync

T = TypeVar("T")
Job = Callable[[Desk, DeskLine], Awaitable[Any]]
FIRST_WAIT_MS = 1_000


@dataclass(frozen=True, slots=True)
class LineState:
    """Whether the node is reached; since when and why (ms UTC), and when it was heard last."""

    online: bool
    since: int
    why: SaphanError | None = None
    heard: int | None = None


class LineKeeper:
    """Keeps the line of one open desk.

    Args:
        desk: the line's own, with a connection of its own to the store.
        told: after each sync, and after each change of state (None); in the event loop.
    """

    def __init__(self, desk: Desk, told: Callable[[Synced | None], Awaitable[None]]) -> None:
        self._desk = desk
        self._told = told
        self._jobs: asyncio.Queue[tuple[Job, asyncio.Future[Any]]] = asyncio.Queue()
        self.state = LineState(False, desk.clock())

    async def run(self) -> None:
        """Hold the line until cancelled; what is wrong with it stands in `state`."""
        wait_ms = FIRST_WAIT_MS
        while True:
            try:
                async with connected(self._desk.me, self._desk.key, self._desk.clock) as line:
                    wait_ms = FIRST_WAIT_MS
                    await self._stay(line)
            except SaphanError as error:
                await self._change(LineState(False, self._desk.clock(), error, self.state.heard))
            await asyncio.sleep(wait_ms / 1000)
            wait_ms = min(2 * wait_ms, LIMITS.backoff_max_ms)

    async def ask(self, do: Callable[[Desk, DeskLine], Awaitable[T]]) -> T:
        """Do something on the line, with the line's own desk.

        Raises:
            Unavailable: there is no line; SaphanError: what `do` raises.
        """
        if not self.state.online:
            raise self._offline()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait((do, done))
        return await done

    def _offline(self) -> SaphanError:
        if self.state.why is not None:
            return self.state.why
        return Unavailable("node_unreachable", "the node does not answer", field="node")

    async def _stay(self, line: DeskLine) -> None:
        while True:
            synced = await sync(self._desk, line)
            now = self._desk.clock()
            if not self.state.online:
                await self._change(LineState(True, now, None, now))
            await self._told(synced)
            await self._until_news(line)

    async def _until_news(self, line: DeskLine) -> None:
        """Do jobs until the node has news; a job and the wait for news take turns on the line."""
        while True:
            news = asyncio.ensure_future(line.news())
            job = asyncio.ensure_future(self._jobs.get())
            try:
                await asyncio.wait((news, job), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in (news, job):
                    one.cancel()
                await asyncio.wait((news, job))
            if not job.cancelled():
                await self._do(line, *job.result())
            if not news.cancelled():
                news.result()
                return

    async def _do(self, line: DeskLine, do: Job, done: asyncio.Future[Any]) -> None:
        try:
            result = await do(self._desk, line)
        except asyncio.CancelledError:
            done.cancel()
            raise
        except Exception as error:
            if not done.cancelled():
                done.set_exception(error)
            if isinstance(error, SaphanError) and error.code in LINE_ENDED:
                raise
        else:
            if not done.cancelled():
                done.set_result(result)

    async def _change(self, state: LineState) -> None:
        self.state = state
        if not state.online:
            while not self._jobs.empty():
                _, done = self._jobs.get_nowait()
                if not done.cancelled():
                    done.set_exception(self._offline())
        await self._told(None)
