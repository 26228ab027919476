"""What becomes of an admitted item: the decisions that need the store's facts (design 4 and 6).

Admission has judged form, keys, signature and agreement. Judged here, against the facts as they
stand after the items before it: duplicates, replays, the delivery's state. An item is judged whole
before anything of it is entered, so a refused one leaves no trace beside the record of its refusal.
"""

from __future__ import annotations

from dataclasses import dataclass

from saphan_protocol.admission import (
    Admitted,
    AdmittedStatement,
    RefusedAfterSignature,
    check_subject,
)
from saphan_protocol.delivery import TERMINAL, State, Step, begin, step
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.identity import identity
from saphan_schemas.codec import encode
from saphan_schemas.errors import Refused, SaphanError, Unavailable
from saphan_schemas.frames import Submission
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import BROKER, Event, LeafType, Statement, statement_type

from saphan_broker.sequencing.facts import Wanted
from saphan_broker.sequencing.ledger import Ledger
from saphan_broker.sequencing.work import Expiry, Logged, Outcome, Rejected
from saphan_broker.state import Random
from saphan_broker.store.base import BulletinFacts, DeliveryRow, StatementKey


@dataclass(frozen=True, slots=True)
class Bulletin:
    """An admitted submission."""

    admitted: Admitted
    submission: Submission
    missing: SaphanError | None
    """Why its attachments are not all here."""

    @property
    def agencies(self) -> tuple[str, ...]:
        """Recipients of this consignment, in its order."""
        return tuple(ref.agency for ref in self.admitted.consignment.recipients)

    def want(self, wanted: Wanted) -> None:
        """Name the facts that `judge` will ask for."""
        admitted, header = self.admitted, self.admitted.header
        wanted.bulletins.add(admitted.bulletin_id)
        wanted.nonces.add((header.sender, header.nonce))
        for agency in self.agencies:
            wanted.deliveries.add((admitted.bulletin_id, agency))
            wanted.statements.add((admitted.bulletin_id, admitted.consignment_id, agency))
            wanted.corridors.add((header.sender, agency))
        wanted.corridors.add((header.sender, header.sender))

    def judge(self, ledger: Ledger, random: Random) -> Outcome:
        """Enter it once per recipient, or give its first answer again."""
        admitted, known = self.admitted, ledger.known
        first = known.first_answer(admitted.bulletin_id, admitted.consignment_id, self.agencies)
        if first is not None:
            return Logged(first)
        if self.missing is not None:
            return Rejected(self.missing)
        try:
            self._check_replay(ledger)
            states = [self._next_state(ledger, agency) for agency in self.agencies]
            ledger.charge(admitted.header.sender, self._bytes, self._opened(ledger))  # step 14
        except Refused as error:
            peer = admitted.header.sender
            return refuse(
                ledger, random, peer, admitted.bulletin_id, admitted.ciphertext.digest, error
            )
        except Unavailable as over:
            return Rejected(over)
        if admitted.bulletin_id not in known.bulletins:
            ledger.bulletin(self._facts(ledger), admitted.header_bytes, self.submission.ciphertext)
        ledger.signature(admitted.batch)
        return Logged(
            tuple(self._enter(ledger, place, state) for place, state in enumerate(states))
        )

    def _check_replay(self, ledger: Ledger) -> None:
        header = self.admitted.header
        used = ledger.known.nonces.get((header.sender, header.nonce))
        if used is not None and used.id != self.admitted.bulletin_id:
            raise Refused(
                "replay",
                "another bulletin has the same 16 random bytes in its header",
                field="header.nonce",
                hint="make the bulletin anew, with fresh random bytes",
            )

    def _next_state(self, ledger: Ledger, agency: str) -> State:
        row = ledger.known.deliveries.get((self.admitted.bulletin_id, agency))
        return begin() if row is None else step(State(row.state), Step.CONSIGN)

    @property
    def _bytes(self) -> int:
        """What the broker keeps of it: all that was submitted, attachments among it."""
        given = self.submission
        sealed = sum(blob.length for blob in self.admitted.attachments)
        beside = len(given.header) + len(given.consignment) + sum(map(len, given.stanzas))
        return len(given.ciphertext) + sealed + beside

    def _opened(self, ledger: Ledger) -> int:
        """Deliveries that it begins."""
        known, bulletin = ledger.known.deliveries, self.admitted.bulletin_id
        return sum((bulletin, agency) not in known for agency in self.agencies)

    def _facts(self, ledger: Ledger) -> BulletinFacts:
        admitted, header = self.admitted, self.admitted.header
        return BulletinFacts(
            id=admitted.bulletin_id,
            sender=header.sender,
            nonce=header.nonce,
            header_identity=admitted.header_id,
            ciphertext_length=admitted.ciphertext.length,
            ciphertext_digest=admitted.ciphertext.digest,
            due_day=admitted.due_day,
            record_day=ledger.record_day,
            expires=header.expires,
            attachments=admitted.attachments,
        )

    def _enter(self, ledger: Ledger, place: int, state: State) -> int:
        admitted, header = self.admitted, self.admitted.header
        agency, bulletin = self.agencies[place], self.admitted.bulletin_id
        before = ledger.known.deliveries.get((bulletin, agency))
        first = before is None
        index = ledger.enter(
            (header.sender, agency),
            LeafType.SUBMITTED if first else LeafType.CONSIGNED,
            CONSIGNMENT_TYPE,
            admitted.consignment_bytes,
            admitted.consignment_id,
            issuer=header.sender,
            bulletin=bulletin,
            salt=self.submission.salts[place],
            item=admitted.item,
            due_day=admitted.due_day if first else None,
        )
        ledger.stanza(bulletin, agency, admitted.due_day, self.submission.stanzas[place])
        ledger.delivery(
            DeliveryRow(
                bulletin=bulletin,
                recipient=agency,
                sender=header.sender,
                state=state.value,
                submitted=index if before is None else before.submitted,
                last=index,
                consignments=1 if before is None else before.consignments + 1,
                expires=header.expires,
                answer_by=header.answer_by,
                due_day=admitted.due_day,
                deadline=deadline(state, header.expires, admitted.due_day),
            )
        )
        return index


