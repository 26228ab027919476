"""Where an entry stands: in which of a broker's evidence logs, and at which index of that one.

A lost log has a successor, whose origin ends with the next number (bytes.md, Successor). The store
keeps a place as one integer, so that everything of the old log stands before everything of the new
one, and nothing of the first log is written anew. Kept so are `idx` of every table but `leaves` and
`corridors`, `hold_said.target`, and both ends of `steps`. Sizes of heads are plain (`heads.size`,
`head_size` of entries and anchors): a head is named by its origin, and an entry's is the one of its
own log. `corridors` and the fact `after` are of the present log alone, by plain indices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_protocol.pins import origin_number
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import OperatorError

INDEX_BITS: Final = 53
"""An index travels as an integer that every language can hold."""
MOST_LOGS: Final = 1 << (63 - INDEX_BITS)
"""SQLite's integers have 63 bits beside the sign."""
CURSOR_BITS: Final = 43
"""Nine trillion leaves; with the number of the log it is below 2^53."""


@dataclass(frozen=True, slots=True)
class Place:
    """An index of the log with this number, from 1."""

    log: int
    index: int


def place_of(stored: int) -> Place:
    """A place as the store keeps it."""
    return Place((stored >> INDEX_BITS) + 1, stored & ((1 << INDEX_BITS) - 1))


def first_of(number: int) -> int:
    """The stored place of a log's first leaf: add an index of this log, or take it away.

    Raises:
        OperatorError: `log_number`, beyond what the store can keep.
    """
    if number > MOST_LOGS:
        raise OperatorError(
            "log_number",
            f"the broker's log has the number {number}; this program knows {MOST_LOGS} at most",
            hint="ask the broker's operator: each number is one lost log",
        )
    return (number - 1) << INDEX_BITS


def last_of(number: int) -> int:
    """The stored place after which those of the next log begin."""
    return first_of(number) + ((1 << INDEX_BITS) - 1)


def cursor_of(stored: int) -> int:
    """A place as a list is gone on with: a number that JSON carries whole, in the order of places.

    Ten bits for the log leave 43 of the 53 for the index; in the first log it is the index.
    """
    place = place_of(stored)
    return (place.log - 1) << CURSOR_BITS | min(place.index, (1 << CURSOR_BITS) - 1)


def stored_at(cursor: int) -> int:
    """The stored place of a cursor."""
    return (cursor >> CURSOR_BITS) << INDEX_BITS | (cursor & ((1 << CURSOR_BITS) - 1))


def log_number(pin: LogPin) -> int:
    """The number with which a log's origin ends."""
    return origin_number(pin.origin)[1]


def lasting_origin(pin: LogPin) -> str:
    """The origin of every log of one succession, but for its number."""
    return origin_number(pin.origin)[0] + "/"


def shown(stored: int | None) -> dict[str, int | None]:
    """A place as it is shown: `index`, and the number of its `log`; None: there is none yet."""
    if stored is None:
        return {"log": None, "index": None}
    place = place_of(stored)
    return {"log": place.log, "index": place.index}


SUCCESSIONS: Final = """
-- Logs of this broker that were lost, by the number of the one that follows: the origins from there
-- on, the head of the old evidence log that the successor names, the signed step that proves it.
-- `adopted`: ms UTC. Places of the successors' entries: `rows/places.py`.
CREATE TABLE successions (
    number INTEGER PRIMARY KEY, evidence TEXT NOT NULL, directory TEXT NOT NULL,
    old TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, step BLOB NOT NULL,
    adopted INTEGER NOT NULL);
"""
"""What the store's format 7 adds."""
ORIGIN_OF: Final = f"?1 || ((e.idx >> {INDEX_BITS}) + 1)"
"""SQL: origin of an entry's log; ?1 is the lasting origin with its slash."""
