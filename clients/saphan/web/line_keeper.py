"""The one task that holds the desk's line: it syncs, waits for news, and does what pages ask.

1. Connect, sync, tell; then wait for news of the node, or for something that a page wants done on
   the line, whichever comes first. They take turns: a line is used by one task. Who has waited a
   while because something long is on its way gets a line of their own, for this once.
2. When the line breaks, whoever waits is told why; what was queued stays in the outbox. The next
   try comes after a wait that doubles, or as soon as somebody asks for it (`hurry`).
3. What has reached its day at this desk goes while the page is open, too, with a line or without.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import LIMITS

from saphan.desk.confirming import Confirming
from saphan.desk.desk import Desk
from saphan.desk.in_thread import in_thread
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import sweep
from saphan.desk.line import LINE_ENDED, DeskLine, connected
from saphan.desk.listed import Listed
from saphan.desk.owed import OwedHere
from saphan.desk.syncing import Seen, Synced, sync

T = TypeVar("T")
Job = Callable[[Desk, DeskLine], Awaitable[Any]]
Told = Callable[[Synced | None], Awaitable[None]]
FIRST_WAIT_MS: Final = 1_000
PATIENCE_S: Final = 10.0
"""How long somebody waits for a line that is being opened."""
SWEEP_S: Final = 3_600.0
ASIDE_S: Final = 2.0
"""How long somebody waits for what others do on the line, before they get one of their own."""
MOST_ASIDE: Final = 3
"""Lines beside the one that stays: an officer has eight sessions, and maybe two desks."""
OWED_S: Final = 30.0
"""Between two looks at what is owed while nothing comes or leaves: the node works it out anew."""
NAMED: Final = 256
"""Bulletins of which it is remembered that this officer was named for them."""
_log: Final = logging.getLogger("saphan.web")


@dataclass(slots=True)
class _Asked:
    """What a page wants done; `begun`: on whichever line."""

    do: Job
    done: asyncio.Future[Any]
    begun: bool = False


@dataclass(frozen=True, slots=True)
class LineState:
    """Whether the node is reached; since when and why (ms UTC), and when it was heard last.

    Args:
        opening: the first try of this desk has no end yet.
        busy: something is on its way, such as what was queued without a line.
    """

    online: bool
    since: int
    why: SaphanError | None = None
    heard: int | None = None
    opening: bool = False
    busy: bool = False

    @property
    def grave(self) -> bool:
        """Whether waiting alone mends nothing: somebody has to do something about it."""
        return self.why is not None and not isinstance(self.why, Unavailable)

    @property
    def shown(self) -> tuple[object, ...]:
        """What pages show of it that changes by itself."""
        return self.online, self.opening, None if self.why is None else self.why.code


class LineKeeper:
    """Keeps the line of one open desk.

    Args:
        desk: the line's own, with a connection of its own to the store; its key is at hand.
        told: after each sync, and after each change of state (None); in the event loop.
        listed: rows of the inbox, shared with who shows them.
    """

    def __init__(self, desk: Desk, told: Told, listed: Listed | None = None) -> None:
        self._desk = desk
        self._told = told
        self._seen = Seen(Listed() if listed is None else listed)
        self._jobs: asyncio.Queue[_Asked] = asyncio.Queue()
        self._aside = 0
        self._settled = asyncio.Event()
        self._hurried = asyncio.Event()
        self._owed_at = -OWED_S
        self._wait_ms = FIRST_WAIT_MS
        self.state = LineState(False, desk.clock(), opening=True)
        self.named: frozenset[str] = frozenset()
        """Bulletins for which the node has named this officer: nobody has read them, or their
        deadline is near. Since the desk was opened."""

    async def run(self) -> None:
        """Hold the line until cancelled; what is wrong with it stands in `state`."""
        heard = await in_thread(Inbox(self._desk).heard)
        self.state = replace(self.state, heard=heard)
        try:
            await self._hold()
        finally:
            self._let_go(_no_answer())

    async def ask(self, do: Callable[[Desk, DeskLine], Awaitable[T]]) -> T:
        """Do something on the line, with the line's own desk, or on one of its own.

        Raises:
            Unavailable: there is no line; SaphanError: what `do` raises.
        """
        if not self._settled.is_set():
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._settled.wait()
            except TimeoutError:
                raise _no_answer() from None
        if not self.state.online:
            self.hurry()
            raise self.state.why or _no_answer()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        asked = _Asked(do, done)
        self._jobs.put_nowait(asked)
        waits = True
        while waits and not asked.begun and not done.done():
            try:
                await asyncio.wait((done,), timeout=ASIDE_S)
            except asyncio.CancelledError:
                done.cancel()  # nobody wants it any more
                raise
            waits = self._aside >= MOST_ASIDE
        if asked.begun or done.done():
            return await done
        asked.begun = True
        return await self._do_aside(do)

    def hurry(self) -> None:
        """Sync soon: something was queued here, or the officer says that the line is back."""
        self._hurried.set()

    # --- inside -----------------------------------------------------------------------------------

    async def _hold(self) -> None:
        loop = asyncio.get_running_loop()
        swept = loop.time()
        while True:
            self._hurried.clear()
            if loop.time() - swept > SWEEP_S:
                swept = loop.time()
                await self._sweep()
            try:
                async with connected(self._desk.me, self._desk.key, self._desk.clock) as line:
                    await self._stay(line)
            except SaphanError as error:
                await self._lost(error)
            except Exception:  # a bug; without this task the desk would have no line any more
                _log.exception("the line met a bug")
                await self._lost(_no_answer())
            try:
                async with asyncio.timeout(self._wait_ms / 1000):
                    await self._hurried.wait()
            except TimeoutError:
                self._wait_ms = min(2 * self._wait_ms, LIMITS.backoff_max_ms)

    async def _stay(self, line: DeskLine) -> None:
        now = self._desk.clock()
        await self._change(LineState(True, now, None, self.state.heard, busy=True))
        # What came, before files that wait go over a slow line.
        await Confirming(self._desk).bring(line)
        moved = bool(await Inbox(self._desk, self._seen.listed).pull(line))
        await self._told(None)
        while True:
            self._hurried.clear()
            synced = await sync(self._desk, line, self._seen)
            moved = moved or bool(synced.new or synced.sent)
            patience_s, moved = await self._look_at_owed(line, moved), False
            self._wait_ms = FIRST_WAIT_MS  # not sooner: a node may answer, and never rightly
            self.state = replace(self.state, heard=self._desk.clock(), busy=False)
            await self._told(synced)
            await self._until_news(line, patience_s)

    async def _look_at_owed(self, line: DeskLine, moved: bool) -> float:
        """What came may be an answer, what left a question (`moved`); all else waits a little.
        Gives the seconds after which to sync in any case."""
        loop = asyncio.get_running_loop()
        since = loop.time() - self._owed_at
        if not moved and since < OWED_S:
            return OWED_S - since
        await OwedHere(self._desk).pull(line)
        self._owed_at = loop.time()
        return SWEEP_S

    async def _until_news(self, line: DeskLine, patience_s: float) -> None:
        """Do what is asked until the node has news, or somebody is in a hurry."""
        loop = asyncio.get_running_loop()
        end = loop.time() + patience_s
        while True:
            news = asyncio.ensure_future(line.news())
            job = asyncio.ensure_future(self._jobs.get())
            hurry = asyncio.ensure_future(self._hurried.wait())
            waits: tuple[asyncio.Future[Any], ...] = (news, job, hurry)
            try:
                await asyncio.wait(
                    waits, timeout=max(0.0, end - loop.time()), return_when=FIRST_COMPLETED
                )
            finally:  # cancelled, they leave news on the line and jobs in their queue
                for one in waits:
                    one.cancel()
                await asyncio.wait(waits)
            if not job.cancelled():
                await self._do(line, job.result())
            if not news.cancelled():
                self.named = frozenset(list(news.result() | self.named)[:NAMED])
                return
            if loop.time() >= end or (not hurry.cancelled() and self._jobs.empty()):
                return  # a sync sweeps, too

    async def _do_aside(self, do: Callable[[Desk, DeskLine], Awaitable[T]]) -> T:
        """On a line that lives as long as this takes."""
        self._aside += 1
        try:
            store = await in_thread(self._desk.store.another)
            try:
                desk = replace(self._desk, store=store)
                async with connected(desk.me, desk.key, desk.clock) as line:
                    return await do(desk, line)
            finally:
                await in_thread(store.close)
        finally:
            self._aside -= 1

    async def _do(self, line: DeskLine, asked: _Asked) -> None:
        done = asked.done
        if asked.begun or done.cancelled():
            return
        asked.begun = True
        try:
            result = await asked.do(self._desk, line)
        except asyncio.CancelledError:
            done.cancel()
            raise
        except Exception as error:
            if not done.cancelled():
                done.set_exception(error)
            if not isinstance(error, SaphanError):
                raise _no_answer() from error  # nobody knows what the line was left in
            if error.code in LINE_ENDED:
                raise
        else:
            if not done.cancelled():
                done.set_result(result)

    async def _lost(self, why: SaphanError) -> None:
        since = self.state.since if self._settled.is_set() and not self.state.online else None
        now = self._desk.clock() if since is None else since
        await self._change(LineState(False, now, why, self.state.heard))

    async def _change(self, state: LineState) -> None:
        before, self.state = self.state, state
        self._settled.set()
        if not state.online:
            self._let_go(state.why or _no_answer())
        if before.shown != state.shown:
            await self._told(None)

    def _let_go(self, why: SaphanError) -> None:
        """Whoever waits is told that there is no line."""
        while not self._jobs.empty():
            asked = self._jobs.get_nowait()
            if not asked.begun and not asked.done.done():
                asked.done.set_exception(why)

    async def _sweep(self) -> None:
        """Without a line; step 3."""
        try:
            await in_thread(sweep, self._desk)
        except SaphanError as error:
            _log.warning("what has reached its day did not go: %s", error)
        await self._told(None)


def _no_answer() -> Unavailable:
    return Unavailable(
        "node_unreachable",
        "the node does not answer",
        field="node",
        hint="what was queued waits here, and leaves by itself when the line is back",
    )
