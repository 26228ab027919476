"""Handovers that a revocation or an order may have overtaken (design 4.3; admission.md, R1 to R3).

What was consigned after the newest anchor was admitted by the very directory that judges now, so
only dates can have changed. For the rest, few at a time, header and consignment are read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from saphan_protocol.admission import Facts
from saphan_protocol.delivery import State as Delivery
from saphan_protocol.release import check_release
from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError, Refused, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, Event, Header

from saphan_broker.at_rest import open_header, open_record
from saphan_broker.sequencing.facts import Known
from saphan_broker.sequencing.saying import Said
from saphan_broker.sequencing.unreadable import told
from saphan_broker.state import State
from saphan_broker.store.base import DeliveryRow

SUBMITTED: Final = Delivery.SUBMITTED.value
AT_ONCE: Final = 64
"""Handovers looked at together: each reads its bulletin, up to 96 KiB."""


async def find_stopped(
    state: State, said: Sequence[Said], known: Known, facts: Facts, anchor: int
) -> None:
    """Note in `known.stopped` which of the handovers must be refused, and why.

    Args:
        facts: what the group is judged by.
        anchor: evidence index of the newest anchor, which may be one of this commit.

    Raises:
        OperatorError, Unavailable: what the store raises.
    """
    asked = (_delivery(one, known) for one in said if one.admitted.event is Event.HANDOVER)
    old = list(
        {
            (row.bulletin, row.recipient): row
            for row in asked
            # In another state the transition table refuses it.
            if row is not None
            and row.state == SUBMITTED
            and (row.last < anchor or _dated(row, facts))
        }.values()
    )
    for start in range(0, len(old), AT_ONCE):
        rows = old[start : start + AT_ONCE]
        stops = await asyncio.gather(*(_stop(state, row, facts) for row in rows))
        for row, stop in zip(rows, stops, strict=True):
            if stop is not None:
                known.stopped[row.bulletin, row.recipient] = stop


def _delivery(one: Said, known: Known) -> DeliveryRow | None:
    return known.deliveries.get((one.admitted.statement.bulletin, one.corridor[1]))


def _dated(row: DeliveryRow, facts: Facts) -> bool:
    """Whether an agreement that may have admitted it is over by its date: what is not in force now
    was not then either."""
    directory = facts.directory
    return any(
        facts.now >= agreed.text.valid_until and directory.standing(agreed, facts.at).in_force
        for agreed in directory.agreements(row.sender, row.recipient, facts.at)
    )


async def _stop(state: State, row: DeliveryRow, facts: Facts) -> Refused | Unavailable | None:
    if row.last >= state.evidence.tree.size:
        return Unavailable(
            "not_committed", "its consignment is on its way to the disk; send the same again"
        )
    try:
        header, consignment = await _consigned(state, row)
    except SaphanError as error:
        return told(state, error)
    (mailbox_key,) = (
        ref.mailbox_key for ref in consignment.recipients if ref.agency == row.recipient
    )
    try:
        check_release(header, row.recipient, consignment.node_key, mailbox_key, facts)
    except Refused as stop:
        return stop
    return None


async def _consigned(state: State, row: DeliveryRow) -> tuple[Header, Consignment]:
    """The bulletin's header and its newest consignment: a submitted delivery's last entry."""
    bodies = await state.store.bodies([row.bulletin])
    entries = await state.store.entries(row.last, row.last + 1)
    if not bodies or not entries:
        raise OperatorError("object_missing", f"nothing is kept of entry {row.last}", field="data")
    record = open_record(state.keys, entries[0])
    header = open_header(state.keys, bodies[row.bulletin])
    return (
        decode(Header, header, LIMITS.header_bytes, "header"),
        decode(Consignment, record.statement, LIMITS.consignment_bytes, "consignment"),
    )
