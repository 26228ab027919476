"""What a commit finds of the deliveries that it changes: by that the indices of days are moved.

A delivery that is not destroyed stands in one place: among what is destroyable, or among what is
held; or its bulletin's pack stands in `days`. Its state before is read here, behind the commit
before, and the script that moves it runs only if no other commit came between the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from saphan_broker.store.base import Commit, DeliveryKey, DeliveryRow
from saphan_broker.store.redis.fact_reads import FactReads

Place = Literal["none", "free", "held", "gone"]


class Before(Struct, frozen=True):
    """Deliveries as they are before a commit, and days under which their stanzas were wrapped anew;
    of one that is in neither the commit changes nothing that matters to the indices."""

    deliveries: dict[DeliveryKey, DeliveryRow | None]
    wrapped: dict[DeliveryKey, int]


NOTHING: Final = Before({}, {})


def place(row: DeliveryRow | None) -> Place:
    """Where the indices have a delivery."""
    if row is None:
        return "none"
    if row.destroyed is not None:
        return "gone"
    return "held" if row.holds else "free"


async def read_before(reads: FactReads, commit: Commit) -> Before:
    """What `writing.operations` must know; nothing is asked of a commit that keeps everything.

    Raises:
        OperatorError, Unavailable: of the server, or of an archived pack that cannot be read.
    """
    keys = set(_asked(commit))
    if not keys:
        return NOTHING
    rows = await reads.deliveries(keys)
    return Before({key: rows.get(key) for key in keys}, await reads.wrapped(keys))


def _asked(commit: Commit) -> Iterable[DeliveryKey]:
    new = {row.id for row in commit.bulletins}
    known = {(row.bulletin, row.recipient): row for row in commit.deliveries}
    for key, row in known.items():
        if key[0] in new:
            continue
        begun = row.submitted >= commit.expected.size  # a recipient more, of a known bulletin
        if begun or not commit.leaves or commit.holds or place(row) != "free":
            yield key
    for stanza in commit.stanzas:
        if stanza.bulletin not in new:
            yield stanza.bulletin, stanza.recipient


def wrapped_day(before: Before, row: DeliveryRow) -> int:
    """The day of a delivery's stanza, as it is before the commit."""
    return before.wrapped.get((row.bulletin, row.recipient), row.due_day)


def newest(commit: Commit) -> dict[DeliveryKey, DeliveryRow]:
    """The last row of each delivery in a commit."""
    return {(row.bulletin, row.recipient): row for row in commit.deliveries}