@dataclass(frozen=True, slots=True)
class Said:
    """An admitted statement about a delivery in `corridor`."""

    peer: str
    admitted: AdmittedStatement
    corridor: tuple[str, str]
    salt: bytes

    def want(self, wanted: Wanted) -> None:
        """Name the facts that `judge` will ask for."""
        bulletin, recipient = self.admitted.statement.bulletin, self.corridor[1]
        wanted.bulletins.add(bulletin)
        wanted.deliveries.add((bulletin, recipient))
        wanted.statements.add((bulletin, self.admitted.identity, recipient))
        wanted.corridors.update((self.corridor, (self.peer, self.peer)))
        if self.admitted.event is Event.READ:
            wanted.statements.add(self._reading)

    @property
    def _reading(self) -> StatementKey:
        """Where a delivery's one reading is noted: a bulletin's id is no statement's identity."""
        bulletin = self.admitted.statement.bulletin
        return bulletin, bulletin, self.corridor[1]

    def judge(self, ledger: Ledger, random: Random) -> Outcome:
        """Enter it, or give its first answer again."""
        statement, known = self.admitted.statement, ledger.known
        first = known.first_answer(statement.bulletin, self.admitted.identity, (self.corridor[1],))
        if first is not None:
            return Logged(first)
        try:
            row, state = self._next(ledger)
        except Refused as error:
            return refuse(
                ledger, random, self.peer, statement.bulletin, statement.ciphertext, error
            )
        except Unavailable as waits:
            return Rejected(waits)
        ledger.signature(self.admitted.batch)
        event = self.admitted.event
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
        )
        if event is Event.READ:
            known.statements[self._reading] = ledger.statements[self._reading] = index
        ledger.delivery(advanced(row, state, index))
        return Logged((index,))

    def _next(self, ledger: Ledger) -> tuple[DeliveryRow, State]:
        statement = self.admitted.statement
        row = ledger.known.deliveries.get((statement.bulletin, self.corridor[1]))
        facts = ledger.known.bulletins.get(statement.bulletin)
        if row is None or facts is None or row.sender != self.corridor[0]:
            raise Refused(
                "bulletin_unknown",
                f"no such bulletin went from {self.corridor[0]} to {self.corridor[1]}",
                field="statement.bulletin",
                hint="after a broker's loss the sender consigns anew; send it after that",
            )
        check_subject(statement, facts.id, facts.ciphertext_digest)
        stopped = ledger.known.stopped.get((row.bulletin, row.recipient))
        if stopped is not None and self.admitted.event is Event.HANDOVER:
            raise stopped
        state = step(State(row.state), Step(self.admitted.event.value))
        if self.admitted.event is Event.READ and self._reading in ledger.known.statements:
            raise Refused(
                "already_read",
                f"that {self.corridor[1]} has read it is logged; later readings stay with its node",
                field="statement",
            )
        return row, state


