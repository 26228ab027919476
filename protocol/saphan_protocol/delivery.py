"""The life of one delivery (a bulletin to one recipient): the one transition table.

Rules (design section 4):
- Exactly one terminal outcome: accepted, rejected, recalled or expired. Never silence.
- `handover` is the recipient's signed taking of everything but the key; it releases the stanza.
- `unopened` is a step, not an outcome: the sender consigns anew, and the recipient hands over anew.
- A recall or an expiry with a lower index refuses a handover; a later one is too late for the key,
  so after a handover only the recipient's answer, or the broker's due-day, ends the delivery.
- `unanswered` says that nobody answered in time. It ends nothing: any later answer counts.
- `read` may follow once the bulletin was accepted, and follows once; the outcome stays.
- A recall that comes too late for the key is a request: it is logged once (`aftermath`), and the
  state stays.

This file knows states and events, not who plays which role: `issuer_of` says who may speak.
Broker, node and auditor step through the same table; an illegal order is refused by all three.
The diagram and the tables of schemas/spec/receipts.md are made from it.
"""

from __future__ import annotations

import enum
from typing import Final

from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BROKER, Event, SealedDetail, Statement


class State(enum.StrEnum):
    """Where a delivery stands; the names stand in stores."""

    SUBMITTED = "submitted"
    HANDED_OVER = "handed_over"
    UNANSWERED = "unanswered"
    UNOPENED = "unopened"
    ACCEPTED = "accepted"
    READ = "read"
    REJECTED = "rejected"
    RECALLED = "recalled"
    EXPIRED = "expired"


class Step(enum.StrEnum):
    """What can happen to a delivery: a consignment, or a statement's event."""

    CONSIGN = "consign"
    HANDOVER = Event.HANDOVER.value
    UNANSWERED = Event.UNANSWERED.value
    UNOPENED = Event.UNOPENED.value
    ACCEPTED = Event.ACCEPTED.value
    REJECTED = Event.REJECTED.value
    READ = Event.READ.value
    RECALLED = Event.RECALLED.value
    EXPIRED = Event.EXPIRED.value


TERMINAL: Final = frozenset(
    {State.ACCEPTED, State.READ, State.REJECTED, State.RECALLED, State.EXPIRED}
)
"""States of a delivery that has its outcome; `read` is accepted, and read."""


def _asked(state: State) -> dict[Step, State]:
    """A recall of what was handed over, or has its outcome: a request, the state stays."""
    return {Step.RECALLED: state}


_ANSWERS: Final = {
    Step.UNOPENED: State.UNOPENED,
    Step.ACCEPTED: State.ACCEPTED,
    Step.REJECTED: State.REJECTED,
    Step.EXPIRED: State.EXPIRED,  # only at the broker's due-day: `no_outcome`
}

TRANSITIONS: Final[dict[State, dict[Step, State]]] = {
    State.SUBMITTED: {
        Step.CONSIGN: State.SUBMITTED,
        Step.HANDOVER: State.HANDED_OVER,
        Step.RECALLED: State.RECALLED,
        Step.EXPIRED: State.EXPIRED,
    },
    State.HANDED_OVER: {
        Step.UNANSWERED: State.UNANSWERED,
        **_ANSWERS,
        **_asked(State.HANDED_OVER),
    },
    State.UNANSWERED: {**_ANSWERS, **_asked(State.UNANSWERED)},
    State.UNOPENED: {
        Step.CONSIGN: State.SUBMITTED,
        Step.RECALLED: State.RECALLED,
        Step.EXPIRED: State.EXPIRED,
    },
    State.ACCEPTED: {Step.READ: State.READ, **_asked(State.ACCEPTED)},
    State.READ: _asked(State.READ),
    State.REJECTED: _asked(State.REJECTED),
    State.RECALLED: {},
    State.EXPIRED: _asked(State.EXPIRED),
}

AFTER: Final = {
    event: after
    for state, row in TRANSITIONS.items()
    for event, after in row.items()
    if after is not state or event is Step.CONSIGN
}
"""The one state that each step leads to, wherever it starts; a recall may leave every other one."""

