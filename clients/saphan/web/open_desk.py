"""The desk while it is open: two connections to its store, its line, and what is in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar
from weakref import WeakValueDictionary

from saphan.desk.desk import Desk, open_desk
from saphan.desk.folder import DeskFolder, DeskId
from saphan.desk.keeping import sweep
from saphan.desk.line import DeskLine
from saphan.desk.syncing import Synced
from saphan.keys.passphrase import Passphrase
from saphan.keys.token_place import TokenAccess
from saphan.web.inbox.rows import Rows
from saphan.web.line_keeper import LineKeeper
from saphan.web.seeking.index import SearchIndex
from saphan.web.seeking.keeping_up import keep_up
from saphan.web.seeking.questions import Questions
from saphan.web.standing import Standing
from saphan.web.topics import Topics

T = TypeVar("T")


class OpenDesk:
    """Exists only while the page is unlocked; `unlock` makes one.

    Args:
        desk: the pages' own; used in `worker` alone. line_desk: the line's own.
        closing: closes both. topics: where changes are published.
    """

    def __init__(
        self,
        desk: Desk,
        line_desk: Desk,
        closing: contextlib.ExitStack,
        worker: ThreadPoolExecutor,
        topics: Topics,
    ) -> None:
        self.me: DeskId = desk.me
        self.clock = desk.clock
        self.topics = topics
        self.rows = Rows()
        self.standing = Standing()
        self.search = SearchIndex()
        self.questions = Questions()
        self.line = LineKeeper(line_desk, self._told, self.rows.listed)
        self._desk = desk
        self._closing = closing
        self._worker = worker
        self._tasks: list[asyncio.Task[None]] = []
        self._alone = WeakValueDictionary[str, asyncio.Lock]()

    async def start(self) -> None:
        """Load what is in memory, and reach for the node."""
        await self.work(self.rows.load)
        await self.work(self.standing.load)
        keeping_up = keep_up(self.work, self.search)
        self._tasks = [asyncio.create_task(one) for one in (self.line.run(), keeping_up)]

    async def work(self, do: Callable[[Desk], T]) -> T:
        """Do something with the pages' desk, in the one thread that owns it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, do, self._desk)

    async def ask(self, do: Callable[[Desk, DeskLine], Awaitable[T]]) -> T:
        """Do something on the line, with the line's own desk.

        Raises:
            Unavailable: there is no line; SaphanError: what `do` raises.
        """
        return await self.line.ask(do)

    def alone(self, what: str) -> asyncio.Lock:
        """Held by whoever does this now: a second click waits for what the first one does."""
        return self._alone.setdefault(what, asyncio.Lock())

    async def close(self) -> None:
        """Let the line go, finish what the worker does, close the store."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.work(lambda _: self._closing.close())
        await asyncio.to_thread(self._worker.shutdown)

    async def _told(self, synced: Synced | None) -> None:
        """After each sync, and after each change of the line's state (None)."""
        changed = await self.work(self.rows.load)
        await self.work(self.standing.load)
        if synced is not None or changed:
            for topic in ("inbox", "sent", "owed", "approve"):
                self.topics.publish(topic)
        if synced is not None and synced.refused:
            self.topics.publish("drafts")
        self.topics.publish("line")


async def unlock(
    folder: DeskFolder,
    passphrase: Passphrase | None,
    clock: Callable[[], int],
    topics: Topics,
    access: TokenAccess | None = None,
) -> OpenDesk:
    """Open the desk and reach for its node.

    Raises:
        OperatorError: what `open_desk` raises, such as `passphrase_wrong`, and for a key on a token
            what `HeldHalf.open` raises.
    """
    worker = ThreadPoolExecutor(1, "desk")
    loop = asyncio.get_running_loop()
    try:
        desk, again, closing = await loop.run_in_executor(
            worker, _open_twice, open_desk(folder, passphrase, clock, access)
        )
    except BaseException:
        worker.shutdown(wait=False)
        raise
    made = OpenDesk(desk, again, closing, worker, topics)
    try:
        await made.start()
    except BaseException:
        with contextlib.suppress(Exception):
            await made.close()
        raise
    return made


def _open_twice(opening: AbstractContextManager[Desk]) -> tuple[Desk, Desk, contextlib.ExitStack]:
    """The key is opened once, the store twice: for pages, and for the line."""
    with contextlib.ExitStack() as stack:
        desk = stack.enter_context(opening)
        if desk.held is not None:
            desk.held.open()  # the PIN is judged here, where a person waits for it
        sweep(desk)
        again = stack.enter_context(contextlib.closing(desk.store.another()))
        return desk, replace(desk, store=again), stack.pop_all()
