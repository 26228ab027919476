"""A feed frame, from bytes to durable answers: the recipient's pipeline (design section 4).

Order of effects, one frame at a time: verify everything; judge; sign what is to be answered (one
batch); one transaction with entries, bulletins, answers and cursor; only then memory, sending and
acknowledgement. A crash anywhere repeats the frame, and repeats nothing that others have seen.
"""

from __future__ import annotations

from collections.abc import Callable

from saphan_protocol.admission import (
    Admitted,
    Facts,
    admit,
    admit_statement,
    check_subject,
)
from saphan_protocol.aftermath import STEPS
from saphan_protocol.batch import VerifiedRoots
from saphan_protocol.delivery import Step
from saphan_protocol.identity import sha256
from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError
from saphan_schemas.frames import Feed
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import (
    BROKER,
    Consignment,
    Event,
    SealedDetail,
)

from saphan.node.aftermath import Aftermaths
from saphan.node.anew import logged_too_late
from saphan.node.effects import Effects
from saphan.node.feed_entry import Seen, parse_entry
from saphan.node.files.blobs import DAMAGED
from saphan.node.files.parts import WAITING, known, lacking, parts_of
from saphan.node.judging import Judge, seal_reason
from saphan.node.logs import Logs
from saphan.node.replays import drop_replays
from saphan.node.restored import Restored
from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import MAX_ATTEMPTS, QUEUED, Deliveries, Delivery
from saphan.node.rows.signatures import Known
from saphan.node.rows.statements import Said
from saphan.node.said_before import SaidBefore
from saphan.node.stored import Stored, just_arrived
from saphan.node.trust.broker_words import find_lies
from saphan.node.trust.mailboxes import Mailboxes, mailbox_missing
from saphan.node.trust.releasing import held_back, released_against
from saphan.node.unknown_leaf import find_leaf


