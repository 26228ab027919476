"""What becomes of an admitted statement: the tables of deliveries and of what follows an outcome.

Judged against the facts as they stand after the items before it, whole before anything is entered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace
from saphan_protocol.admission import AdmittedStatement, check_subject
from saphan_protocol.aftermath import AFTERMATH, Aftermath, advance, check_erasure
from saphan_protocol.delivery import EITHER_PARTY, OWN_EVENTS, State
from saphan_schemas.errors import Refused, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, LeafType, Targeted, statement_type

from saphan_broker.once import ONCE, marker
from saphan_broker.sequencing.facts import Known, Wanted
from saphan_broker.sequencing.ledger import Ledger
from saphan_broker.sequencing.own_words import advanced, refuse
from saphan_broker.sequencing.work import Logged, Outcome, Rejected
from saphan_broker.state import Random
from saphan_broker.store.base import BulletinFacts, DeliveryRow, HoldRow, StatementKey

HOLDING: Final = frozenset({Event.HELD, Event.RELEASED})
DUE: Final = "due"
CHARGED: Final = OWN_EVENTS | EITHER_PARTY
"""Of a delivery's other statements there are only so many, of these there is no end."""


@dataclass(frozen=True, slots=True)
class Said:
    """An admitted statement about a bulletin in `corridor`.

    Args:
        hold: for `held` and `released` the hold's name, or why it names none.
    """

    peer: str
    admitted: AdmittedStatement
    corridor: tuple[str, str]
    salt: bytes
    hold: bytes | Refused | None = None

    def want(self, wanted: Wanted) -> None:
        """Name the facts that `judge` will ask for."""
        bulletin, recipient = self.admitted.statement.bulletin, self.corridor[1]
        wanted.bulletins.add(bulletin)
        wanted.deliveries.add((bulletin, recipient))
        wanted.statements.add((bulletin, self.admitted.identity, recipient))
        wanted.corridors.update((self.corridor, (self.peer, self.peer)))
        event, target = self.admitted.event, self._target
        if event is Event.READ:
            wanted.statements.add(self._once(Event.READ))
        elif event in AFTERMATH:
            wanted.statements.update(self._once(one) for one in ONCE)
        if target is not None:
            wanted.whole.add(bulletin)
            if isinstance(self.hold, bytes):
                wanted.holds.add((target, self.hold))

    @property
    def _target(self) -> int | None:
        said = self.admitted.statement
        return said.target if isinstance(said, Targeted) else None

    def _once(self, event: Event) -> StatementKey:
        """Where what is said once of a delivery, or in an agency's own corridor, is noted, too."""
        bulletin = self.admitted.statement.bulletin
        return bulletin, marker(event, bulletin), self.corridor[1]

    def judge(self, ledger: Ledger, random: Random) -> Outcome:
        """Enter it, or give its first answer again."""
        statement, known = self.admitted.statement, ledger.known
        first = known.first_answer(statement.bulletin, self.admitted.identity, (self.corridor[1],))
        if first is not None:
            return Logged(first)
        try:
            before, after = self._next(ledger)
        except Refused as error:
            return refuse(
                ledger, random, self.peer, statement.bulletin, statement.ciphertext, error
            )
        except Unavailable as waits:
            return Rejected(waits)
        ledger.signature(self.admitted.batch)
        index = self._enter(ledger)
        self._note(ledger, before, after, index)
        return Logged((index,))

    def _enter(self, ledger: Ledger) -> int:
        event, statement = self.admitted.event, self.admitted.statement
        index = ledger.enter(
            self.corridor,
            LeafType[event.name],
            statement_type(event),
            self.admitted.body,
            self.admitted.identity,
            issuer=statement.issuer,
            bulletin=statement.bulletin,
            salt=self.salt,
            item=self.admitted.item,
            target=self._target,
        )
        if event in ONCE:
            once = self._once(event)
            ledger.known.statements[once] = ledger.statements[once] = index
        return index

    def _note(
        self, ledger: Ledger, before: DeliveryRow | None, after: State | None, index: int
    ) -> None:
        """Where the delivery stands after it."""
        if before is None:
            return
        if self.admitted.event in HOLDING:
            self._note_hold(ledger, before, index)
        elif after is not None and after is not State(before.state):
            ledger.delivery(advanced(before, after, index, ledger.time))

    def _note_hold(self, ledger: Ledger, row: DeliveryRow, index: int) -> None:
        assert isinstance(self.hold, bytes)
        standing = ledger.known.holds.get((row.submitted, self.hold))
        if self.admitted.event is Event.RELEASED:
            assert standing is not None
            ledger.hold(replace(standing, released=index))
            ledger.delivery(replace(row, holds=row.holds - 1))
            return
        key = (row.submitted, self.hold, self.peer, row.bulletin, row.recipient)
        ledger.hold(HoldRow(*key, index, None))
        ledger.delivery(replace(row, holds=row.holds + 1))

    # --- judging ----------------------------------------------------------------------------------

    def _next(self, ledger: Ledger) -> tuple[DeliveryRow | None, State | None]:
        """Its delivery and the state after it; None for what is a step of no delivery."""
        statement, event = self.admitted.statement, self.admitted.event
        facts = ledger.known.bulletins.get(statement.bulletin)
        row = None if facts is None else self._row(ledger.known, facts)
        if facts is None or not self._concerns(facts, row):
            raise Refused(
                "bulletin_unknown",
                f"no such bulletin went from {self.corridor[0]} to {self.corridor[1]}",
                field="statement.bulletin",
                hint="after a broker's loss the sender consigns anew; send it after that",
            )
        check_subject(statement, facts.id, facts.ciphertext_digest)
        if event in HOLDING:
            self._check_hold(ledger.known, row)
        after = self._after(ledger.known, row)
        if event in CHARGED:  # step 14
            ledger.charge(self.peer, LIMITS.quota_refusal_bytes)
        return row, after

    def _after(self, known: Known, row: DeliveryRow | None) -> State | None:
        if row is None:
            self._check_own(known)
            return None
        stopped = known.stopped.get((row.bulletin, row.recipient))
        if stopped is not None and self.admitted.event is Event.HANDOVER:
            raise stopped
        state, stands = self._stands(known, row)
        after, _ = advance(state, stands, self.admitted.event)
        self._check_erasure(known, stands.recalled)
        return after

    def _row(self, known: Known, facts: BulletinFacts) -> DeliveryRow | None:
        """The delivery that it is about: in its corridor, or the one whose leaf it names."""
        if self._target is None:
            return known.deliveries.get((facts.id, self.corridor[1]))
        rows = (known.deliveries[facts.id, one] for one in known.recipients.get(facts.id, ()))
        return next((row for row in rows if row.submitted == self._target), None)

    def _concerns(self, facts: BulletinFacts, row: DeliveryRow | None) -> bool:
        """Whether the bulletin went through this corridor; in an agency's own, whether it sent or
        received it."""
        event = self.admitted.event
        if event in HOLDING:
            return row is not None and self.peer in (row.sender, row.recipient)
        if event in OWN_EVENTS:
            return row is not None or facts.sender == self.peer
        if self.corridor[0] == self.corridor[1]:  # what the sender says of its own copy
            return row is None and facts.sender == self.peer
        return row is not None and row.sender == self.corridor[0]

    def _check_erasure(self, known: Known, recalled: bool | None) -> None:
        """Its day has come, or the recall that it names is logged: of an erasure."""
        said = self.admitted.statement
        if self.admitted.event is not Event.ERASED:
            return
        early = known.early.get(said.bulletin)
        if early is not None and said.code == DUE:
            raise early
        check_erasure(said.code, recalled, None, 0)

    def _check_own(self, known: Known) -> None:
        """In an agency's own corridor an erasure is said once."""
        if self.admitted.event is Event.ERASED and self._once(Event.ERASED) in known.statements:
            raise Refused("erased_before", "that it is erased was said before", field="statement")
        self._check_erasure(known, None)

    def _check_hold(self, known: Known, row: DeliveryRow | None) -> None:
        """The order is in force, and is laid on a delivery once."""
        if isinstance(self.hold, Refused):
            raise self.hold
        assert row is not None
        assert self.hold is not None
        found = known.holds.get((row.submitted, self.hold))
        stands = found is not None and found.released is None
        if self.admitted.event is Event.HELD and stands:
            raise Refused("held_before", "this hold stands on it already", field="statement")
        if self.admitted.event is Event.RELEASED and not stands:
            raise Refused("released_unheld", "this hold does not stand on it", field="statement")

    def _stands(self, known: Known, row: DeliveryRow) -> tuple[State, Aftermath]:
        """Where the delivery stands, as both tables see it."""
        state = State(row.state)
        if state is State.ACCEPTED and self._once(Event.READ) in known.statements:
            state = State.READ  # rows of earlier releases say `accepted` and no more

        def said(event: Event) -> bool:
            return self._once(event) in known.statements

        answer = next((one for one in (Event.OBEYED, Event.DECLINED) if said(one)), None)
        recalled = state is State.RECALLED or said(Event.RECALLED)
        destroyed = row.destroyed is not None
        return state, Aftermath(recalled, answer, said(Event.ERASED), destroyed, row.holds)
