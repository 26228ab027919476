"""Of which of a broker's evidence logs a node's store is read: the newest, or one that was lost."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from saphan_protocol.pins import Pins, numbered, origin_number
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput

from saphan.node.rows.places import first_of, lasting_origin, place_of

STEPS_FORMAT: Final = 7
"""Format of the store from which on it knows what followed what."""


@dataclass(frozen=True, slots=True)
class KeptLog:
    """One evidence log in a store.

    Args:
        pins: this log's, and the directory's that stood beside it.
        first: where the store keeps its leaf 0 (`places.first_of`).
    """

    pins: Pins
    first: int

    @property
    def stop(self) -> int:
        """Where the store keeps the next log's leaf 0."""
        return first_of(origin_number(self.pins.evidence.origin)[1] + 1)


def kept_log(db: sqlite3.Connection, pins: Pins, number: int | None = None) -> KeptLog:
    """The log with this number, None: the newest one.

    Args:
        pins: of any number: what counts are keys and lasting origins.

    Raises:
        InvalidInput: `log_unknown`.
    """
    known = {log: _numbers(db, pin.origin, lasting_origin(pin)) for log, pin in _both(pins)}
    wanted = max(known["evidence"]) if number is None else number
    if wanted not in known["evidence"]:
        here = ", ".join(map(str, sorted(known["evidence"])))
        raise InvalidInput(
            "log_unknown",
            f"the store knows nothing of log {wanted} of {pins.name}; it knows: {here}",
            field="log",
            hint="leave out --log for the newest one",
        )
    beside = _beside(db, wanted) or min(known["directory"])
    there = Pins(
        name=pins.name,
        directory=numbered(pins.directory, beside),
        evidence=numbered(pins.evidence, wanted),
    )
    return KeptLog(there, first_of(wanted))


def log_of_bulletin(db: sqlite3.Connection, bulletin: bytes) -> int | None:
    """Number of the newest log in which it was consigned; None: in none that is known here.

    What a later log says beside it, such as that it was exported, is no story of its own.
    """
    (place,) = db.execute(
        "SELECT max(idx) FROM entries WHERE bulletin = ? AND event IN ('submitted', 'consigned')",
        (bulletin,),
    ).fetchone()
    return None if place is None else place_of(place).log


def _both(pins: Pins) -> tuple[tuple[str, LogPin], ...]:
    return ("directory", pins.directory), ("evidence", pins.evidence)


def _numbers(db: sqlite3.Connection, origin: str, lasting: str) -> set[int]:
    """Of the logs whose heads are here; the pins' own where there are none."""
    rows = db.execute(
        "SELECT DISTINCT origin FROM heads WHERE substr(origin, 1, ?) = ?", (len(lasting), lasting)
    )
    return {origin_number(found)[1] for (found,) in rows} or {origin_number(origin)[1]}


def _beside(db: sqlite3.Connection, number: int) -> int | None:
    """Number of the directory log beside a log that followed another; None: it followed none."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found < STEPS_FORMAT:
        return None
    row = db.execute("SELECT directory FROM successions WHERE number = ?", (number,)).fetchone()
    return None if row is None else origin_number(row[0])[1]
