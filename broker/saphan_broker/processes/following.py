"""What a process knows of logs that another one writes: read from the store, whenever a hint comes
and once a second without one.

Order: evidence is read before the directory, and shown after it, so that the directory known here
is never older than the newest anchor under a head that is shown.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from saphan_protocol.checkpoint import Head
from saphan_protocol.merkle import HASH_BYTES
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import LIMITS

from saphan_broker.logs.log_book import Ahead
from saphan_broker.processes.wire import News
from saphan_broker.state import DEAD, State

_log = logging.getLogger("saphan.broker")

HINTS: Final = 4_096
"""Hints kept until the store shows what they speak of."""
PATIENCE_SECONDS: Final = 2.0
"""An outcome is known while the store does not show it: told all the same after so long."""


class Following:
    """Keeps the state of a follower up to date; owned by the event loop.

    Args:
        follows: whether this process is a follower now; while it holds the lease, it knows.
    """

    def __init__(self, state: State, follows: Callable[[], bool]) -> None:
        self._state = state
        self._follows = follows
        self._lock = asyncio.Lock()
        self._hint = asyncio.Event()
        self._waiting: set[asyncio.Event] = set()
        self._grown: dict[int, tuple[int, tuple[str, ...]]] = {}
        self._asked: list[News] = []

    def still(self) -> asyncio.Lock:
        """Inside it nothing is read, so that who takes over reads alone."""
        return self._lock

    def news(self, news: News) -> None:
        """The holder has signed something.

        What follows on what is known here is shown at once; anything else is read from the store.
        """
        if self._follows() and not self._lock.locked() and self._grow(news):
            self._tell_moved()
            return
        grew = news.start < news.stop  # a fresh head of the same size leads nowhere
        if news.agencies is not None and grew and len(self._grown) < HINTS:
            self._grown[news.start] = news.stop, news.agencies
        if news.asked is not None and len(self._asked) < HINTS:
            self._asked.append(news)
        self._hint.set()

    def hint(self) -> None:
        """Look soon: something may have changed."""
        self._hint.set()

    async def run(self) -> None:
        """Until cancelled: look at every hint, and once a second without one."""
        while True:
            self._hint.clear()
            await self.look()
            try:
                async with asyncio.timeout(LIMITS.beat_ms / 1000):
                    await self._hint.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """One look; an error is an alarm until a look succeeds."""
        try:
            await self.catch_up()
            self._state.alarms.clear("following")
        except SaphanError as error:
            self._state.alarms.sound("following", f"the logs cannot be followed: {error}")
        except Exception:  # a bug; the next look must still come
            _log.exception("a look at the logs of another process failed")
            await asyncio.sleep(LIMITS.beat_ms / 1000)

    async def catch_up(self) -> None:
        """Know everything that was signed before this call.

        Raises:
            OperatorError: `store_went_back`, `store_damaged`, and what reads raise.
        """
        async with self._lock:
            if self._follows():
                try:
                    await self._refresh()
                except OperatorError as error:
                    if error.code not in DEAD:
                        raise
                    await self._state.revive_store()
                    await self._refresh()
        self._tell_moved()

    def knows(self, directory: int, evidence: int) -> bool:
        """Whether heads of these sizes are known here."""
        books = ((self._state.registry, directory), (self._state.evidence, evidence))
        return not self._follows() or all(
            size == 0 or (book.published is not None and book.published.size >= size)
            for book, size in books
        )

    async def at_least(self, directory: int, evidence: int) -> None:
        """Wait until heads of these sizes are known here; not for ever."""
        self._hint.set()
        moved = asyncio.Event()
        self._waiting.add(moved)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not self.knows(directory, evidence):
                    moved.clear()
                    await moved.wait()
        except TimeoutError:
            _log.info("an answer is given before the store shows its entries here")
        finally:
            self._waiting.discard(moved)

    def _grow(self, news: News) -> bool:
        """Show a head whose leaves follow on those known here; False: the store must be read.

        Its signature is not checked here: the message is sealed by who has signed, and everybody
        who is shown the head checks it. Its root is.
        """
        state, book, head = self._state, self._state.evidence, news.head
        published, directory = book.published, state.registry.published
        if (
            head is None
            or published is None
            or directory is None
            or news.start != published.size
            or book.tree.size != published.size
            or (news.directory, news.anchored) != (directory.size, state.anchored)
        ):
            return False
        hashes = [
            head.hashes[at : at + HASH_BYTES] for at in range(0, len(head.hashes), HASH_BYTES)
        ]
        tree, _tiles = book.tree.grow(hashes)
        if tree.size != news.stop or tree.root() != head.root:
            return False
        shown = Head(book.origin, news.stop, head.root, head.time, head.note)
        book.go(Ahead(shown, tree, head.root))
        state.listeners.published_here(news.agencies)
        if news.asked is not None:
            state.listeners.ask_here(news.witnesses, news.asked)
        return True

    def _tell_moved(self) -> None:
        """Wake those who wait in `at_least`."""
        for waiting in self._waiting:
            waiting.set()

    async def _refresh(self) -> None:
        state = self._state
        asked, self._asked = self._asked, []
        evidence = await state.evidence.ahead(state.key_pair("evidence"))
        directory = await state.registry.ahead(state.key_pair("directory"))
        if directory is not None:
            await state.replay(directory.tree.size)
            state.registry.go(directory)
        late = await state.take_late_texts()  # no head tells of them
        agencies: set[str] | None = set()
        if evidence is not None:
            agencies = self._whose(evidence)
            if evidence.tree.size > state.evidence.tree.size:
                await state.find_anchor(evidence.head.size)
            state.evidence.go(evidence)
        if late or directory is not None or evidence is not None:
            state.listeners.published_here(agencies)
        for news in asked:
            state.listeners.ask_here(news.witnesses, news.asked or 0)

    def _whose(self, ahead: Ahead) -> set[str] | None:
        """Whose entries are new under this head; None if the hints have a gap: anyone's.

        Who is left out here would be told that it has everything.
        """
        published = self._state.evidence.published
        at, stop = 0 if published is None else published.size, ahead.head.size
        found: set[str] = set()
        while at < stop and at in self._grown:
            at, agencies = self._grown[at]
            found.update(agencies)
        self._grown = {start: grown for start, grown in self._grown.items() if start >= stop}
        return found if at == stop else None
