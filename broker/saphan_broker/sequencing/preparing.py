"""From items to everything that one evidence commit will hold; nothing is written here.

A group may be prepared while the one before it is on its way to the disk: it then builds on that
one's tree and on its changed facts, and is prepared again if that one fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from saphan_protocol.admission import (
    AdmittedStatement,
    RefusedAfterSignature,
    admit,
    admit_statement,
)
from saphan_protocol.admission import Facts as AdmissionFacts
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.holding import check_hold
from saphan_protocol.identity import identity
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, Unavailable
from saphan_schemas.limits import LIMITS, SECOND_MS
from saphan_schemas.records import Consignment, Event

from saphan_broker.sequencing.destroying import Destroyed, Rewrapped
from saphan_broker.sequencing.erasures import find_early
from saphan_broker.sequencing.facts import Known
from saphan_broker.sequencing.judging import Bulletin, Denied
from saphan_broker.sequencing.ledger import Ledger
from saphan_broker.sequencing.own_words import Expired
from saphan_broker.sequencing.releasing import find_stopped
from saphan_broker.sequencing.said_before import SaidBefore, said_before
from saphan_broker.sequencing.saying import Said
from saphan_broker.sequencing.unreadable import answer as unreadable
from saphan_broker.sequencing.unreadable import load_readable
from saphan_broker.sequencing.work import (
    Destruction,
    Expiry,
    Outcome,
    Rejected,
    Rewrapping,
    Stated,
    Submitted,
    Work,
)
from saphan_broker.state import State
from saphan_broker.store.base import BulletinFacts, Commit, LogHead, TileKey

Judged: TypeAlias = Bulletin | Said | Denied | Expired | Destroyed | Rewrapped | SaidBefore

BREATH = 16
"""Items judged before other tasks of the event loop get their turn, about 1 ms."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A judged group: its rows, the tree with its leaves, its answers."""

    ledger: Ledger
    expected: LogHead
    tree: TileTree
    root: bytes
    tiles: dict[TileKey, bytes]
    outcomes: list[tuple[Work, Outcome]]
    anchored: int
    """Directory size that the newest anchor names once this is written."""

    def commit(self) -> Commit:
        """The group as one commit of the evidence log."""
        ledger = self.ledger
        return Commit(
            log="evidence",
            expected=self.expected,
            head=LogHead(self.tree.size, self.root),
            leaves=ledger.leaves,
            tiles=self.tiles,
            time=ledger.time,
            entries=ledger.entries,
            bulletins=ledger.bulletins,
            deliveries=list(ledger.deliveries.values()),
            stanzas=list(ledger.stanzas.values()),
            signatures=list(ledger.signatures.values()),
            statements=ledger.statements,
            corridors=ledger.corridors,
            anchors=ledger.anchors,
            holds=list(ledger.holds.values()),
            destroyed=ledger.destroyed,
            bodiless=ledger.bodiless,
        )

    def emptied(self) -> list[BulletinFacts]:
        """Bulletins whose last copy goes with this, and that have attachments."""
        facts = (self.ledger.known.bulletins[one] for one in self.ledger.bodiless)
        return [one for one in facts if one.attachments]

    def agencies(self) -> set[str]:
        """Whose mailboxes grow."""
        entries = self.ledger.entries
        return {row.sender for row in entries} | {row.recipient for row in entries}


async def prepare(state: State, group: Sequence[Work], before: Prepared | None) -> Prepared:
    """Judge a group of evidence items at one time, and the anchor that is due.

    Args:
        before: the group that is being written; its rows count as stored.

    Raises:
        Unavailable: `clock_disagrees`; OperatorError: `directory_unsigned`, and what reads raise.
    """
    book = state.evidence
    tree, root, last = book.tree, book.root, book.time
    if before is not None:
        tree, root, last = before.tree, before.root, before.ledger.time
    now = state.clock()
    # Nothing is dated before a head that does not cover it, whatever became of this clock since.
    signed = 0 if book.published is None else book.published.time * SECOND_MS
    time = max(now, last, signed)
    state.clocks.check(time)
    anchored = state.anchored if before is None else before.anchored
    anchor = _anchor_due(state, anchored, bool(group) and _anchor_old(state, before, time))
    known, judged = await load_readable(state, await _admit_all(state, group, time))
    known.used.update(state.used)
    if before is not None:
        _overlay(known, before.ledger)
    said = [ready for _work, ready in judged if isinstance(ready, Said)]
    newest = tree.size if anchor is not None else _newest_anchor(state, before)
    await find_stopped(state, said, known, AdmissionFacts(state.directory, time), newest)
    await find_early(state, said, known, time)
    ledger = Ledger(known, tree.size, time, state.keys, state.quotas)
    if anchor is not None:
        ledger.anchor(*anchor)
        anchored = anchor[0]
    outcomes: list[tuple[Work, Outcome]] = []
    for place, (work, ready) in enumerate(judged):
        if place % BREATH == BREATH - 1 or isinstance(ready, Destroyed):
            await asyncio.sleep(0)
        outcomes.append((work, ready.judge(ledger, state.random)))
    grown, tiles, grown_root = await book.grow(tree, ledger.leaves)
    expected = LogHead(tree.size, root)
    return Prepared(ledger, expected, grown, grown_root, tiles, outcomes, anchored)