HELD: Final = frozenset({State.HANDED_OVER, State.UNANSWERED})
"""Handed over, and no answer yet: the recipient has the stanza or may fetch it."""

REJECTION_CODES: Final = frozenset(
    {
        "schema_invalid",  # the body breaks its schema
        "rule_broken",  # the body breaks a rule that the schema cannot say
        "text_forbidden",  # unassigned, deprecated or direction-changing characters
        "content_malformed",  # the sealed content does not parse, or is not canonical
        "inner_mismatch",  # the inner record names another header or content
        "author_unknown",  # the inner signature's key is not the sender's
        "author_revoked",  # the inner signature's key was revoked at its place in the log
        "signature_invalid",  # the inner signature does not verify
        "padding_invalid",  # the sealed bytes are not padded as specified
        "attachment_invalid",  # an attachment does not open with its derived key
        "attachment_mismatch",  # an attachment is not the one that the author signed
        "attachment_name",  # an attachment's name could harm whoever saves it
        "attachment_type",  # an attachment's first bytes are not its media type's
        "relation_refused",  # it corrects what another agency has said, or another type
    }
)
"""Why a recipient may reject a bulletin; anything more is sealed to the originator."""

UNOPENED_CODES: Final = frozenset({"stanza_unopenable", "mailbox_key_gone", "ciphertext_invalid"})
EXPIRED_CODES: Final = frozenset({"undelivered", "no_outcome"})
UNANSWERED_CODES: Final = frozenset({"no_answer"})
DISCLOSED: Final = "disclosed"
EXPORTED_CODES: Final = frozenset({DISCLOSED, "bundled", "printed", "saved"})
RECALLED_CODES: Final = frozenset({"error", "consent_withdrawn", "wrong_person", "court_order"})
DESTROYED_CODES: Final = frozenset({"due"})
ERASED_CODES: Final = frozenset(
    {
        "due",  # the day until which every holder may retain it has come
        "review",  # its review came and nobody decided, or an officer decided so
        "closed",  # the matter was closed
        "cancelled",  # the originator cancelled it
        "valid_until",  # what it says is no longer valid
        "recalled",  # the originator recalled it
        "order",  # a court or the agency's own authority ordered it
        "rejected",  # this agency rejected it
    }
)
"""Why a holder has erased; all but `due` may be earlier than `retain_until`."""
DECLINED_CODES: Final = frozenset(
    {"legal_hold", "court_order", "in_proceedings", "law_requires", "own_investigation"}
)
"""Why a recipient keeps what was recalled."""
HOLD_ASKED_CODES: Final = frozenset({"hold", "release"})
HOLD_ANSWERED_CODES: Final = frozenset({"kept", "not_kept", "destroyed_before", "released"})

READ_CODES: Final = frozenset({None, "system"})
"""Read by an officer, or by a case system."""

_NONE: Final[frozenset[str | None]] = frozenset({None})
CODES: Final[dict[Event, frozenset[str] | frozenset[str | None]]] = {
    Event.HANDOVER: _NONE,
    Event.ACCEPTED: _NONE,
    Event.READ: READ_CODES,
    Event.REJECTED: REJECTION_CODES,
    Event.UNOPENED: UNOPENED_CODES,
    Event.EXPIRED: EXPIRED_CODES,
    Event.UNANSWERED: UNANSWERED_CODES,
    Event.RECALLED: RECALLED_CODES,
    Event.EXPORTED: EXPORTED_CODES,
    Event.DESTROYED: DESTROYED_CODES,
    Event.HELD: _NONE,
    Event.RELEASED: _NONE,
    Event.ERASED: ERASED_CODES,
    Event.OBEYED: _NONE,
    Event.DECLINED: DECLINED_CODES,
    Event.HOLD_ASKED: HOLD_ASKED_CODES,
    Event.HOLD_ANSWERED: HOLD_ANSWERED_CODES,
}

