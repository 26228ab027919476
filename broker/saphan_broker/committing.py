"""From a prepared group to a durable, signed, published head: the writes, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter

from saphan_broker.log_book import LogBook
from saphan_broker.preparing import Prepared, prepare
from saphan_broker.state import State
from saphan_broker.store.base import Commit, LogHead
from saphan_broker.work import Rejected, Work


class Committer:
    """Commits to the logs and signs their heads; one commit or signature at a time."""

    def __init__(self, state: State) -> None:
        self._state = state

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
            # A crash in here: all of it or nothing of it is there. A failure drops the grown tree.
            started = perf_counter()
            await state.store.commit(group.commit())
            state.counters.committed(perf_counter() - started)
            book.adopt(group.tree, group.root, group.ledger.time)
            state.anchored = group.anchored
            state.recent.add(group.ledger.signatures.values())
            if group.ledger.anchors:
                state.anchor = group.ledger.anchors[-1]
            await self.sign(book)
            state.listeners.published(group.agencies())
        for work, outcome in group.outcomes:
            if isinstance(outcome, Rejected):
                state.counters.refused[outcome.error.code] += 1
            else:
                state.counters.logged += 1
            work.resolve(outcome)

    # --- directory --------------------------------------------------------------------------------

    async def commit_directory(self, leaf: bytes, package: bytes | None) -> int:
        """Log one directory leaf that was judged as the next one; gives its index, signed."""
        state, book = self._state, self._state.registry
        now = state.clock()
        time = max(now, book.time)
        state.clocks.check(time, now)
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
        if package is not None:
            state.directory.add_agreement(package)
        await self.sign(book)
        state.listeners.published(())
        return index

    # --- heads ------------------------------------------------------------------------------------

    async def sign(self, book: LogBook) -> None:
        """Sign the committed head, make the note durable, make it the published one."""
        size, root = book.tree.size, book.root
        now = self._state.clock()
        # A head of a wrong time could never be followed by one of the right time.
        self._state.clocks.check(now, now)
        signer = self._state.signers[book.log]
        # The signer's own file is fsynced first: from here on no other root of this size exists.
        head = await asyncio.to_thread(signer.sign, size, root, now // 1000)
        # A crash here: the next start signs the same size and root again, which is allowed.
        await self._state.store.put_note(book.log, size, head.note)
        book.publish(head)
