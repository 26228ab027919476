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


def there(body: BulletinRow) -> bool:
    """Whether the store has given the ciphertext: a lost one is asked for, and said to be lost."""
    return len(body.ciphertext) == body.ciphertext_length


def wanted_bytes(room: int, careful: bool) -> int:
    """Bytes of rows to read for a frame that has `room`."""
    return min(READ_BYTES, max(room, LOOK_BYTES) if careful else room)


def choose(
    rows: Sequence[FeedRow],
    room: int,
    urgency: Callable[[BulletinRow], Urgency],
    *,
    most: int,
    idle: bool,
) -> list[tuple[FeedRow, bool]]:
    """The rows of a frame of about `room` bytes, each with whether its ciphertext goes with it.

    Args:
        rows: what comes next, at least one.
        urgency: what the header of a bulletin says.
        most: the longest ciphertext that this line carries in a second or so; 0: the line is slow.
        idle: nothing is on its way.
    """
    if idle and len(rows) == 1:
        most = max(most, SHORT)
    chosen: list[tuple[FeedRow, bool]] = []
    for row in rows:
        body = row.bulletin
        here = body is None or len(body.ciphertext) <= most or urgency(body) == "immediate"
        room -= row.weight if here or body is None else row.weight - len(body.ciphertext)
        if chosen and room < 0:
            break
        chosen.append((row, here))
    return chosen
