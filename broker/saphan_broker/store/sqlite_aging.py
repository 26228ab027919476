"""How the rows of the SQLite engine age: what is due, what is forgotten, what is cleansed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from saphan_broker.store.base import DayCount, DeliveryRow, HoldKey, HoldRow, StanzaRow
from saphan_broker.store.sqlite_read import DELIVERY, blobs, delivery_row, each

_DESTROYABLE: Final = (
    f"{DELIVERY} delivery d INDEXED BY delivery_due CROSS JOIN bulletin b USING (seq)"
    " WHERE d.due_day <= ? AND d.deadline IS NULL AND d.destroyed IS NULL AND d.holds = 0"
    " ORDER BY d.due_day, d.submitted LIMIT ?"
)
_OF_BULLETIN: Final = (
    f"{DELIVERY} bulletin b CROSS JOIN delivery d USING (seq) WHERE b.id = ? ORDER BY d.recipient"
)
_HELD_STANZAS: Final = (
    "SELECT b.id, s.recipient, s.due_day, s.sealed"
    " FROM stanza s INDEXED BY stanza_held CROSS JOIN bulletin b USING (seq)"
    " WHERE s.held = 1 AND s.due_day < ? ORDER BY s.due_day LIMIT ?"
)
_HOLDS: Final = (
    "SELECT h.target, h.hold_order, h.agency, b.id, h.recipient, h.held, h.released"
    " FROM hold h JOIN bulletin b USING (seq) WHERE"
)
_HOLD: Final = f"{_HOLDS} h.target = ? AND h.hold_order = ?"
_HOLDS_OF: Final = f"{_HOLDS} b.id = ? ORDER BY h.target, h.hold_order"
_COUNTED: Final = "SELECT d.due_day, count(*) FROM delivery d WHERE d.due_day <= ? AND"
_COUNTS: Final = {
    "free": f"{_COUNTED} d.deadline IS NULL AND d.destroyed IS NULL AND d.holds = 0 GROUP BY 1",
    "open": f"{_COUNTED} d.deadline IS NOT NULL AND d.holds = 0 GROUP BY 1",
    "held": f"{_COUNTED} d.holds > 0 AND d.destroyed IS NULL GROUP BY 1",
}
_FIRST: Final = (  # of its bulletin: what several recipients have is counted once
    "NOT EXISTS (SELECT 1 FROM delivery o WHERE o.seq = d.seq AND o.recipient < d.recipient"
    " AND o.destroyed IS NULL AND o.holds = 0)"
)
_SIZED: Final = (
    "SELECT d.due_day, b.ciphertext_length, b.attachments"
    " FROM delivery d CROSS JOIN bulletin b USING (seq) WHERE d.due_day <= ? AND"
)
_SIZES: Final = (
    f"{_SIZED} d.deadline IS NULL AND d.destroyed IS NULL AND d.holds = 0 AND {_FIRST}",
    f"{_SIZED} d.deadline IS NOT NULL AND d.holds = 0 AND {_FIRST}",
)


# --- what is due ---------------------------------------------------------------------------------


def read_destroyable(db: sqlite3.Connection, day: int, limit: int) -> list[DeliveryRow]:
    return [delivery_row(row) for row in db.execute(_DESTROYABLE, (day, limit))]


def read_deliveries_of(
    db: sqlite3.Connection, ids: Iterable[bytes]
) -> dict[bytes, list[DeliveryRow]]:
    rows = {id_: [delivery_row(row) for row in db.execute(_OF_BULLETIN, (id_,))] for id_ in ids}
    return {id_: found for id_, found in rows.items() if found}


def read_stanzas_due(db: sqlite3.Connection, below_day: int, limit: int) -> list[StanzaRow]:
    return [StanzaRow(*row) for row in db.execute(_HELD_STANZAS, (below_day, limit))]


def read_holds(db: sqlite3.Connection, keys: Iterable[HoldKey]) -> dict[HoldKey, HoldRow]:
    return {key: _hold(row) for key, row in each(db, _HOLD, ((key, key) for key in keys))}


def read_holds_of(db: sqlite3.Connection, ids: Iterable[bytes]) -> dict[bytes, list[HoldRow]]:
    rows = {id_: [_hold(row) for row in db.execute(_HOLDS_OF, (id_,))] for id_ in ids}
    return {id_: found for id_, found in rows.items() if found}


def read_first_undestroyed(db: sqlite3.Connection) -> int | None:
    (stanza,) = db.execute("SELECT min(day) FROM stanza").fetchone()
    record = db.execute("SELECT record_day FROM entry ORDER BY idx LIMIT 1").fetchone()
    days = [day for day in (stanza, record and record[0]) if day is not None]
    return min(days, default=None)


def read_due_counts(db: sqlite3.Connection, upto_day: int) -> list[DayCount]:
    free: dict[int, int] = {}
    for kind in ("free", "open"):
        for day, number in db.execute(_COUNTS[kind], (upto_day,)):
            free[day] = free.get(day, 0) + number
    held = dict(db.execute(_COUNTS["held"], (upto_day,)).fetchall())
    sizes: dict[int, int] = {}
    for query in _SIZES:
        for day, length, attachments in db.execute(query, (upto_day,)):
            more = sum(blob.length for blob in blobs(attachments)) if attachments else 0
            sizes[day] = sizes.get(day, 0) + length + more
    return [
        DayCount(day, free.get(day, 0), sizes.get(day, 0), held.get(day, 0))
        for day in sorted(free.keys() | held.keys())
    ]


def _hold(row: Any) -> HoldRow:
    return HoldRow(*row)


# --- forgetting ----------------------------------------------------------------------------------


def forget(db: sqlite3.Connection, before_day: int, limit: int) -> int:
    """Remove up to `limit` things of an earlier record day; how many. In a transaction."""
    done = _forget_entries(db, before_day, limit)
    if done < limit:
        done += _forget_bulletins(db, before_day, limit - done)
    if done < limit:
        done += db.execute(
            "DELETE FROM signature WHERE rowid IN"
            " (SELECT rowid FROM signature WHERE record_day < ? LIMIT ?)",
            (before_day, limit - done),
        ).rowcount
    return done


def _forget_entries(db: sqlite3.Connection, before_day: int, limit: int) -> int:
    """From the log's beginning: record days never fall along it."""
    query = "SELECT idx, sender, recipient, record_day FROM entry ORDER BY idx LIMIT ?"
    old = []
    for index, sender, recipient, day in db.execute(query, (limit,)).fetchall():
        if day >= before_day:
            break
        old.append((index, sender, recipient))
    boxes = [(agency, index) for index, *pair in old for agency in set(pair)]
    db.executemany("DELETE FROM mailbox WHERE agency = ? AND idx = ?", boxes)
    db.executemany("DELETE FROM statement WHERE idx = ?", [(index,) for index, *_ in old])
    db.executemany("DELETE FROM entry WHERE idx = ?", [(index,) for index, *_ in old])
    return len(old)


_KEPT: Final = "EXISTS (SELECT 1 FROM delivery d WHERE d.seq = b.seq AND d.destroyed IS NULL)"
_OLD: Final = (
    f"SELECT b.seq, {_KEPT} FROM bulletin b WHERE b.record_day < ?"  # noqa: S608 - constants
    f" AND (EXISTS (SELECT 1 FROM header h WHERE h.seq = b.seq) OR NOT {_KEPT})"
    " ORDER BY b.record_day, b.seq LIMIT ?"
)


def _forget_bulletins(db: sqlite3.Connection, before_day: int, limit: int) -> int:
    """Headers, and with them all that no hold keeps."""
    old = db.execute(_OLD, (before_day, limit)).fetchall()
    db.executemany("DELETE FROM header WHERE seq = ?", [(seq,) for seq, _kept in old])
    gone = [(seq,) for seq, kept in old if not kept]
    db.executemany("UPDATE forgotten SET seq = max(seq, ?)", gone[-1:])
    for child in ("hold", "stanza", "delivery", "body", "bulletin"):
        db.executemany(f"DELETE FROM {child} WHERE seq = ?", gone)  # noqa: S608 - a constant
    return len(old)