def _overlay(known: Known, ledger: Ledger) -> None:
    """Facts as they will be once `ledger` is stored; whether it is already makes no difference."""
    known.bulletins.update((row.id, row) for row in ledger.bulletins)
    known.nonces.update(((row.sender, row.nonce), row) for row in ledger.bulletins)
    known.deliveries.update(ledger.deliveries)
    known.statements.update(ledger.statements)
    known.corridors.update(ledger.corridors)
    known.used.update(ledger.used)
    known.holds.update(ledger.holds)
    known.stanzas.update(ledger.stanzas)
    for key in ledger.destroyed:
        known.stanzas.pop(key, None)
    # No delivery of a bulletin begins on its due-day or later, so `recipients` are all of them.


def _newest_anchor(state: State, before: Prepared | None) -> int:
    """Evidence index of the newest anchor; 0 before any."""
    if before is not None and before.ledger.anchors:
        return before.ledger.anchors[-1].index
    return 0 if state.anchor is None else state.anchor.index


def _anchor_old(state: State, before: Prepared | None, time: int) -> bool:
    """Whether the newest anchor was logged so long ago that another one is worth a leaf."""
    last = state.anchored_at
    if before is not None and before.ledger.anchors:
        last = before.ledger.time
    return time - last >= LIMITS.anchor_ms


def _anchor_due(state: State, anchored: int, old: bool) -> tuple[int, bytes] | None:
    """(size, root) of the signed directory head, if the newest anchor names an older one, or is
    `old`: between two anchors that name the same directory no key was revoked, and that shows it
    to whoever sees those two and nothing else of the log."""
    published = state.registry.published
    if published is None or published.size != state.directory.size:
        raise OperatorError(
            "directory_unsigned",
            "the directory log has leaves that are under no signed head",
            hint="nothing is judged by them before they are signed; see the alarms",
        )
    if published.size == anchored and not old:
        return None
    return published.size, published.root


async def _admit_all(state: State, group: Sequence[Work], time: int) -> list[tuple[Work, Judged]]:
    """Admission, at exactly the entries' time and under the directory they are anchored to."""
    facts = AdmissionFacts(state.directory, time, None, state.verified)
    judged: list[tuple[Work, Judged]] = []
    for place, work in enumerate(group):
        if place % BREATH == BREATH - 1:
            await asyncio.sleep(0)
        if work.outcome.done():  # refused when the group was prepared before, or nobody waits
            continue
        try:
            ready: Judged = _admit(work, facts)
            if isinstance(ready, Bulletin) and not await _seen_here(state, ready):
                ready = _denied_seen(ready)
            judged.append((work, ready))
        except (InvalidInput, Refused) as error:  # what the store cannot say refuses nobody
            state.counters.refused[error.code] += 1
            work.resolve(Rejected(error))
        except (OperatorError, Unavailable) as error:
            unreadable(state, work, error)
    return judged


async def _seen_here(state: State, ready: Bulletin) -> bool:
    """The evidence head that the sender names is one of this log, or of another origin.

    Whoever audits the log reads from another head that two histories were shown: a sender that
    makes one up must not be able to say so in our log.
    """
    seen = ready.admitted.consignment.seen
    return seen is None or seen.origin != state.evidence.origin or await state.evidence.showed(seen)


def _denied_seen(ready: Bulletin) -> Denied:
    admitted = ready.admitted
    cause = Refused(
        "seen_differs",
        "the consignment names a head that this log never had",
        field="consignment.seen",
        hint="compare heads with the broker's operator: one of the two logs is another",
    )
    error = RefusedAfterSignature(cause, admitted.bulletin_id, admitted.ciphertext.digest)
    return Denied(admitted.header.sender, admitted.consignment_id, ready.agencies, error)


def _admit(work: Work, facts: AdmissionFacts) -> Judged:
    item = work.item
    if isinstance(item, Expiry):
        return Expired(item)
    if isinstance(item, Destruction):
        return Destroyed(item)
    if isinstance(item, Rewrapping):
        return Rewrapped(item)
    if not isinstance(item, Submitted | Stated):
        raise RuntimeError(f"{type(item).__name__} is no evidence item")
    try:
        if isinstance(item, Submitted):
            return _admit_submission(item, facts)
        return _admit_statement(item, facts)
    except Refused as error:
        return said_before(item, error)


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
            attachments=given.attachments,
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
    return Bulletin(admitted, given, item.missing)


def _admit_statement(item: Stated, facts: AdmissionFacts) -> Judged:
    said = item.item
    corridor = (said.sender, said.recipient)
    admitted = admit_statement(
        said.event, said.statement, said.item, item.batches, corridor, facts, peer=item.peer
    )
    return Said(item.peer, admitted, corridor, said.salt, _hold_named(admitted, facts))


def _hold_named(admitted: AdmittedStatement, facts: AdmissionFacts) -> bytes | Refused | None:
    """Under which name a `held` or `released` is kept; why it is refused; None for others."""
    if admitted.event not in (Event.HELD, Event.RELEASED):
        return None
    try:
        return check_hold(facts.directory.holds, admitted.event, admitted.statement, facts.at)
    except Refused as error:
        return error
