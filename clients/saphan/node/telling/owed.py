"""Replies that are owed: warned of at half and at nine tenths of their time, and when it is over.

1. A request that was kept or accepted has a row for each of those who owe an answer (`owed`). When
   its node has accepted it the clock runs; a request that nobody can answer any more has no row.
2. A row whose time has come is looked at: how the request stands is worked out anew from what the
   log and the store have. What was answered has no row any more.
3. An announced delay moves the time; what was over of it before is not warned of again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Final

from saphan_protocol.delivery import State
from saphan_schemas.limits import DAY_MS

from saphan.node.events import WARNING, Event
from saphan.node.rows.db import Database
from saphan.node.threads.replaced import DEAD
from saphan.node.threads.requests import Owed, Requests

SHARES: Final = (50, 90, 100)
"""Hundredths of the time from where its clock began to its end; after it, it is overdue."""
PAGE: Final = 256
"""Rows of one look: each is worked out from a few dozen rows of the store."""
AGAIN_MS: Final = DAY_MS
"""Between looks at what is overdue and was said so: an answer takes the row away."""

_ACCEPTED: Final = (State.ACCEPTED.value, State.READ.value)
_STATES: Final = ",".join(f"'{state}'" for state in (*_ACCEPTED, *DEAD))
_STARTING: Final = (
    "SELECT o.seq, b.id, b.sender, o.replier, d.state"  # noqa: S608 - constants
    " FROM owed o JOIN bulletins b USING (seq)"
    " JOIN deliveries d ON d.bulletin = b.id AND d.recipient = o.replier"
    f" WHERE o.due IS NULL AND d.state IN ({_STATES}) LIMIT ?"
)
_DUE: Final = (
    "SELECT o.seq, b.id, b.sender, o.replier, o.due, o.told FROM owed o JOIN bulletins b"
    " USING (seq) WHERE o.next <= ? ORDER BY o.next LIMIT ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """One warning; `at` is when the time ends or ended, ms UTC."""

    seq: int
    bulletin: bytes
    sender: str
    replier: str
    at: int
    share: int
    state: str

    def event(self) -> Event:
        """What listeners hear."""
        return {
            "type": WARNING,
            "id": self.bulletin.hex(),
            "sender": self.sender,
            "recipient": self.replier,
            "deadline": "reply",
            "at": self.at,
            "share": self.share,
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class _Watched:
    """A row; `due` is None before its clock runs."""

    seq: int
    bulletin: bytes
    sender: str
    replier: str
    due: int | None = None
    told: int = 0

    def reminder(self, at: int, share: int, state: str) -> Reminder:
        return Reminder(
            seq=self.seq,
            bulletin=self.bulletin,
            sender=self.sender,
            replier=self.replier,
            at=at,
            share=share,
            state=state,
        )


@dataclass(slots=True)
class Reminders:
    """What one look leads to: rows first, words afterwards."""

    told: list[Reminder] = field(default_factory=list)
    gone: list[tuple[int, str]] = field(default_factory=list)
    moved: list[tuple[int, int, int, int, str]] = field(default_factory=list)
    """(due, next, told, seq, replier)."""

    def __bool__(self) -> bool:
        return bool(self.gone or self.moved)

    def write(self, tx: sqlite3.Connection) -> None:
        """In the transaction in which the warnings are written."""
        tx.executemany("DELETE FROM owed WHERE seq = ? AND replier = ?", self.gone)
        tx.executemany(
            "UPDATE owed SET due = ?, next = ?, told = ? WHERE seq = ? AND replier = ?", self.moved
        )


class OwedReplies:
    """The owed replies of one node; blocking."""

    def __init__(self, db: Database, requests: Requests) -> None:
        self._db = db
        self._requests = requests

    def due(self, now: int) -> Reminders:
        """What is to be said and written `now` (ms UTC)."""
        found = Reminders()
        for *watched, state in self._db.rows(_STARTING, (PAGE,)):
            row = _Watched(*watched)
            if state in DEAD:
                found.gone.append((row.seq, row.replier))
            else:
                self._look(row, now, found)
        for values in self._db.rows(_DUE, (now, PAGE)):
            self._look(_Watched(*values), now, found)
        return found

    def _look(self, row: _Watched, now: int, found: Reminders) -> None:
        owed = self._owed(row.bulletin, row.replier)
        until = None if owed is None else owed.owing.until
        if owed is None or until is None or owed.since is None or not owed.owing.owes:
            found.gone.append((row.seq, row.replier))
            return
        times = [(s, owed.since + (until - owed.since) * s // 100) for s in SHARES]
        over, told = max((s for s, at in times if at < now), default=0), row.told
        if row.due is not None and until != row.due:
            told = min(over, SHARES[-2])  # step 3; that it is over is said whenever it is
        if over > told:
            found.told.append(row.reminder(until, over, owed.owing.state))
            told = over
        later = min((at + 1 for s, at in times if s > told), default=now + AGAIN_MS)
        found.moved.append((until, later, told, row.seq, row.replier))

    def _owed(self, bulletin: bytes, replier: str) -> Owed | None:
        rows = self._requests.owed(bulletin)
        return next((one for one in rows if one.replier == replier), None)


def owed_at(db: Database, bulletin: bytes) -> int | None:
    """Until when the last answer to a request is owed; None: nobody owes one."""
    row = db.row(
        "SELECT max(due) FROM owed WHERE seq = (SELECT seq FROM bulletins WHERE id = ?)",
        (bulletin,),
    )
    return None if row is None else row[0]
