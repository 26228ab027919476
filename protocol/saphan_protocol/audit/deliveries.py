"""Deliveries under audit: every opened event stepped through the one transition table.

What grows here: one object per delivery, about 0.7 KB while it is open, 0.5 KB once decided
(a later event must still be recognised as too late), 0.2 KB per bulletin for its random bytes, and
until it is handed over the bulletin's header. Questions about holds are remembered one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Final

from saphan_schemas.errors import Refused
from saphan_schemas.records import Entry, Event, Header, LeafType, Statement, Targeted

from saphan_protocol.admission import Admitted, Facts, check_subject
from saphan_protocol.aftermath import (
    STEPS,
    Aftermath,
    check_destruction,
    check_erasure,
    follow,
)
from saphan_protocol.audit.corridors import Course
from saphan_protocol.audit.delivered import DeliveriesKept, Delivery, carried
from saphan_protocol.audit.destruction import Destructions
from saphan_protocol.audit.own_erasures import OwnErasures
from saphan_protocol.audit.parties import Parties
from saphan_protocol.deadlines import Times, check_deadline
from saphan_protocol.delivery import (
    AFTER,
    EITHER_PARTY,
    TERMINAL,
    State,
    Step,
    begin,
    step,
)
from saphan_protocol.release import check_release

_NAME_BYTES: Final = 16
KEPT_AT_ONCE: Final = 4_096


class Deliveries:
    """Steps O8 and O9, and what of O5 and O7 needs to know what came before.

    Args:
        ends: what the leaves say of destruction, up to the leaf at hand.
    """

    def __init__(self, ends: Destructions) -> None:
        self._ends = ends
        self._own = OwnErasures()
        self._parties = Parties()
        self._asked: set[bytes] = set()
        self._afters: dict[Aftermath, Aftermath] = {}
        self._open: dict[tuple[bytes, str], Delivery] = {}
        self._nonces: dict[bytes, bytes] = {}
        self._names: dict[str, str] = {}
        self.unplaced = 0

    def keep(self) -> Iterator[DeliveriesKept]:
        """What `again` takes, piece by piece; nothing may be judged meanwhile."""
        deliveries, nonces = iter(self._open.items()), iter(self._nonces.items())
        while some := list(islice(deliveries, KEPT_AT_ONCE)):
            yield DeliveriesKept(some)
        while more := list(islice(nonces, KEPT_AT_ONCE)):
            yield DeliveriesKept(nonces=more)
        sent = self._own.keep()
        while own := list(islice(sent, KEPT_AT_ONCE)):
            yield DeliveriesKept(sent=own)
        yield DeliveriesKept(asked=list(self._asked), parties=self._parties.keep())

    def again(self, kept: DeliveriesKept) -> None:
        """Go on where an earlier run was; called for every piece."""
        for (bulletin, recipient), delivery in kept.deliveries:
            delivery.sender = self._once(delivery.sender)
            delivery.after = self._shared(delivery.after)
            self._open[bulletin, self._once(recipient)] = delivery
        self._nonces.update(kept.nonces)
        self._own.again(kept.sent)
        self._asked.update(kept.asked)
        self._parties.again(kept.parties)

    def states(self) -> Counter[str]:
        """How many deliveries stand where."""
        return Counter(delivery.state.value for delivery in self._open.values())

    def check_nonce(self, header: Header, bulletin: bytes) -> None:
        """The same 16 random bytes of one sender are one bulletin (O5).

        Raises:
            Refused: `replay`.
        """
        known = self._nonces.setdefault(header.nonce + header.sender.encode(), bulletin)
        if known != bulletin:
            raise Refused(
                "replay",
                f"two bulletins of {header.sender} have the same 16 random bytes",
                field="header.nonce",
            )

    def consign(
        self, kind: LeafType, index: int, entry: Entry, admitted: Admitted, course: Course
    ) -> None:
        """A submission: the first one of its delivery, or a later consignment.

        Raises:
            Refused: `already_submitted`, `delivery_unknown`, `logged_twice`, the tables' codes.
        """
        key = (admitted.bulletin_id, entry.recipient)
        known = self._open.get(key)
        if kind is LeafType.SUBMITTED:
            if known is not None:
                raise Refused(
                    "already_submitted",
                    f"the bulletin was first admitted to {entry.recipient} before this entry",
                )
            known = self._begin(key, entry, admitted.ciphertext.digest, course)
            known.state = begin()
            known.begun, known.submitted = course.holes, index
            self._parties.submitted(index, key[0], entry)
            known.say(entry.statement[:_NAME_BYTES])
        else:
            known = self._known(key, entry, admitted.ciphertext.digest, course, State.UNOPENED)
            self._follow(known, Step.CONSIGN, course)
            self._advance(known, Step.CONSIGN, entry, course)
        header = admitted.header
        known.retain = header.retain_until
        self._own.submitted(admitted.bulletin_id, header)
        known.times = Times(header.expires, header.answer_by, admitted.due_day)
        known.carried = carried(admitted, entry.recipient)

    def take(
        self, event: Event, entry: Entry, statement: Statement, course: Course, facts: Facts
    ) -> None:
        """A statement in the corridor of its delivery, judged at its own time and directory.

        Raises:
            Refused: what `check_release` raises of a handover; `delivery_unknown`,
                `statement_subject`, what `check_deadline` raises, `logged_twice`, what
                `aftermath.advance` raises; `target_differs`, `destroyed_early`, `erased_early`,
                `erased_unrecalled`.
        """
        if isinstance(statement, Targeted):  # its day stands in clear, whatever is not opened
            check_destruction(self._ends.due_day(statement.target), entry.time)
            self._ends.dated(statement.target, entry.time)
        known = self._about(event, entry, statement, course)
        if known is None:
            return
        check_subject(statement, statement.bulletin, known.ciphertext)
        if known.times is not None and known.state not in TERMINAL:
            sure = known.holes == course.holes
            state, handed = (known.state, known.handed) if sure else (None, None)
            check_deadline(event, statement.code, state, known.times, handed, entry.time)
        if event in EITHER_PARTY:
            self._ask(event, entry)
            return
        self._check_retention(event, entry, statement, known, course)
        self._follow(known, event, course)
        if event.value in STEPS:
            self._carry(event, entry, known, course, facts)

    def take_own(self, event: Event, entry: Entry, statement: Statement, course: Course) -> None:
        """What an agency says in its own corridor names the bytes that it received, as far as they
        were shown; what it sent is not looked for, but for its erasure and the target of a hold.

        Raises:
            Refused: `statement_subject`, `target_differs`, `corridor_wrong` (a recipient erases in
                its delivery's corridor), `erased_before`, `erased_early`.
        """
        known = self._open.get((statement.bulletin, entry.recipient))
        if known is not None:
            check_subject(statement, statement.bulletin, known.ciphertext)
        if isinstance(statement, Targeted):
            self._parties.check(statement)
        if event is not Event.ERASED:
            return
        if known is not None:
            raise Refused("corridor_wrong", "a recipient says so where it received it")
        self.unplaced += not self._own.take(entry, statement)

    def _about(
        self, event: Event, entry: Entry, statement: Statement, course: Course
    ) -> Delivery | None:
        """The delivery; None where it began in a hole and this does not say what its state is."""
        key = statement.bulletin, entry.recipient
        state = AFTER[Step(event.value)] if event.value in STEPS else None
        if key not in self._open and course.holes and (state is None or event is Event.RECALLED):
            self.unplaced += 1
            return None
        return self._known(key, entry, statement.ciphertext, course, state or State.SUBMITTED)

    def _carry(
        self, event: Event, entry: Entry, known: Delivery, course: Course, facts: Facts
    ) -> None:
        if event is Event.HANDOVER and known.carried is not None and known.holes == course.holes:
            one = known.carried
            check_release(one.header, entry.recipient, one.node_key, one.mailbox_key, facts)
        known.carried = None
        self._advance(known, Step(event.value), entry, course)
        if event is Event.HANDOVER:
            known.handed = entry.time

    def _check_retention(
        self, event: Event, entry: Entry, statement: Statement, known: Delivery, course: Course
    ) -> None:
        """What was destroyed or erased is this delivery's; what was erased, not too early."""
        if isinstance(statement, Targeted):
            _check_target(statement, known)
        elif event is Event.ERASED:
            recalled = known.after.recalled or (None if known.begun != course.holes else False)
            retain = None if known.retain < 0 else known.retain
            check_erasure(statement.code, recalled, retain, entry.time)

    def _follow(self, known: Delivery, event: Event | Step, course: Course) -> None:
        """The aftermath, as far as what was shown tells it; holds are counted from the leaves."""
        before, state = known.after, known.state
        if event.value in (Event.HANDOVER, Step.CONSIGN):
            destroyed = before.destroyed or self._ends.destroyed(known.submitted)
            before = before._replace(destroyed=destroyed)
        if known.begun != course.holes and event in (Event.OBEYED, Event.DECLINED):
            before = before._replace(recalled=True)  # in the hole
        if known.holes != course.holes and event in (Event.DESTROYED, Event.ERASED):
            state = State.ACCEPTED
        known.after = self._shared(follow(before, state, event))

    def _ask(self, event: Event, entry: Entry) -> None:
        name = entry.statement[:_NAME_BYTES]
        if name in self._asked:
            raise Refused("logged_twice", f"the same {event} of this delivery was logged before")
        self._asked.add(name)

    def _shared(self, after: Aftermath) -> Aftermath:
        """A few of them stand in a million deliveries: each is kept once."""
        return self._afters.setdefault(after, after)

    def _begin(
        self, key: tuple[bytes, str], entry: Entry, ciphertext: bytes, course: Course
    ) -> Delivery:
        begun = Delivery(State.SUBMITTED, self._once(entry.sender), ciphertext, course.holes)
        self._open[key[0], self._once(key[1])] = begun
        return begun

    def _once(self, name: str) -> str:
        """A few names stand in a million deliveries: each is kept once."""
        return self._names.setdefault(name, name)

    def _known(
        self,
        key: tuple[bytes, str],
        entry: Entry,
        ciphertext: bytes,
        course: Course,
        state: State,
    ) -> Delivery:
        """The delivery, or one whose beginning lies in a hole of its corridor."""
        known = self._open.get(key)
        if known is not None and known.sender == entry.sender:
            return known
        if known is not None or course.whole:
            raise Refused(
                "delivery_unknown",
                f"nothing like this was submitted from {entry.sender} to {entry.recipient}",
                field="statement.bulletin",
            )
        self.unplaced += 1
        known = self._begin(key, entry, ciphertext, course)
        known.state = state
        known.holes = -1  # what came before was not shown, so the table cannot judge this step
        return known

    def _advance(self, known: Delivery, then: Step, entry: Entry, course: Course) -> None:
        if not known.say(entry.statement[:_NAME_BYTES]):
            raise Refused("logged_twice", f"the same {then} of this delivery was logged before")
        # An outcome ends a delivery whatever was not shown; any other state may have moved on.
        if known.holes == course.holes or (known.state in TERMINAL and known.holes >= 0):
            known.state = step(known.state, then)
        elif then is Step.RECALLED:
            known.holes = -1  # an outcome, or a request after it: what is not shown would say
            return
        else:
            known.state = AFTER[then]
        known.holes = course.holes
        if known.state in TERMINAL:
            # Nothing of what came before may follow: the table refuses it.
            known.said = known.times = known.handed = None


def _check_target(statement: Targeted, known: Delivery) -> None:
    if known.submitted not in (-1, statement.target):
        raise Refused(
            "target_differs",
            f"it is about leaf {statement.target}, and this delivery began at {known.submitted}",
            field="statement.target",
        )
