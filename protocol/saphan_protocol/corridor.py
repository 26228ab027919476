"""A corridor (sender, recipient) carries its entries numbered from 1, each naming the one before.

A node refuses a gap, and two ends that compare their last numbers find a double story.
"""

from __future__ import annotations

from dataclasses import dataclass

from saphan_schemas.errors import Refused
from saphan_schemas.records import Entry


@dataclass(frozen=True, slots=True)
class Tail:
    """Last entry known of a corridor: its running number and log index. (0, None) before any."""

    number: int = 0
    index: int | None = None


def follow(tail: Tail, index: int, entry: Entry) -> Tail:
    """The tail after `entry` at log index `index`.

    Raises:
        Refused: `corridor_gap` when numbers are missing, `corridor_fork` when a number or a
            predecessor tells another story than the one already known.
    """
    pair = f"{entry.sender} to {entry.recipient}"
    if entry.number > tail.number + 1:
        raise Refused(
            "corridor_gap", f"{pair}: entry {entry.number} follows {tail.number}: some are missing"
        )
    behind = tail.index is not None and index <= tail.index
    if entry.number != tail.number + 1 or entry.previous != tail.index or behind:
        raise Refused(
            "corridor_fork",
            f"{pair}: entry {entry.number} at index {index} names {entry.previous} before it, "
            f"but entry {tail.number} at index {tail.index} is known",
        )
    return Tail(entry.number, index)
