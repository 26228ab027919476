"""Where a delivery stood after each of its entries: the log replayed through the transition table.

A source may go on while it is read: its delivery rows then tell of entries beyond the head that is
copied. So a row is built from the entries, and where the source's row is of the same entry the two
must be equal: a store whose deliveries contradict its log is found here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace
from saphan_protocol.deadlines import next_deadline
from saphan_protocol.delivery import State, Step, begin, step
from saphan_schemas.errors import Refused

from saphan_broker.moving.damage import damaged
from saphan_broker.moving.holding import DESTROYED
from saphan_broker.sequencing.own_words import advanced, times_of
from saphan_broker.store.base import DeliveryKey, DeliveryRow, EntryRow

_STEPS: Final[dict[str, Step]] = {
    "submitted": Step.CONSIGN,
    "consigned": Step.CONSIGN,
    **{one.value: one for one in Step if one is not Step.CONSIGN},
}


def delivery_of(entry: EntryRow) -> DeliveryKey | None:
    """The delivery whose row an entry in its corridor may change; None for a refusal, a hold and
    the like."""
    if entry.bulletin is None or entry.event not in {*_STEPS, DESTROYED}:
        return None
    return entry.bulletin, entry.recipient


def consigns(entry: EntryRow) -> bool:
    """Whether a stanza came with an entry."""
    return _STEPS.get(entry.event) is Step.CONSIGN


def replayed(
    entry: EntryRow, before: DeliveryRow | None, stored: Mapping[DeliveryKey, DeliveryRow]
) -> DeliveryRow:
    """A delivery after `entry`.

    Args:
        before: the delivery after its entry before; None: this is the first.
        stored: rows of the source, at this entry or beyond.

    Raises:
        OperatorError: `store_damaged`.
    """
    key = delivery_of(entry)
    row = None if key is None else stored.get(key)
    if row is None:
        raise damaged(f"entry {entry.index} is of a delivery that is not there")
    if entry.event == DESTROYED:
        return _destroyed(entry, before, row)
    try:
        after = _after(entry, before, row)
    except Refused as error:
        raise damaged(f"entry {entry.index}, {entry.event}: {error.message}") from None
    if after is before:  # a request of the sender: the state stays, and so does the row
        return after
    # What follows an outcome may have come later than this entry.
    now = replace(row, destroyed=after.destroyed, holds=after.holds)
    if row.last == entry.index and now == _of_earlier_release(after):
        return now
    if row.last < entry.index or (row.last == entry.index and now != after):
        raise damaged(f"the delivery row of entry {entry.index} is not what the log says")
    return after


def _destroyed(entry: EntryRow, before: DeliveryRow | None, row: DeliveryRow) -> DeliveryRow:
    if before is None or before.destroyed is not None or row.destroyed != entry.index:
        raise damaged(f"the delivery row that entry {entry.index} destroys says something else")
    return replace(before, destroyed=entry.index)


def _of_earlier_release(after: DeliveryRow) -> DeliveryRow:
    """The same row as releases wrote it that had no state `read` and logged no `unanswered`."""
    if after.state == State.READ.value:
        return replace(after, state=State.ACCEPTED.value)
    if after.state == State.HANDED_OVER.value:
        return replace(after, deadline=times_of(after).due)
    return after


def _after(entry: EntryRow, before: DeliveryRow | None, row: DeliveryRow) -> DeliveryRow:
    """Its times and its day never change; what the rest was at this entry follows from the log."""
    event = _STEPS[entry.event]
    if before is None:
        if event is not Step.CONSIGN:
            raise Refused("order_illegal", "it comes before the first consignment")
        return replace(
            row,
            sender=entry.sender,
            state=begin().value,
            submitted=entry.index,
            last=entry.index,
            consignments=1,
            deadline=next_deadline(begin(), times_of(row), entry.time),
            destroyed=None,
            holds=0,
        )
    state = step(State(before.state), event)
    if state == before.state and event is Step.RECALLED:
        return before
    after = advanced(before, state, entry.index, entry.time)
    if event is Step.CONSIGN:
        return replace(after, consignments=before.consignments + 1)
    return after
