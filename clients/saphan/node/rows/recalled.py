"""What the store keeps of recalls: whether a bulletin is sealed, and what the log has said."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event

from saphan.node.rows.db import Database
from saphan.node.rows.deliveries import QUEUED, REFUSED
from saphan.node.rows.places import shown

STOPPED: Final = "stopped"
"""Answer of what was recalled before it was delivered: none is owed."""
OBEYED: Final = Event.OBEYED.value
DECLINED: Final = Event.DECLINED.value
SEALED: Final = "recalled"
"""Why a bulletin is shown to nobody though it is here (`retention.sealed`)."""
PART: Final = 256
"""Bulletins in one query."""


@dataclass(frozen=True, slots=True)
class RecalledHere:
    """A received bulletin that its sender has taken back.

    Args:
        index: stored place of the recall's entry.
        time: of the recall's entry, ms UTC; code: why, in the sender's word.
        stopped: it was recalled before its delivery.
        answer: `OBEYED`, `DECLINED` (`reason`: why) or `STOPPED`; None while one is owed.
        caller: who decided the answer: "settings", "hold", or a caller's label.
    """

    bulletin: bytes
    index: int
    time: int
    code: str
    stopped: bool
    answer: str | None = None
    reason: str | None = None
    caller: str | None = None
    answered: int | None = None

    def json(self) -> dict[str, Any]:
        """As the local API has it."""
        return {
            "id": self.bulletin.hex(),
            **shown(self.index),
            "time": self.time,
            "until": None if self.stopped else self.time + LIMITS.recall_answer_ms,
            "code": self.code,
            "stopped": self.stopped,
            "answer": self.answer,
            "reason": self.reason,
            "by": self.caller,
            "answered": self.answered,
        }


_COLUMNS: Final = (
    "SELECT bulletin, idx, time, code, stopped, answer, reason, caller, answered FROM recalled"
)


def recalled_here(db: Database, bulletin: bytes) -> RecalledHere | None:
    """The recall of a received bulletin; None: it was not recalled."""
    row = db.row(f"{_COLUMNS} WHERE bulletin = ?", (bulletin,))
    return None if row is None else _parse(row)


def open_recalls(db: Database, limit: int) -> list[RecalledHere]:
    """Recalls that wait for something: no answer yet, or declined, so that it may be obeyed yet.

    What is owed comes first, then what a hold declined: however much was declined hides neither.
    """
    rows = db.rows(
        f"{_COLUMNS} WHERE answer IS NULL OR answer = 'declined'"
        " ORDER BY answer IS NOT NULL, caller IS NOT 'hold', time LIMIT ?",
        (limit,),
    )
    return [_parse(row) for row in rows]


def listed(db: Database, after: int, limit: int) -> list[RecalledHere]:
    """All recalls of received bulletins, in the log's order.

    Args:
        after: stored place of the entry after which they stand.
    """
    rows = db.rows(f"{_COLUMNS} WHERE idx > ? ORDER BY idx LIMIT ?", (after, limit))
    return [_parse(row) for row in rows]


def recalled_among(db: Database, bulletins: Collection[bytes]) -> dict[bytes, str]:
    """Those of the received bulletins that were recalled, each with its code."""
    return _codes(db, "recalled", bulletins)


def ordered_among(db: Database, bulletins: Collection[bytes]) -> dict[bytes, str]:
    """Those of our own bulletins that were recalled here, each with its code."""
    return _codes(db, "recall_orders", bulletins)


def _codes(db: Database, table: str, bulletins: Collection[bytes]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    wanted = list(set(bulletins))
    for at in range(0, len(wanted), PART):
        part = wanted[at : at + PART]
        marks = ",".join("?" * len(part))
        query = f"SELECT bulletin, code FROM {table} WHERE bulletin IN ({marks})"  # noqa: S608
        found |= dict(db.rows(query, part))
    return found


def keep_recalled(tx: sqlite3.Connection, found: Iterable[RecalledHere]) -> None:
    """Write what the log says, in the transaction of its entry.

    The same recall again changes nothing: an answer that was given stays.
    """
    for one in found:
        tx.execute(
            "INSERT INTO recalled VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                one.bulletin,
                one.index,
                one.time,
                one.code,
                one.stopped,
                one.answer,
                one.reason,
                one.caller,
                one.answered,
            ),
        )


def keep_order(tx: sqlite3.Connection, bulletin: bytes, code: str, caller: str, now: int) -> None:
    """Write that one of our own was taken back (once), and hold back what was not sent yet.

    Args:
        caller: who ordered it; empty if that was in a life of this node that is lost.
    """
    tx.execute(
        "INSERT INTO recall_orders (bulletin, code, caller, time) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (bulletin, code, caller, now),
    )
    # What was sent already without an answer shows in the log, and is recalled there; so is what a
    # lost log had, and the next one has not yet: somebody may hold it.
    tx.execute(
        "UPDATE consignments SET state = 'over' WHERE bulletin = ?1 AND state = 'waiting'"
        " AND NOT EXISTS (SELECT 1 FROM deliveries d JOIN entries e ON e.bulletin = d.bulletin"
        " AND e.recipient = d.recipient WHERE d.bulletin = ?1 AND d.state = ?2)",
        (bulletin, QUEUED),
    )
    tx.execute(
        "UPDATE deliveries AS d SET state = ?, code = 'recalled', changed = ?"
        " WHERE bulletin = ? AND state = ? AND NOT EXISTS (SELECT 1 FROM entries e"
        " WHERE e.bulletin = d.bulletin AND e.recipient = d.recipient)",
        (REFUSED, now, bulletin, QUEUED),
    )


def keep_answer(
    tx: sqlite3.Connection,
    bulletin: bytes,
    answer: str,
    reason: str | None,
    caller: str,
    now: int,
) -> None:
    """Write how a recall was answered; `obeyed` is final."""
    tx.execute(
        "UPDATE recalled SET answer = ?, reason = ?, caller = ?, answered = ?"
        " WHERE bulletin = ? AND (answer IS NULL OR answer != 'obeyed')",
        (answer, reason, caller, now, bulletin),
    )


def suppressed_among(db: Database, bulletins: Collection[bytes]) -> set[bytes]:
    """Those of the bulletins that name somebody whom a recalled one named by mistake."""
    if db.row("SELECT 1 FROM suppressed LIMIT 1") is None:
        return set()
    found: set[bytes] = set()
    wanted = list(set(bulletins))
    for at in range(0, len(wanted), PART):
        part = wanted[at : at + PART]
        marks = ",".join("?" * len(part))
        found |= {
            one
            for (one,) in db.rows(
                f"SELECT b.id FROM bulletins b WHERE b.id IN ({marks}) AND EXISTS"  # noqa: S608
                " (SELECT 1 FROM subjects s JOIN suppressed x ON x.token = s.token"
                " WHERE s.seq = b.seq)",
                part,
            )
        }
    return found


def _parse(row: tuple[object, ...]) -> RecalledHere:
    bulletin, index, time, code, stopped, *rest = row
    return RecalledHere(bulletin, index, time, code, bool(stopped), *rest)  # type: ignore[arg-type]