BROKER_EVENTS: Final = frozenset({Event.UNANSWERED, Event.EXPIRED, Event.REFUSED, Event.DESTROYED})
"""What the broker says itself, unsigned: the log's head vouches for it."""
OWN_EVENTS: Final = frozenset({Event.REFUSED, Event.EXPORTED, Event.HELD, Event.RELEASED})
"""What concerns one agency and the broker alone: in the corridor (agency, agency), a step of no
delivery."""
EITHER_CORRIDOR: Final = frozenset({Event.ERASED})
"""What the sender says in its own corridor, and a recipient in its delivery's."""
EITHER_PARTY: Final = frozenset({Event.HOLD_ASKED, Event.HOLD_ANSWERED})
"""What sender and recipient of a delivery say to each other, both in its corridor."""
_SEALED: Final = frozenset({Event.REJECTED, Event.ERASED})
_COMMITTED: Final = frozenset({Event.EXPORTED, Event.HELD, Event.RELEASED})


def begin() -> State:
    """State after a bulletin's first admission in its corridor."""
    return State.SUBMITTED


def step(state: State, event: Step) -> State:
    """The state after `event`.

    Raises:
        Refused: `order_illegal`, naming state and event; `already_decided` after an outcome;
            `already_read` for a second reading.
    """
    after = TRANSITIONS[state].get(event)
    if after is not None:
        return after
    if state is State.READ and event is Step.READ:
        raise Refused(
            "already_read",
            "that the recipient has read it is logged; later readings stay with its node",
            field="statement",
        )
    if state in TERMINAL:
        raise Refused("already_decided", f"the delivery is {state}; {event} comes too late")
    raise Refused("order_illegal", f"{event} cannot follow {state}")


def issuers_of(event: Event, sender: str, recipient: str) -> tuple[str, ...]:
    """Who alone may state `event` in the corridor from `sender` to `recipient`: one, or both."""
    if event in BROKER_EVENTS:
        return (BROKER,)
    if event in EITHER_PARTY:
        return (sender, recipient)
    return (sender if event is Event.RECALLED else recipient,)


def check_corridor(event: Event, sender: str, recipient: str) -> None:
    """An event stands in the corridor of its delivery, or in its agency's own (`OWN_EVENTS`).

    Raises:
        Refused: `corridor_wrong`.
    """
    own = sender == recipient
    if event not in EITHER_CORRIDOR and own is not (event in OWN_EVENTS):
        raise Refused(
            "corridor_wrong",
            f"{event} does not belong into the corridor {sender} to {recipient}",
            field="entry.recipient",
        )


def check_said(event: Event, statement: Statement, own: bool = False) -> None:
    """A statement's code and detail are those of its event (receipts.md, table of events).

    Args:
        own: it stands in its agency's own corridor.

    Raises:
        Refused: `code_unknown`, `detail_malformed`.
    """
    code, detail = statement.code, statement.detail
    known = code is not None if event is Event.REFUSED else code in CODES[event]
    if not known:
        raise Refused("code_unknown", f"{code} is no code of {event}", field="statement.code")
    fine = detail is None
    if event in _SEALED and not own:
        fine = fine or isinstance(detail, SealedDetail)
    elif event in _COMMITTED or (event is Event.READ and code is None):
        fine = isinstance(detail, bytes)
    if not fine:
        raise Refused(
            "detail_malformed",
            f"{event} cannot carry this detail",
            field="statement.detail",
            hint="a rejection and an erasure may have a sealed detail; an officer's reading, an"
            " export, a hold and its release have 32 bytes",
        )


def check_stated(statement: Statement, now: int) -> None:
    """A statement is dated at most 60 s after `now` (ms): the entry's time, or the clock's.

    Raises:
        Refused: `stated_in_future`.
    """
    if statement.time > now + LIMITS.skew_ms:
        raise Refused(
            "stated_in_future",
            "the statement is dated after its entry, or ahead of this clock",
            field="statement.time",
            hint="set the issuer's clock; 60 s of difference are allowed",
        )
