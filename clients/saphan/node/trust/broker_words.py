"""What the broker says itself, judged by the node as an auditor will (receipts.md, steps B1 to B7).

A lie about time is an alarm, not an end: the entry stands in the log for everybody, and the table
has its place for it. What the table has no place for stops the node (`Intake`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from saphan_protocol.admission import check_subject, due_day
from saphan_protocol.aftermath import check_destruction
from saphan_protocol.deadlines import Times, check_deadline
from saphan_protocol.delivery import BROKER_EVENTS, TERMINAL, State
from saphan_protocol.vouched import check_vouched
from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, Header

from saphan.node.feed_entry import Seen
from saphan.node.rows.deliveries import Delivery

if TYPE_CHECKING:  # it stands above this room
    from saphan.node.stored import Stored


def find_lies(seen: Seen, delivery: Delivery | None, stored: Stored) -> list[OperatorError]:
    """Alarms about an entry of the broker's own that is not as it must be.

    Args:
        delivery: as it stood before the entry; None of a refusal, which is a step of none.
    """
    if seen.event not in BROKER_EVENTS:
        return []
    try:
        _check(seen, delivery, stored)
    except SaphanError as error:
        lie = OperatorError(
            error.code,
            f"entry {seen.index} about bulletin {seen.bulletin.hex()[:16]}: {error.message}",
            hint="the broker's own word is wrong; show this line to its operator and the auditor",
        )
        return [lie]
    return []


def _check(seen: Seen, delivery: Delivery | None, stored: Stored) -> None:
    event = Event(seen.event)
    statement = check_vouched(event, seen.raw.statement, seen.raw.item, seen.entry)
    header, digest = stored.header(seen.bulletin), stored.digest(seen.bulletin)
    if header is None or digest is None:
        return  # a lost store
    check_subject(statement, seen.bulletin, digest)
    if delivery is None:
        return
    record = decode(Header, header, LIMITS.header_bytes, "header")
    if event is Event.DESTROYED:
        check_destruction(due_day(record), seen.entry.time)
        return
    if not delivery.logged or State(delivery.state) in TERMINAL:
        return  # the table refuses it
    times = Times(record.expires, record.answer_by, due_day(record))
    state = State(delivery.state)
    since = delivery.changed if state is State.HANDED_OVER else None
    check_deadline(event, statement.code, state, times, since, seen.entry.time)
