"""What becomes of an admitted item: the decisions that need the store's facts (design 4 and 6).

Admission has judged form, keys, signature and agreement. Judged here, against the facts as they
stand after the items before it: duplicates, replays, the delivery's state. An item is judged whole
before anything of it is entered, so a refused one leaves no trace beside the record of its refusal.
"""

from __future__ import annotations

from dataclasses import dataclass

from saphan_protocol.admission import Admitted, RefusedAfterSignature
from saphan_protocol.deadlines import Times, next_deadline
from saphan_protocol.delivery import State, Step, begin, step
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_schemas.errors import Refused, SaphanError, Unavailable
from saphan_schemas.frames import Submission
from saphan_schemas.records import LeafType

from saphan_broker.sequencing.facts import Wanted
from saphan_broker.sequencing.ledger import Ledger
from saphan_broker.sequencing.own_words import refuse
from saphan_broker.sequencing.work import Logged, Outcome, Rejected
from saphan_broker.state import Random
from saphan_broker.store.base import BulletinFacts, DeliveryRow


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
                deadline=next_deadline(
                    state, Times(header.expires, header.answer_by, admitted.due_day), ledger.time
                ),
                holds=0 if before is None else before.holds,
            )
        )
        return index


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
