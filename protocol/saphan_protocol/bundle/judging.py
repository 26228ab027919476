"""Consignments and statements of a bundle, judged as broker and nodes judge them (V12, V13).

Everything is judged at each directory size that may have decided (`anchored.Bracket`): what the
first one refuses is refused, what only a later one refuses is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import Refused, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    BatchSignature,
    Bulletin,
    Consignment,
    Event,
    LeafType,
    Statement,
    statement_record,
)

from saphan_protocol.admission import (
    BULLETIN_TYPE,
    Facts,
    admit,
    admit_statement,
    check_subject,
)
from saphan_protocol.admission_steps import check_attachments, check_sizes
from saphan_protocol.batch import RootRef, VerifiedRoots, item_root
from saphan_protocol.bundle.anchored import Anchors, Bracket
from saphan_protocol.bundle.facts import Proof
from saphan_protocol.bundle.logged import Logged
from saphan_protocol.bundle.logs import Logs
from saphan_protocol.bundle.report import BundleStep
from saphan_protocol.bundle.subject import About, Judged
from saphan_protocol.bundle.trail import Trail
from saphan_protocol.delivery import (
    BROKER_EVENTS,
    check_corridor,
    check_said,
    check_stated,
    issuers_of,
)
from saphan_protocol.identity import identity
from saphan_protocol.vouched import check_vouched

T = TypeVar("T")

NOBODY: Final = ""
"""`Facts.party` of whom no agreement is asked for: none is shown, which is a gap of its own."""


class Judge:
    """Steps V12 and V13."""

    def __init__(
        self,
        logs: Logs,
        anchors: Anchors,
        batches: Mapping[RootRef, BatchSignature],
        subject: About,
        trail: Trail,
    ) -> None:
        self._logs = logs
        self._anchors = anchors
        self._batches = batches
        self._about = subject
        self._trail = trail
        self._beside: dict[bytes, int] = {}
        self.verified = VerifiedRoots()
        self.holds = logs.directory.holds

    def take(self, one: Logged) -> Judged:
        """Judge one entry.

        Raises:
            InvalidInput, Refused: where the trail stands.
        """
        consigned = one.kind in (LeafType.SUBMITTED, LeafType.CONSIGNED)
        self._trail.at(BundleStep.CONSIGNMENT if consigned else BundleStep.STATEMENT, one.index)
        bracket = self._anchors.bracket(one.index, one.entry.time, self._trail)
        return self._consignment(one, bracket) if consigned else self._statement(one, bracket)

    def at_each(
        self, one: Logged, bracket: Bracket, check: Callable[[Facts], T], party: str | None = None
    ) -> T:
        """Run a check at every size that may have decided; the answer is that of the first."""

        def facts(at: int) -> Facts:
            return Facts(self._logs.directory, one.entry.time, at, self.verified, party)

        found = check(facts(bracket.first))
        for size in bracket.later:
            try:
                check(facts(size))
            except SaphanError as error:
                key = "revoked_between" if "revoked" in error.code else "agreement_between"
                self._trail.gap(key, index=one.index, code=error.code)
        return found

    def _signature(self, one: Logged) -> bool:
        """Whether the signature over the item's root is in the bundle; what is lost is left out."""
        item = one.shown.item
        if item is None:
            return False
        root = item_root(item, one.entry.type, one.shown.statement)
        return (item.key, item.size, root) in self._batches

    def agreed(self, recipient: str, bracket: Bracket) -> bool:
        """Whether any agreement on sender and recipient is opened that was logged before."""
        sender = self._about.header.sender
        return any(self._logs.directory.agreements(sender, recipient, bracket.first))

    # --- consignments -----------------------------------------------------------------------------

    def _consignment(self, one: Logged, bracket: Bracket) -> Judged:
        shown, entry = one.shown, one.entry
        record = decode(Consignment, shown.statement, LIMITS.consignment_bytes, "consignment")
        self._check_subject(one, record)
        names = [ref.agency for ref in record.recipients]
        if entry.sender != self._about.header.sender or entry.recipient not in names:
            raise _wrong_corridor(entry.sender, entry.recipient)
        self._check_beside(one, names.index(entry.recipient))
        self._note_seen(one, record)
        proof = self._admit(one, bracket)
        return Judged(one, bracket, proof, consignment=record)

    def _admit(self, one: Logged, bracket: Bracket) -> Proof:
        shown, entry = one.shown, one.entry
        item, header, blob = shown.item, shown.header, shown.ciphertext
        if header is None or blob is None:
            raise RuntimeError("a consignment is shown with its header and its ciphertext's digest")
        if item is None or not self._signature(one):
            # A broker logs no other sizes; what is read later is bounded by them.
            check_sizes(blob, (), None)
            check_attachments(shown.attachments)
            self._trail.gap("signature_missing", index=one.index)
            return Proof.UNSIGNED
        given = (header, shown.statement, item, self._batches, blob)
        # Only the pair whose entry this is: a recipient's node holds no agreement of the others.
        known = self.agreed(entry.recipient, bracket)
        if not known:
            self._trail.gap("agreement_missing", agency=entry.recipient)
        self.at_each(
            one,
            bracket,
            lambda facts: admit(
                *given, facts, peer=None, stanzas=None, attachments=shown.attachments
            ),
            entry.recipient if known else NOBODY,
        )
        return Proof.SIGNED

    def _check_subject(self, one: Logged, record: Consignment) -> None:
        """The bulletin id is what header, ciphertext and attachments make, and this bundle's."""
        shown = one.shown
        if shown.ciphertext is None or shown.header != self._about.header_bytes:
            raise _other_bulletin()
        made = Bulletin(self._about.header_id, shown.ciphertext, shown.attachments)
        if not identity(BULLETIN_TYPE, encode(made)) == record.bulletin == self._about.bulletin:
            raise _other_bulletin()

    def _note_seen(self, one: Logged, record: Consignment) -> None:
        """A head of this log that the sender had seen lies before, and is the one shown here.

        Else two histories were shown, or the sender says so: its word must not undo what it signed.
        """
        seen = record.seen
        if seen is None or seen.origin != self._logs.pins.evidence.origin:
            return
        shown = self._logs.heads.get(seen.size)
        if seen.size > one.index or (shown is not None and shown.root != seen.root):
            self._trail.gap("seen_differs", index=one.index, count=seen.size)

    def _check_beside(self, one: Logged, place: int) -> None:
        """Entries of one consignment stand side by side, in the order of its recipients."""
        start = self._beside.setdefault(one.entry.statement, one.index - place)
        if one.index - place != start:
            raise Refused(
                "recipient_missing",
                f"the entry for {one.entry.recipient} does not stand beside the others'",
                field="consignment.recipients",
            )

    # --- statements -------------------------------------------------------------------------------

    def _statement(self, one: Logged, bracket: Bracket) -> Judged:
        event, entry, shown = Event[one.kind.name], one.entry, one.shown
        check_corridor(event, entry.sender, entry.recipient)
        self._check_parties(event, entry.sender, entry.recipient)
        if event in BROKER_EVENTS:
            said, proof = check_vouched(event, shown.statement, shown.item, entry), Proof.VOUCHED
        elif not self._signature(one):
            said, proof = self._unsigned(event, one), Proof.UNSIGNED
        else:
            said, proof = self._signed(event, one, bracket), Proof.SIGNED
        blob = self._about.first.shown.ciphertext
        check_subject(said, self._about.bulletin, b"" if blob is None else blob.digest)
        return Judged(one, bracket, proof, event=event, statement=said)

    def _check_parties(self, event: Event, sender: str, recipient: str) -> None:
        header = self._about.header
        parties = {header.sender, *header.recipients}
        own = sender == recipient and sender in parties
        if event is Event.ERASED and recipient in header.recipients:
            own = False  # a recipient says so where it received it
        if not own and (sender != header.sender or recipient not in header.recipients):
            raise _wrong_corridor(sender, recipient)

    def _signed(self, event: Event, one: Logged, bracket: Bracket) -> Statement:
        item, body = one.shown.item, one.shown.statement
        corridor = (one.entry.sender, one.entry.recipient)
        if item is None:
            raise RuntimeError("a signature that is not shown cannot be checked")
        admitted = self.at_each(
            one,
            bracket,
            lambda facts: admit_statement(
                event, body, item, self._batches, corridor, facts, peer=None
            ),
        )
        return admitted.statement

    def _unsigned(self, event: Event, one: Logged) -> Statement:
        """An agency's statement whose signature is lost: it was logged, and that is all."""
        said = decode(
            statement_record(event), one.shown.statement, LIMITS.statement_bytes, "statement"
        )
        check_said(event, said, one.entry.sender == one.entry.recipient)
        if said.issuer not in issuers_of(event, one.entry.sender, one.entry.recipient):
            raise Refused(
                "issuer_wrong", f"{said.issuer} cannot state {event}", field="statement.issuer"
            )
        check_stated(said, one.entry.time)
        self._trail.gap("signature_missing", index=one.index)
        return said


def _wrong_corridor(sender: str, recipient: str) -> Refused:
    return Refused(
        "corridor_wrong",
        f"this does not belong into the corridor {sender} to {recipient}",
        field="entry.recipient",
    )


def _other_bulletin() -> Refused:
    return Refused(
        "bulletin_differs",
        "the entry is about another bulletin than the bundle",
        field="entry.statement",
    )
