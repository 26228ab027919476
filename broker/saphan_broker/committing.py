"""From judged items to a durable, signed, published head: the steps of one group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import perf_counter
from typing import TypeAlias

from saphan_protocol.admission import Facts as AdmissionFacts
from saphan_protocol.admission import RefusedAfterSignature, admit, admit_statement
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity
from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError, Refused, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment

from saphan_broker.facts import Wanted, load
from saphan_broker.judging import Bulletin, Denied, Expired, Said
from saphan_broker.ledger import Ledger
from saphan_broker.log_book import LogBook
from saphan_broker.state import State
from saphan_broker.store.base import Commit, LogHead
from saphan_broker.work import Expiry, Outcome, Rejected, Stated, Submitted, Work

_log = logging.getLogger("saphan.broker")

Judged: TypeAlias = Bulletin | Said | Denied | Expired

BREATH = 32
"""Items judged before other tasks of the event loop get their turn, about 2 ms."""


class Committer:
    """Commits to the logs and signs their heads; called by the sequencer's one task only."""

    def __init__(self, state: State) -> None:
        self._state = state

    # --- evidence ---------------------------------------------------------------------------------

    async def commit(self, group: Sequence[Work]) -> None:
        """Judge and log a group of evidence items, and the anchor that is due; answer them all.

        Raises:
            Unavailable: `clock_disagrees`, HeadMoved; OperatorError: `disk_full`, CommitUnknown,
                and what signing raises: nothing of the group has been answered then.
        """
        state, book = self._state, self._state.evidence
        now = state.clock()
        time = max(now, book.time)
        anchor = self._anchor_due()
        if not group and anchor is None:
            return
        state.clocks.check(time, now)
        judged: list[tuple[Work, Judged]] = []
        for place, work in enumerate(group):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            ready = self._admit(work, time)
            if ready is not None:
                judged.append((work, ready))
        wanted = Wanted()
        for _work, ready in judged:
            ready.want(wanted)
        ledger = Ledger(await load(state.store, wanted), book.tree.size, time, state.keys)
        if anchor is not None:
            ledger.anchor(*anchor)
        outcomes = await self._judge(judged, ledger)
        if ledger.leaves:
            await self._write(ledger)
            await self.sign(book)
            if anchor is not None:
                state.anchored = anchor[0]
            self._publish(ledger)
        for work, outcome in outcomes:
            work.resolve(outcome)

    def _anchor_due(self) -> tuple[int, bytes] | None:
        """(size, root) of the signed directory head, if the newest anchor names an older one."""
        published = self._state.registry.published
        if published is None or published.size != self._state.directory.size:
            raise OperatorError(
                "directory_unsigned",
                "the directory log has leaves that are under no signed head",
                hint="nothing is judged by them before they are signed; see the alarms",
            )
        if published.size == self._state.anchored:
            return None
        return published.size, published.root

    def _admit(self, work: Work, time: int) -> Judged | None:
        """Admission, at exactly the entry's time and under the directory it is anchored to."""
        state, item = self._state, work.item
        facts = AdmissionFacts(state.directory, time, None, state.verified)
        try:
            if isinstance(item, Submitted):
                return _admit_submission(item, facts)
            if isinstance(item, Stated):
                return _admit_statement(item, facts)
            if isinstance(item, Expiry):
                return Expired(item)
            raise RuntimeError(f"{type(item).__name__} is no evidence item")
        except SaphanError as error:
            state.counters.refused[error.code] += 1
            work.resolve(Rejected(error))
            return None

    async def _judge(
        self, judged: Sequence[tuple[Work, Judged]], ledger: Ledger
    ) -> list[tuple[Work, Outcome]]:
        outcomes: list[tuple[Work, Outcome]] = []
        for place, (work, ready) in enumerate(judged):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            outcome = ready.judge(ledger, self._state.random)
            if isinstance(outcome, Rejected):
                self._state.counters.refused[outcome.error.code] += 1
            else:
                self._state.counters.logged += 1
            outcomes.append((work, outcome))
        return outcomes

    async def _write(self, ledger: Ledger) -> None:
        book = self._state.evidence
        tree, tiles, root = await book.grow(ledger.leaves)
        commit = Commit(
            log="evidence",
            expected=book.head,
            head=LogHead(tree.size, root),
            leaves=ledger.leaves,
            tiles=tiles,
            time=ledger.time,
            entries=ledger.entries,
            bulletins=ledger.bulletins,
            deliveries=list(ledger.deliveries.values()),
            stanzas=list(ledger.stanzas.values()),
            signatures=list(ledger.signatures.values()),
            statements=ledger.statements,
            corridors=ledger.corridors,
            anchors=ledger.anchors,
        )
        # A crash in here: all of it or nothing of it is there. A failure drops the grown tree.
        started = perf_counter()
        await self._state.store.commit(commit)
        self._state.counters.committed(perf_counter() - started)
        book.adopt(tree, root, ledger.time)

    def _publish(self, ledger: Ledger) -> None:
        agencies = {row.sender for row in ledger.entries}
        agencies.update(row.recipient for row in ledger.entries)
        self._state.listeners.published(agencies)

    # --- directory --------------------------------------------------------------------------------

    async def commit_directory(self, leaf: bytes, package: bytes | None) -> int:
        """Log one directory leaf that was judged as the next one; gives its index, signed."""
        state, book = self._state, self._state.registry
        now = state.clock()
        time = max(now, book.time)
        state.clocks.check(time, now)
        tree, tiles, root = await book.grow([leaf])
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


def _admit_submission(item: Submitted, facts: AdmissionFacts) -> Judged:
    given = item.submission
    try:
        admitted = admit(
            given.header,
            given.consignment,
            given.item,
            item.batches,
            given.ciphertext,
            facts,
            peer=item.peer,
            stanzas=given.stanzas,
        )
        if len(given.salts) != len(admitted.consignment.recipients):
            raise RefusedAfterSignature(
                Refused("salt_count", "one salt is needed for each recipient", field="salts"),
                admitted.bulletin_id,
                admitted.ciphertext.digest,
            )
    except RefusedAfterSignature as error:
        consignment = decode(
            Consignment, given.consignment, LIMITS.consignment_bytes, "consignment"
        )
        return Denied(
            item.peer,
            identity(CONSIGNMENT_TYPE, given.consignment),
            tuple(ref.agency for ref in consignment.recipients),
            error,
        )
    return Bulletin(admitted, given)


def _admit_statement(item: Stated, facts: AdmissionFacts) -> Judged:
    said = item.item
    corridor = (said.sender, said.recipient)
    admitted = admit_statement(
        said.event, said.statement, said.item, item.batches, corridor, facts, peer=item.peer
    )
    return Said(item.peer, admitted, corridor, said.salt)
