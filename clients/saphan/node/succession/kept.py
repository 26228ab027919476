"""The successions that this node has adopted, and the pins that follow of them.

The operator's pin file stays what it is: its keys and lasting origins count, the number is the
store's. A store that has adopted nothing stands where its heads are, whatever number a newer file
names: what lies between must be adopted, not skipped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from saphan_protocol.pins import Pins, numbered, origin_number
from saphan_protocol.succession import Named
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import LogPin

from saphan.node.rows.db import Database
from saphan.node.rows.places import lasting_origin, log_number

BRINGS: Final = "brings"
"""Fact: 1 until the broker has what the parties hold of agreements, orders and own schemas."""


def present_pins(db: Database, pins: Pins) -> Pins:
    """The pin file's keys under the origins of the logs that this store follows."""
    row = db.row("SELECT evidence, directory FROM successions ORDER BY number DESC LIMIT 1")
    if row is not None:
        evidence, directory = (origin_number(origin)[1] for origin in row)
    else:
        evidence, directory = (_of_heads(db, pin) for pin in (pins.evidence, pins.directory))
    return Pins(
        name=pins.name,
        directory=numbered(pins.directory, directory),
        evidence=numbered(pins.evidence, evidence),
    )


def _of_heads(db: Database, pin: LogPin) -> int:
    """Number of the log whose heads are here; the file's where there are none."""
    lasting = lasting_origin(pin)
    rows = db.rows(
        "SELECT DISTINCT origin FROM heads WHERE substr(origin, 1, ?) = ?", (len(lasting), lasting)
    )
    numbers = [origin_number(origin)[1] for (origin,) in rows]
    return max(numbers, default=log_number(pin))


def keep_steps(tx: sqlite3.Connection, chain: Iterable[tuple[Named, Pins]], now: int) -> None:
    """Write what was believed, in the transaction that adopts it."""
    tx.executemany(
        "INSERT INTO successions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                log_number(pins.evidence),
                pins.evidence.origin,
                pins.directory.origin,
                named.origin,
                named.size,
                named.root,
                encode(named.by),
                now,
            )
            for named, pins in chain
        ],
    )


def listed(db: Database) -> list[dict[str, Any]]:
    """Every succession that was adopted here, for people, oldest first."""
    rows = db.rows(
        "SELECT number, evidence, old, size, root, adopted FROM successions ORDER BY number"
    )
    return [
        {
            "log": number,
            "origin": origin,
            "follows": old,
            "size": size,
            "root": root.hex(),
            "adopted": adopted,
        }
        for number, origin, old, size, root, adopted in rows
    ]
