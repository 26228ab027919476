"""Which ciphertexts travel with their entries, and which the node fetches later (session.md).

A feed goes in log order, so on a slow line an urgent bulletin waits behind all bytes before it.
There only entries go in order, about 2 KiB each; their ciphertexts the node fetches by urgency.
Nothing is put off that would have come at once anyway: an immediate bulletin, a short one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from saphan_schemas.limits import KIB, MIB
from saphan_schemas.records import Urgency

from saphan_broker.store.base import BulletinRow, FeedRow

LOOK_BYTES: Final = 128 * KIB
"""Of rows looked at for one frame of a slow line: most of them are ciphertexts that stay here."""
READ_BYTES: Final = MIB
SHORT: Final = 16 * KIB
"""A ciphertext that is not worth a question of its own: 2 s at 64 kbit/s."""


def wanted_bytes(room: int, careful: bool) -> int:
    """Bytes of rows to read for a frame that has `room`."""
    return min(READ_BYTES, max(room, LOOK_BYTES) if careful else room)


def choose(
    rows: Sequence[FeedRow],
    room: int,
    urgency: Callable[[BulletinRow], Urgency],
    *,
    slow: bool,
    idle: bool,
) -> list[tuple[FeedRow, bool]]:
    """The rows of a frame of about `room` bytes, each with whether its ciphertext goes with it.

    Args:
        rows: what comes next, at least one.
        urgency: what the header of a bulletin says.
        slow: the line has shown that it is; else it has shown nothing yet.
        idle: nothing is on its way.
    """
    alone = idle and len(rows) == 1
    chosen: list[tuple[FeedRow, bool]] = []
    for row in rows:
        body = row.bulletin
        here = body is None or _goes(body, slow, alone, urgency)
        room -= row.weight if here or body is None else row.weight - len(body.ciphertext)
        if chosen and room < 0:
            break
        chosen.append((row, here))
    return chosen


def _goes(
    body: BulletinRow, slow: bool, alone: bool, urgency: Callable[[BulletinRow], Urgency]
) -> bool:
    if len(body.ciphertext) <= SHORT and (alone or not slow):
        return True
    return urgency(body) == "immediate"
