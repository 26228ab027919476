"""From a prepared group to a durable, signed, published head: the writes, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter

from saphan_protocol.checkpoint import Head
from saphan_protocol.directory import is_commitment

from saphan_broker.logs.log_book import LogBook
from saphan_broker.logs.signer import Signer
from saphan_broker.sequencing.preparing import Prepared, prepare
from saphan_broker.sequencing.work import Rejected, Work
from saphan_broker.state import State
from saphan_broker.store.base import BulletinFacts, Commit, HeadMoved, LogHead


class _Signature:
    """The signature of one head, to be made on another thread."""

    head: Head

    def __init__(self, signer: Signer, size: int, root: bytes, time: int) -> None:
        self.size = size
        self.begun: float | None = None
        """When `make` was called (`perf_counter`), whether it went well or not."""
        self._signer = signer
        self._root = root
        self._time = time

    def make(self) -> bytes:
        """Sign; gives the note. The signer's own file is durable first: from here on no other root
        of this size exists."""
        self.begun = perf_counter()
        self.head = self._signer.sign(self.size, self._root, self._time)
        return self.head.note


class Committer:
    """Commits to the logs and signs their heads; one commit or signature at a time."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.emptied: list[BulletinFacts] = []
        """Destroyed bulletins, under a signed head, whose attachments are still in files."""

    # --- evidence ---------------------------------------------------------------------------------

    async def commit(self, group: Sequence[Work]) -> None:
        """Judge, log and answer a group of evidence items, and the anchor that is due.

        Raises:
            What `prepare` and `write` raise: nothing of the group has been answered then.
        """
        await self.write(await prepare(self._state, group, None))

    async def write(self, group: Prepared) -> None:
        """Make a prepared group durable, sign its head, publish it, answer.

        Raises:
            Unavailable: `clock_disagrees`, HeadMoved; OperatorError: `disk_full`, CommitUnknown,
                and what signing raises: nothing of the group has been answered then.
        """
        state, book = self._state, self._state.evidence
        if group.ledger.leaves:
            signature = self._signature(book, group.tree.size, group.root)
            commit = group.commit()
            started = perf_counter()
            try:
                # A crash in here: all of it or nothing of it is there, signed or not yet.
                await state.store.commit(commit, signature.make)
            finally:
                if signature.begun is not None:  # the commit is durable, whatever came after it
                    state.counters.committed(signature.begun - started)
                    self._adopt(group, commit)
            book.publish(signature.head)
            if not group.ledger.destroyed:
                state.counters.published(perf_counter() - started)
            state.listeners.published(group.agencies())
            if group.ledger.anchors:
                # Rare, and witnesses refuse a head that lags behind the directory they know.
                state.listeners.ask_everyone(state.clock())
            self.emptied += group.emptied()
        elif group.ledger.stanzas:
            await state.store.commit(group.commit())  # wrapped anew: nothing that is in the log
            state.evidence.adopt(group.tree, group.root, group.ledger.time)
            state.recent_rows.clear()
        else:
            self._check_signed(group)
        for work, outcome in group.outcomes:
            if isinstance(outcome, Rejected):
                state.counters.refused[outcome.error.code] += 1
            else:
                state.counters.logged += 1
            work.resolve(outcome)

    def _check_signed(self, group: Prepared) -> None:
        """Nothing is written that would be fenced: first answers that the store holds may be of a
        process that has taken over, and not under its head yet."""
        published = self._state.evidence.published
        signed = 0 if published is None else published.size
        newest = max((index for _, said in group.outcomes for index in said.indices), default=-1)
        if newest >= signed:
            raise HeadMoved("evidence", signed, newest + 1)

    def _adopt(self, group: Prepared, commit: Commit) -> None:
        """The group is committed; nobody is told before it is under a durable signed head."""
        state, ledger = self._state, group.ledger
        state.evidence.adopt(group.tree, group.root, ledger.time)
        state.anchored = group.anchored
        state.used.update(ledger.used)
        state.recent.add(commit.signatures)
        state.recent_rows.add(commit)
        if ledger.anchors:
            state.anchor, state.anchored_at = ledger.anchors[-1], ledger.time

    # --- directory --------------------------------------------------------------------------------

    async def commit_directory(self, leaf: bytes, package: bytes | None) -> int:
        """Log one directory leaf that was judged as the next one, with what is kept beside it;
        gives its index, signed."""
        state, book = self._state, self._state.registry
        now = state.clock()
        time = max(now, book.time)
        state.clocks.check(time)
        tree, tiles, root = await book.grow(book.tree, [leaf])
        index = book.tree.size
        await state.store.commit(
            Commit(
                log="directory",
                expected=book.head,
                head=LogHead(tree.size, root),
                leaves=[leaf],
                tiles=tiles,
                time=time,
                packages={} if package is None else {index: package},
            )
        )
        book.adopt(tree, root, time)
        state.directory.apply(leaf, state.types)
        if package is not None and is_commitment(leaf):
            state.directory.add_package(package)
        await self.sign(book)
        state.listeners.published(())
        return index

    async def keep_beside(self, index: int, package: bytes) -> None:
        """Keep the text of a leaf that is there, if it is not: a log that follows a lost one may
        have the leaf alone."""
        state, book = self._state, self._state.registry
        if index in await state.store.packages(index, index + 1):
            return
        await state.store.commit(
            Commit(
                log="directory",
                expected=book.head,
                head=book.head,
                leaves=[],
                tiles={},
                time=book.time,
                packages={index: package},
            )
        )
        state.texts_brought += 1
        state.listeners.published(())

    # --- heads ------------------------------------------------------------------------------------

    async def sign(self, book: LogBook) -> None:
        """Sign the committed head, make the note durable, make it the published one."""
        signature = self._signature(book, book.tree.size, book.root)
        note = await asyncio.to_thread(signature.make)
        # A crash here: the next start signs the same size and root again, which is allowed.
        await self._state.store.put_note(book.log, signature.size, note)
        book.publish(signature.head)

    def _signature(self, book: LogBook, size: int, root: bytes) -> _Signature:
        now = self._state.clock()
        # A head of a wrong time could never be followed by one of the right time.
        self._state.clocks.check(now)
        return _Signature(self._state.signers[book.log], size, root, now // 1000)
