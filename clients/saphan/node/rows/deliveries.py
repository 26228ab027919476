"""Where each delivery stands, both directions: rows of one frame's bulletins, changed together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from saphan_protocol.delivery import State, Step, begin, step

from saphan.node.rows.db import Database

QUEUED: Final = "queued"
"""Not yet in the log: only the sender's node knows of the delivery."""
REFUSED: Final = "refused"
"""The broker will not take it: an outcome without a log entry of its corridor."""

MAX_ATTEMPTS: Final = 8
"""Consignments of one bulletin to one recipient before a person must look."""


@dataclass(slots=True)
class Delivery:
    """One delivery; `state` is a `delivery.State`, or QUEUED or REFUSED at the sender."""

    sender: str
    state: str
    changed: int
    code: str | None = None
    attempts: int = 0
    mailbox_key: bytes | None = None
    stanza: bytes | None = None
    touched: bool = False

    @property
    def logged(self) -> bool:
        """Whether the log has shown the delivery."""
        return self.state not in (QUEUED, REFUSED)

    def take(self, event: Step, time: int, code: str | None = None) -> None:
        """Step through the one transition table.

        Raises:
            Refused: `order_illegal`, `already_decided`.
        """
        if event is Step.CONSIGN and not self.logged:
            after = begin()
        else:
            after = step(State(self.state), event)
            if event is Step.RECALLED and after == self.state:
                return  # a request: its outcome, and why it has that one, stay
        self.state, self.code, self.changed, self.touched = after.value, code, time, True


class Deliveries:
    """The deliveries of some bulletins, by (bulletin id, recipient)."""

    def __init__(self, db: Database, bulletins: Iterable[bytes]) -> None:
        self._rows: dict[tuple[bytes, str], Delivery] = {}
        wanted = list(set(bulletins))
        for at in range(0, len(wanted), 256):
            part = wanted[at : at + 256]
            marks = ",".join("?" * len(part))
            for row in db.rows(
                "SELECT bulletin, recipient, sender, state, changed, code, attempts, mailbox_key,"  # noqa: S608
                f" stanza FROM deliveries WHERE bulletin IN ({marks})",
                part,
            ):
                self._rows[row[0], row[1]] = Delivery(*row[2:])

    def get(self, bulletin: bytes, recipient: str) -> Delivery | None:
        """The delivery, None if this node knows nothing of it."""
        return self._rows.get((bulletin, recipient))

    def add(self, bulletin: bytes, recipient: str, delivery: Delivery) -> None:
        """A delivery that was not known before."""
        delivery.touched = True
        self._rows[bulletin, recipient] = delivery

    def keep(self, tx: sqlite3.Connection) -> None:
        """Persist what has changed."""
        tx.executemany(
            "INSERT INTO deliveries (bulletin, recipient, sender, state, changed, code, attempts,"
            " mailbox_key, stanza) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (bulletin, recipient) DO UPDATE SET state = excluded.state,"
            " changed = excluded.changed, code = excluded.code,"
            # Consigning anew counts in another thread: what this frame had read may be old.
            " attempts = max(deliveries.attempts, excluded.attempts),"
            " mailbox_key = excluded.mailbox_key, stanza = excluded.stanza",
            [
                (*key, d.sender, d.state, d.changed, d.code, d.attempts, d.mailbox_key, d.stanza)
                for key, d in self._rows.items()
                if d.touched
            ],
        )
