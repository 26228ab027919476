"""Deliveries under audit: every opened event stepped through the one transition table.

What grows here: one object per delivery, about 0.7 KB while it is open, 0.4 KB once decided
(a later event must still be recognised as too late), 0.2 KB per bulletin for its random bytes, and
until it is handed over the bulletin's header.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec
from saphan_schemas.errors import Refused
from saphan_schemas.records import Entry, Event, Header, LeafType, Statement

from saphan_protocol.admission import Admitted, Facts, check_subject
from saphan_protocol.audit.corridors import Course
from saphan_protocol.deadlines import Times, check_deadline
from saphan_protocol.delivery import AFTER, TERMINAL, State, Step, begin, step
from saphan_protocol.release import check_release

_NAME_BYTES: Final = 16
KEPT_AT_ONCE: Final = 4_096


class Carried(msgspec.Struct, array_like=True, frozen=True):
    """What a handover is judged by; key ids."""

    header: Header
    node_key: bytes
    mailbox_key: bytes


class Delivery(msgspec.Struct, array_like=True):
    """`times` are None when the submission was not shown; `handed` is when it was handed over."""

    state: State
    sender: str
    ciphertext: bytes
    holes: int
    times: Times | None = None
    handed: int | None = None
    said: set[bytes] | None = None
    carried: Carried | None = None
    """What its newest consignment says, until it is handed over."""

    def say(self, name: bytes) -> bool:
        """Remember a statement; False if it was said before."""
        if self.said is None:
            self.said = set()
        known = name in self.said
        self.said.add(name)
        return not known


class DeliveriesKept(msgspec.Struct, array_like=True):
    """Some of what `Deliveries` knows: of a million it is not copied at once."""

    deliveries: list[tuple[tuple[bytes, str], Delivery]]
    nonces: list[tuple[bytes, bytes]]


class Deliveries:
    """Step O8, and what of O5 and O7 needs to know what came before."""

    def __init__(self) -> None:
        self._open: dict[tuple[bytes, str], Delivery] = {}
        self._nonces: dict[bytes, bytes] = {}
        self._names: dict[str, str] = {}
        self.unplaced = 0

    def keep(self) -> Iterator[DeliveriesKept]:
        """What `again` takes, piece by piece; nothing may be judged meanwhile."""
        deliveries, nonces = iter(self._open.items()), iter(self._nonces.items())
        while some := list(islice(deliveries, KEPT_AT_ONCE)):
            yield DeliveriesKept(some, [])
        while more := list(islice(nonces, KEPT_AT_ONCE)):
            yield DeliveriesKept([], more)

    def again(self, kept: DeliveriesKept) -> None:
        """Go on where an earlier run was; called for every piece."""
        for (bulletin, recipient), delivery in kept.deliveries:
            delivery.sender = self._once(delivery.sender)
            self._open[bulletin, self._once(recipient)] = delivery
        self._nonces.update(kept.nonces)

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

    def consign(self, kind: LeafType, entry: Entry, admitted: Admitted, course: Course) -> None:
        """A submission: the first one of its delivery, or a later consignment.

        Raises:
            Refused: `already_submitted`, `delivery_unknown`, `logged_twice`, the table's codes.
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
            known.say(entry.statement[:_NAME_BYTES])
        else:
            known = self._known(key, entry, admitted.ciphertext.digest, course, State.UNOPENED)
            self._advance(known, Step.CONSIGN, entry, course)
        header = admitted.header
        known.times = Times(header.expires, header.answer_by, admitted.due_day)
        known.carried = _carried(admitted, entry.recipient)

    def take(
        self, event: Event, entry: Entry, statement: Statement, course: Course, facts: Facts
    ) -> None:
        """A statement about a delivery, judged at its own time and directory.

        Raises:
            Refused: what `check_release` raises of a handover; `delivery_unknown`,
                `statement_subject`, what `check_deadline` raises, `logged_twice`, what `step`
                raises.
        """
        key, then = (statement.bulletin, entry.recipient), Step(event.value)
        known = self._known(key, entry, statement.ciphertext, course, AFTER[then])
        check_subject(statement, statement.bulletin, known.ciphertext)
        if known.times is not None and known.state not in TERMINAL:
            sure = known.holes == course.holes
            state, handed = (known.state, known.handed) if sure else (None, None)
            check_deadline(event, statement.code, state, known.times, handed, entry.time)
        if event is Event.HANDOVER and known.carried is not None and known.holes == course.holes:
            one = known.carried
            check_release(one.header, entry.recipient, one.node_key, one.mailbox_key, facts)
        known.carried = None
        self._advance(known, then, entry, course)
        if event is Event.HANDOVER:
            known.handed = entry.time

    def check_exported(self, entry: Entry, statement: Statement) -> None:
        """An export names the bytes that its agency received, as far as they were shown; what it
        sent is not looked for: nothing here is kept by bulletin alone.

        Raises:
            Refused: `statement_subject`.
        """
        known = self._open.get((statement.bulletin, entry.recipient))
        if known is not None:
            check_subject(statement, statement.bulletin, known.ciphertext)

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
        else:
            known.state = AFTER[then]
        known.holes = course.holes
        if known.state in TERMINAL:
            # Nothing of what came before may follow: the table refuses it.
            known.said = known.times = known.handed = None


def _carried(admitted: Admitted, recipient: str) -> Carried | None:
    for ref in admitted.consignment.recipients:
        if ref.agency == recipient:
            return Carried(admitted.header, admitted.consignment.node_key, ref.mailbox_key)
    return None