@dataclass(frozen=True, slots=True)
class Denied:
    """A submission refused after its sender was proven; `consignment` finds its first answer."""

    peer: str
    consignment: bytes
    agencies: tuple[str, ...]
    error: RefusedAfterSignature

    def want(self, wanted: Wanted) -> None:
        """Name the facts that `judge` will ask for."""
        bulletin = self.error.bulletin_id
        wanted.statements.update((bulletin, self.consignment, agency) for agency in self.agencies)
        wanted.corridors.add((self.peer, self.peer))

    def judge(self, ledger: Ledger, random: Random) -> Outcome:
        """What was admitted before gets its first answer, even after its time is over."""
        first = ledger.known.first_answer(self.error.bulletin_id, self.consignment, self.agencies)
        if first is not None:
            return Logged(first)
        error = self.error
        return refuse(ledger, random, self.peer, error.bulletin_id, error.ciphertext, error)


@dataclass(frozen=True, slots=True)
class Expired:
    """A delivery whose time is over, on witnessed time."""

    due: Expiry

    def want(self, wanted: Wanted) -> None:
        """Name the facts that `judge` will ask for."""
        wanted.bulletins.add(self.due.bulletin)
        wanted.deliveries.add((self.due.bulletin, self.due.recipient))
        wanted.corridors.add((self.due.sender, self.due.recipient))

    def judge(self, ledger: Ledger, random: Random) -> Outcome:
        """Log `expired`, unless an outcome came first."""
        row = ledger.known.deliveries.get((self.due.bulletin, self.due.recipient))
        facts = ledger.known.bulletins.get(self.due.bulletin)
        if row is None or facts is None or row.deadline is None:
            return Logged(())
        if row.deadline > self.due.witnessed:
            return Logged(())
        state = State(row.state)
        code = "no_outcome" if state is State.HANDED_OVER else "undelivered"
        after = step(state, Step.EXPIRED)
        body, statement_id = _broker_statement(
            Event.EXPIRED, row.bulletin, facts.ciphertext_digest, ledger.time, code
        )
        index = ledger.enter(
            (row.sender, row.recipient),
            LeafType.EXPIRED,
            statement_type(Event.EXPIRED),
            body,
            statement_id,
            issuer=BROKER,
            bulletin=row.bulletin,
            salt=random(32),
        )
        ledger.delivery(advanced(row, after, index))
        return Logged((index,))


def deadline(state: State, expires: int, due_day: int) -> int | None:
    """When time alone acts next: at `expires` while undelivered, else at the due-day."""
    if state in TERMINAL:
        return None
    due = due_day * DAY_MS
    return due if state is State.HANDED_OVER else min(expires, due)


def advanced(row: DeliveryRow, state: State, index: int) -> DeliveryRow:
    """The delivery after the entry at `index` put it into `state`."""
    return DeliveryRow(
        bulletin=row.bulletin,
        recipient=row.recipient,
        sender=row.sender,
        state=state.value,
        submitted=row.submitted,
        last=index,
        consignments=row.consignments,
        expires=row.expires,
        answer_by=row.answer_by,
        due_day=row.due_day,
        deadline=deadline(state, row.expires, row.due_day),
    )


def refuse(
    ledger: Ledger,
    random: Random,
    peer: str,
    bulletin: bytes,
    ciphertext: bytes,
    error: SaphanError,
) -> Rejected:
    """Log a refusal after the signature check, in the sender's own corridor, with its code.

    Whose quota is used up is told only that: sent again later, it is judged and logged.
    """
    body, statement_id = _broker_statement(
        Event.REFUSED, bulletin, ciphertext, ledger.time, error.code
    )
    known = ledger.known.statements.get((bulletin, statement_id, peer))
    if known is not None:  # the same refusal in the same millisecond is the same statement
        return Rejected(error, (known,))
    try:
        # Step 14: a flood of what is refused must fill neither the log nor the disk.
        ledger.charge(peer, LIMITS.quota_refusal_bytes)
    except Unavailable as over:
        return Rejected(over)
    index = ledger.enter(
        (peer, peer),
        LeafType.REFUSED,
        statement_type(Event.REFUSED),
        body,
        statement_id,
        issuer=BROKER,
        bulletin=bulletin,
        salt=random(32),
    )
    return Rejected(error, (index,))


def _broker_statement(
    event: Event, bulletin: bytes, ciphertext: bytes, time: int, code: str
) -> tuple[bytes, bytes]:
    """(body, identity) of the broker's own statement: unsigned, the head vouches for it."""
    body = encode(Statement(bulletin, ciphertext, BROKER, time, code, None))
    return body, identity(statement_type(event), body)