class Intake:
    """Judges feed frames for one agency. Not thread-safe: one frame after the other.

    Args:
        clock: ms UTC, for the times of this node's statements.
    """

    def __init__(
        self,
        agency: str,
        key: SigningKey,
        db: Database,
        logs: Logs,
        judge: Judge,
        mailboxes: Mailboxes,
        restored: Restored,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._key = key
        self._db = db
        self._logs = logs
        self._judge = judge
        self._mailboxes = mailboxes
        self._restored = restored
        self._clock = clock
        self._verified = VerifiedRoots()
        self._before = SaidBefore(db, agency, (), 0)

    def judge_frame(self, frame: Feed) -> Effects:
        """Verify and judge a frame; nothing is changed yet.

        Raises:
            InvalidInput, Unavailable: the frame is not believed: drop the line and come again.
            OperatorError: the log contradicts itself: stop.
        """
        check = self._logs.check_feed(frame)
        effects = Effects(check, Known(self._db.rows, frame.signatures))
        after = -1 if self._logs.after is None else self._logs.after
        effects.seen = [parse_entry(raw) for raw in frame.entries if raw.index > after]
        bulletins = [seen.bulletin for seen in effects.seen]
        first, agency = self._logs.first, self._agency
        opening = [seen.bulletin for seen in effects.seen if seen.is_handover_of(agency)]
        deliveries = effects.deliveries = Deliveries(self._db, bulletins, first)
        effects.aftermaths = Aftermaths(self._db, effects.seen, first)
        self._before = effects.before = SaidBefore(self._db, agency, effects.seen, first)
        effects.lacking = lacking(self._db, bulletins)
        needed = [seen.bulletin for seen in effects.seen if self._needs_stored(seen)]
        stored = Stored(self._db, needed, opening)
        self._verify(effects, deliveries, stored)
        for seen in effects.seen:
            self._one(seen, effects, deliveries, stored)
        directory, own = self._logs.directory, self._key.key_id
        effects.consign_anew += logged_too_late(effects.seen, deliveries, directory, agency, own)
        drop_replays(self._db, agency, effects)
        effects.alarms += released_against(self._db, self._logs, agency, effects)
        effects.keep_due()
        if self._restored.listening:
            # A later frame may show that all this was done before; what was not, `Recovery` does.
            effects.said, effects.consign_anew, effects.ask_again = [], [], []
        return effects

    def _needs_stored(self, seen: Seen) -> bool:
        """For the header of a consignment of ours, and what others' statements are about."""
        if seen.consignment is not None:
            return seen.raw.header is None
        return seen.issuer != self._agency

    def _verify(self, effects: Effects, deliveries: Deliveries, stored: Stored) -> None:
        """Every entry's leaf under the frame's head; a corridor's first consignment shows more."""
        started: set[tuple[bytes, str]] = set()
        for seen in effects.seen:
            first = False
            if seen.consignment is not None:
                pair = (seen.bulletin, seen.entry.recipient)
                delivery = deliveries.get(*pair)
                first = pair not in started and (delivery is None or not delivery.logged)
                started.add(pair)
            header = seen.raw.header or stored.header(seen.bulletin)
            if first and header is None:
                leaf = find_leaf(seen, effects.check.head, self._last_due())
            else:
                leaf = seen.leaf(first, header)
            self._logs.check_entry(effects.check, seen.index, leaf, seen.raw.path, seen.entry)

    def _last_due(self) -> int | None:
        """The latest due-day of a bulletin that need not be shown to us."""
        today = (self._clock() + LIMITS.skew_ms) // DAY_MS
        return today if self._restored.at is None else None

    def _one(self, seen: Seen, effects: Effects, deliveries: Deliveries, stored: Stored) -> None:
        entry = seen.entry
        if entry.sender == entry.recipient:
            # A refusal, whose request was answered already; or an export of ours.
            effects.alarms += find_lies(seen, None, stored)
            return
        if seen.consignment is not None:
            if entry.recipient == self._agency:
                self._arrive(seen, seen.consignment, effects, deliveries, stored)
            else:
                own = deliveries.get(seen.bulletin, entry.recipient)
                if own is not None:
                    self._step_consigned(seen, own, effects)
            return
        delivery = deliveries.get(seen.bulletin, entry.recipient)
        if delivery is None:
            if self._restored.at is None:  # else the lost store held it; the entry is kept
                why = f"entry {seen.index} is about an unknown bulletin"
                effects.alarms.append(OperatorError("bulletin_unknown", why))
            return
        if seen.issuer == BROKER:
            effects.alarms += find_lies(seen, delivery, stored)
        elif seen.issuer != self._agency:
            self._check_peer(seen, effects, stored)
        self._step(seen, delivery, effects)
        if seen.is_handover_of(self._agency):
            self._open(seen, delivery, effects, stored)

    def _step(self, seen: Seen, delivery: Delivery, effects: Effects) -> None:
        """The log may only say what the transition tables allow; else it contradicts itself."""
        try:
            effects.take_aftermath(seen, delivery)
            if seen.event in STEPS:
                delivery.take(Step(seen.event), seen.entry.time, seen.code)
        except SaphanError as error:
            raise OperatorError(
                error.code,
                f"entry {seen.index}: {error.message}",
                hint="tell the broker's operator and the auditor; this node has stopped",
            ) from None
        if seen.event == Event.UNOPENED and seen.entry.sender == self._agency:
            self._unopened(seen, delivery, effects)

    @staticmethod
    def _unopened(seen: Seen, delivery: Delivery, effects: Effects) -> None:
        """Consign anew, but not for ever: the recipient alone decides what it calls unopened."""
        recipient = seen.entry.recipient
        if delivery.attempts < MAX_ATTEMPTS:
            effects.consign_anew.append((seen.bulletin, recipient))
            return
        effects.alarms.append(
            OperatorError(
                "not_consigned_anew",
                f"{recipient} could not open bulletin {seen.bulletin.hex()[:16]} in "
                f"{delivery.attempts} attempts ({seen.code})",
                hint="ask the recipient what its node says; then send the bulletin anew",
            )
        )

    # --- consignments -----------------------------------------------------------------------------

    def _arrive(
        self,
        seen: Seen,
        consignment: Consignment,
        effects: Effects,
        deliveries: Deliveries,
        stored: Stored,
    ) -> None:
        delivery = deliveries.get(seen.bulletin, self._agency)
        if delivery is None:
            delivery = Delivery(seen.entry.sender, QUEUED, seen.entry.time)
            deliveries.add(seen.bulletin, self._agency, delivery)
        for ref in consignment.recipients:
            if ref.agency == self._agency:
                delivery.mailbox_key, delivery.stanza = ref.mailbox_key, ref.stanza
        delivery.attempts += 1
        self._step_consigned(seen, delivery, effects)
        if seen.raw.header is None and self._last_due() and not stored.header(seen.bulletin):
            return  # the broker has destroyed it while this node was down
        admitted = self._admit(seen, effects, delivery)
        if admitted is None:
            return
        self._before.look(self._logs, admitted, delivery, self._clock())
        if delivery.kept is not None:
            return  # its outcome stands in a log that was lost, and is said again
        at = self._logs.judged_at(seen.index, effects.check)
        effects.arrived.append((seen, admitted, at))
        stored.arrived(admitted)
        if parts_of(seen, admitted) and not known(self._db, seen.bulletin):
            effects.lacking.add(seen.bulletin)
        if seen.bulletin in effects.lacking:
            delivery.code = WAITING
            return
        if not self._before.handed_over(seen.bulletin):
            self._hand_over(admitted, delivery, effects)

    @staticmethod
    def _step_consigned(seen: Seen, delivery: Delivery, effects: Effects) -> None:
        try:
            effects.take_aftermath(seen, delivery)
            delivery.take(Step.CONSIGN, seen.entry.time)
        except SaphanError as error:
            raise OperatorError(error.code, f"entry {seen.index}: {error.message}") from None

    def _admit(self, seen: Seen, effects: Effects, delivery: Delivery) -> Admitted | None:
        """The same function as the broker's, at the entry's own time; a refusal is an alarm."""
        raw = seen.raw
        try:
            if raw.header is None or seen.blob is None or raw.item is None:
                raise InvalidInput("entry_incomplete", "a consignment came without its bulletin")
            admitted = admit(
                raw.header,
                raw.statement,
                raw.item,
                effects.batches,
                seen.blob,
                self._facts(seen, effects),
                peer=seen.entry.sender,
                stanzas=None,
                attachments=raw.attachments,
            )
        except SaphanError as error:
            delivery.code = error.code
            effects.alarms.append(
                OperatorError(
                    "admission_differs",
                    f"entry {seen.index} was admitted by the broker, but here: {error}",
                    hint="it is not handed over; compare the releases of broker and node",
                )
            )
            return None
        seen.batch = admitted.batch
        return admitted

    def _hand_over(self, admitted: Admitted, delivery: Delivery, effects: Effects) -> None:
        """Only with the mailbox key at hand: a handover without it could open nothing."""
        mailbox = delivery.mailbox_key
        if mailbox is None or self._mailboxes.get(mailbox) is None:
            delivery.code = "mailbox_key_missing"
            effects.alarms.append(mailbox_missing(admitted.bulletin_id, mailbox))
            return
        delivery.code = held_back(
            self._logs,
            self._agency,
            admitted.header,
            admitted.consignment.node_key,
            mailbox,
            self._clock(),
        )
        if delivery.code is None:
            subject = admitted.bulletin_id, admitted.ciphertext.digest
            self._say(effects, Event.HANDOVER, *subject, delivery)

    # --- statements -------------------------------------------------------------------------------

    def _check_peer(self, seen: Seen, effects: Effects, stored: Stored) -> None:
        """The other agency's statement binds it by itself: its signature is checked, always."""
        if seen.raw.item is None or seen.statement is None:
            raise InvalidInput(
                "signature_missing", f"the entry at {seen.index} came without a signature item"
            )
        admitted = admit_statement(
            Event(seen.event),
            seen.raw.statement,
            seen.raw.item,
            effects.batches,
            (seen.entry.sender, seen.entry.recipient),
            self._facts(seen, effects),
            peer=None,
        )
        seen.batch = admitted.batch
        digest = stored.digest(seen.bulletin)
        if digest is not None:
            check_subject(seen.statement, seen.bulletin, digest)

    def _open(
        self,
        seen: Seen,
        delivery: Delivery,
        effects: Effects,
        stored: Stored,
    ) -> None:
        """Our handover is in the log: the stanza came with it (step 4)."""
        if self._before.answered(seen.bulletin):
            return  # it was opened before the log was lost: its answer is said again
        if seen.bulletin in effects.lacking:
            return  # only after a lost store: what was here when it was handed over comes again
        bulletin, stanza = stored.received(seen.bulletin), seen.raw.stanza
        if bulletin is None:
            bulletin = just_arrived(effects, seen.bulletin)
        if bulletin is None or delivery.mailbox_key is None:
            effects.alarms.append(
                OperatorError("stanza_missing", f"the handover at {seen.index} opens nothing here")
            )
            return
        if stanza is None or sha256(stanza) != delivery.stanza:
            # Lost or changed on the line: asked for again; what comes then is judged as it is.
            effects.ask_again.append(seen.bulletin)
            return
        try:
            verdict = self._judge.judge(bulletin, stanza, delivery.mailbox_key)
        except OperatorError as error:
            if error.code != DAMAGED:
                raise
            effects.alarms.append(error)
            effects.damaged.append(bulletin.id)
            return
        if verdict.wrapped is not None or verdict.author is not None:
            effects.opened.append((seen.bulletin, verdict))
        if verdict.event is None:
            delivery.code = verdict.code
            return
        detail = seal_reason(
            self._logs, self._agency, bulletin.id, delivery.sender, verdict.reason, self._clock()
        )
        if verdict.event is Event.ACCEPTED:
            effects.shown.append(seen.bulletin)
        self._say(
            effects, verdict.event, bulletin.id, bulletin.digest, delivery, verdict.code, detail
        )

    def _say(
        self,
        effects: Effects,
        event: Event,
        bulletin: bytes,
        ciphertext: bytes,
        delivery: Delivery,
        code: str | None = None,
        detail: SealedDetail | None = None,
    ) -> None:
        effects.said.append(
            Said(
                event=event,
                bulletin=bulletin,
                ciphertext=ciphertext,
                sender=delivery.sender,
                recipient=self._agency,
                time=self._clock(),
                code=code,
                detail=detail,
            )
        )

    def _facts(self, seen: Seen, effects: Effects) -> Facts:
        return Facts(
            self._logs.directory,
            seen.entry.time,
            self._logs.judged_at(seen.index, effects.check),
            self._verified,
            self._agency,
        )
