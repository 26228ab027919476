"""Recalls without an answer: warned of, so that nobody is silent by forgetting.

1. At the holder's node, while a person has to answer: at half and at nine tenths of the time, and
   when it is over. At the sender's, when it is over: who has not answered is silent.
2. Each is said once; after a node was down over several the last one is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_schemas.limits import LIMITS

from saphan.node.events import WARNING, Event
from saphan.node.rows.db import Database

RECALL: Final = "recall"
"""The deadline that these warnings are about."""
SHARES: Final = (50, 90, 100)
OVER: Final = SHARES[-1:]
_OPEN: Final = (
    "e.event = 'recalled' AND d.state != 'recalled' AND NOT EXISTS (SELECT 1 FROM entries a"
    " WHERE a.bulletin = e.bulletin AND a.recipient = e.recipient"
    " AND a.event IN ('obeyed', 'declined'))"
)
_JOINED: Final = (
    "entries e JOIN deliveries d ON d.bulletin = e.bulletin AND d.recipient = e.recipient"
)
_WATCHED: Final = (
    "SELECT c.own, b.seq, e.bulletin, b.sender, e.recipient, e.time FROM"  # noqa: S608 - constants
    " (SELECT 1 AS own, bulletin FROM recall_orders WHERE open = 1"
    " UNION ALL SELECT 0, bulletin FROM recalled WHERE answer IS NULL AND stopped = 0) c"
    " CROSS JOIN entries e ON e.bulletin = c.bulletin"
    " CROSS JOIN deliveries d ON d.bulletin = e.bulletin AND d.recipient = e.recipient"
    f" CROSS JOIN bulletins b ON b.id = e.bulletin WHERE {_OPEN} ORDER BY e.time"
)
"""CROSS: from the few open recalls on, whatever SQLite guesses; it would go through all entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """One warning; `at` is when the time ends or ended, ms UTC."""

    seq: int
    bulletin: bytes
    sender: str
    recipient: str
    at: int
    share: int

    def event(self) -> Event:
        """What listeners hear."""
        return {
            "type": WARNING,
            "id": self.bulletin.hex(),
            "sender": self.sender,
            "recipient": self.recipient,
            "deadline": RECALL,
            "at": self.at,
            "share": self.share,
            "state": "silent" if self.share == OVER[0] else "waiting",
        }


def unanswered(db: Database, now: int) -> list[Unanswered]:
    """What is to be said `now` (ms UTC), and was not said yet."""
    found = []
    for own, seq, bulletin, sender, recipient, time in db.rows(_WATCHED):
        shares = OVER if own else SHARES
        times = [(one, time + LIMITS.recall_answer_ms * one // 100) for one in shares]
        over = max((one for one, at in times if at < now), default=0)
        if over and not _told(db, seq, recipient, over):
            found.append(
                Unanswered(
                    seq=seq,
                    bulletin=bulletin,
                    sender=sender,
                    recipient=recipient,
                    at=time + LIMITS.recall_answer_ms,
                    share=over,
                )
            )
    return found


def recall_end(db: Database, bulletin: bytes) -> int | None:
    """Until when the last answer to a recall is owed, ms UTC; None: nobody owes one."""
    row = db.row(
        f"SELECT max(e.time) FROM {_JOINED} WHERE e.bulletin = ? AND {_OPEN}",  # noqa: S608
        (bulletin,),
    )
    return None if row is None or row[0] is None else row[0] + LIMITS.recall_answer_ms


def _told(db: Database, seq: int, recipient: str, share: int) -> bool:
    query = (
        "SELECT 1 FROM warnings WHERE seq = ? AND recipient = ? AND deadline = 'recall'"
        " AND share >= ?"
    )
    return db.row(query, (seq, recipient, share)) is not None
