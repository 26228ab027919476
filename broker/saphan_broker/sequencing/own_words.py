"""What the broker says itself, in statements that nobody signs: refusals, and what time alone says.

Each names the bulletin, the digest of its ciphertext, the broker as issuer, a time and a code; the
key is that of the head which vouches for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace
from saphan_protocol.deadlines import Times, next_deadline, said_by_time
from saphan_protocol.delivery import State, Step, step
from saphan_protocol.identity import identity
from saphan_schemas.codec import encode
from saphan_schemas.errors import SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BROKER, Event, LeafType, Statement, Targeted, statement_type

from saphan_broker.sequencing.facts import Wanted
from saphan_broker.sequencing.ledger import Ledger
from saphan_broker.sequencing.work import Expiry, Logged, Outcome, Rejected
from saphan_broker.state import Random
from saphan_broker.store.base import DeliveryRow


@dataclass(frozen=True, slots=True)
class Expired:
    """A delivery whose deadline has passed, on witnessed time."""

    due: Expiry

    def want(self, wanted: Wanted) -> None:
        """Name the facts that `judge` will ask for."""
        wanted.bulletins.add(self.due.bulletin)
        wanted.deliveries.add((self.due.bulletin, self.due.recipient))
        wanted.corridors.add((self.due.sender, self.due.recipient))

    def judge(self, ledger: Ledger, random: Random) -> Outcome:
        """Log what time says, `unanswered` or `expired`, unless an answer came first."""
        row = ledger.known.deliveries.get((self.due.bulletin, self.due.recipient))
        facts = ledger.known.bulletins.get(self.due.bulletin)
        if row is None or facts is None or row.deadline is None:
            return Logged(())
        if row.deadline > self.due.witnessed:
            return Logged(())
        state = State(row.state)
        event, code = said_by_time(state, times_of(row), row.deadline)
        after = step(state, Step(event.value))
        body, statement_id = broker_statement(
            event, row.bulletin, facts.ciphertext_digest, ledger.time, code
        )
        index = ledger.enter(
            (row.sender, row.recipient),
            LeafType[event.name],
            statement_type(event),
            body,
            statement_id,
            issuer=BROKER,
            bulletin=row.bulletin,
            salt=random(32),
        )
        ledger.delivery(advanced(row, after, index, ledger.time))
        return Logged((index,))


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
    body, statement_id = broker_statement(
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


def broker_statement(
    event: Event,
    bulletin: bytes,
    ciphertext: bytes,
    time: int,
    code: str,
    target: int | None = None,
) -> tuple[bytes, bytes]:
    """(body, identity) of the broker's own statement: unsigned, the head vouches for it.

    Args:
        target: index of a `submitted` leaf, for the events that name one.
    """
    said = (bulletin, ciphertext, BROKER, time, code, None)
    body = encode(Statement(*said) if target is None else Targeted(*said, target))
    return body, identity(statement_type(event), body)


def times_of(row: DeliveryRow) -> Times:
    """Deadlines of a delivery."""
    return Times(row.expires, row.answer_by, row.due_day)


def advanced(row: DeliveryRow, state: State, index: int, time: int) -> DeliveryRow:
    """The delivery after the entry at `index`, of `time`, put it into `state`."""
    return replace(
        row, state=state.value, last=index, deadline=next_deadline(state, times_of(row), time)
    )
