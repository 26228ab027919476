"""Where each delivery stands, both directions: rows of one frame's bulletins, changed together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from saphan_protocol.delivery import TERMINAL, State, Step, begin, step

from saphan.node.rows.db import Database
from saphan.node.rows.delivered_before import caught_up, standing_in

QUEUED: Final = "queued"
"""Not yet in the log: only the sender's node knows of the delivery."""
REFUSED: Final = "refused"
"""The broker will not take it: an outcome without a log entry of its corridor."""

MAX_ATTEMPTS: Final = 8
"""Consignments of one bulletin to one recipient before a person must look."""


@dataclass(slots=True)
class Delivery:
    """One delivery; `state` is a `delivery.State`, or QUEUED or REFUSED at the sender.

    Args:
        kept: (state, code, changed) as they are shown, of an outcome in a log that was lost, until
            the present one has caught up.
    """

    sender: str
    state: str
    changed: int
    code: str | None = None
    attempts: int = 0
    mailbox_key: bytes | None = None
    stanza: bytes | None = None
    touched: bool = False
    kept: tuple[str, str | None, int] | None = None

    @property
    def shown(self) -> tuple[str, str | None, int]:
        """(state, code, changed) as people are shown them."""
        if self.kept is None or caught_up(self.kept[0], self.state):
            return self.state, self.code, self.changed
        return self.kept

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
    """The deliveries of some bulletins, by (bulletin id, recipient).

    Args:
        first: stored place of the present log's first leaf.
    """

    def __init__(self, db: Database, bulletins: Iterable[bytes], first: int = 0) -> None:
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
        if first:
            self._look_back(db, first)

    def _look_back(self, db: Database, first: int) -> None:
        """What has its outcome in a log that was lost stands in this one where it says."""
        over = [name for name, one in self._rows.items() if one.state in TERMINAL]
        standing = standing_in(db, list({bulletin for bulletin, _ in over}), first)
        for name in over:
            one, now = self._rows[name], standing.get(name)
            if now is not None and now.state == one.state:
                continue
            one.kept = one.state, one.code, one.changed
            one.state, one.code = QUEUED, None
            if now is not None:
                one.state, one.changed, one.code = now.state.value, now.changed, now.code

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
                (*key, d.sender, shown[0], shown[2], shown[1], d.attempts, d.mailbox_key, d.stanza)
                for key, d in self._rows.items()
                if d.touched and (shown := d.shown)
            ],
        )
