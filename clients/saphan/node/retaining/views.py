"""What the store says of retention, for people: totals of a plan, rows of a list, one bulletin."""

from __future__ import annotations

from typing import Any, Final

from saphan_schemas.codec import decode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Header

from saphan.node.archive import Archive
from saphan.node.bulletins import unknown
from saphan.node.retention.erasing import HeldAmong
from saphan.node.retention.keeping import HELD
from saphan.node.rows.db import Database, Row

Json = dict[str, Any]
NAMED: Final = 64
"""Bulletins that a plan names one by one; of all of them it has the totals."""
HELD_NOW: Final = (
    "(EXISTS (SELECT 1 FROM held h WHERE h.bulletin = b.id)"
    " OR EXISTS (SELECT 1 FROM hold_unsorted u WHERE u.seq = b.seq))"
)
_SIZE: Final = (
    "coalesce((SELECT length(y.ciphertext) FROM bodies y WHERE y.seq = b.seq), 0)"
    " + coalesce((SELECT sum(p.length) FROM parts p WHERE p.bulletin = b.id AND p.stage < 3), 0)"
)
_ROW: Final = (
    "SELECT r.seq, b.id, b.sender, b.header, r.state, r.day, r.rule, r.planned, r.planned_rule,"
    " r.review, r.retain, r.closed, r.closing, r.extended, r.sealed, r.erased"
    " FROM retention r JOIN bulletins b USING (seq)"
)


def planned(db: Database, held: HeldAmong, today: int, days: int) -> Json:
    """Totals by day of what would be erased before `today` + `days`, by the rules that are meant.

    `acting`: whether a line is one of those that the node acts by already; held ones stay, and are
    counted apart; `reviews`: whom people are asked about by then.
    """
    until = today + days
    would = "min(r.retain, coalesce(r.near, r.retain), coalesce(r.planned, r.retain))"
    rule = (
        "CASE WHEN r.near <= min(r.retain, coalesce(r.planned, r.retain)) THEN r.near_rule"
        " WHEN r.planned < r.retain THEN r.planned_rule ELSE 'due' END"
    )
    lines = db.rows(
        f"SELECT {would} AS day, {rule} AS rule, r.day <= {would}, count(*), sum({_SIZE}),"  # noqa: S608 - constants
        f" sum({HELD_NOW}) FROM retention r JOIN bulletins b USING (seq)"
        " WHERE r.erased IS NULL AND (r.day < ?1 OR r.planned < ?1)"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2",
        (until,),
    )
    named = db.rows(
        f"{_ROW} WHERE r.erased IS NULL AND (r.day < ?1 OR r.planned < ?1)"
        " ORDER BY min(r.day, coalesce(r.planned, r.day)), r.seq LIMIT ?2",
        (until, NAMED),
    )
    asked = db.row(
        "SELECT count(*) FROM retention WHERE erased IS NULL AND review < ? AND state != ?",
        (until, "due_review"),
    )
    names = ("day", "rule", "acting", "bulletins", "bytes", "held")
    return {
        "until": until,
        "lines": [dict(zip(names, row, strict=True)) | {"acting": bool(row[2])} for row in lines],
        "bulletins": _rows(held, named),
        "reviews": 0 if asked is None else asked[0],
    }


def rows_of(db: Database, held: HeldAmong, state: str | None, after: int, limit: int) -> list[Json]:
    """A page of a list: of all states, or of one; `held` is one of them."""
    where, values = "", list[object]()
    if state == HELD:
        where = f" AND r.erased IS NULL AND {HELD_NOW}"
    elif state is not None:
        where, values = " AND r.state = ?", [state]
    rows = db.rows(
        f"{_ROW} WHERE r.seq > ?{where} ORDER BY r.seq LIMIT ?",
        (after, *values, limit),
    )
    return _rows(held, rows)


def shown(db: Database, archive: Archive, held: HeldAmong, bulletin: bytes) -> Json:
    """How one bulletin stands, with what people decided about it.

    Raises:
        InvalidInput: `bulletin_unknown`.
    """
    row = db.row(f"{_ROW} WHERE b.id = ?", (bulletin,))
    if row is None:
        raise unknown(bulletin)
    (found,) = _rows(held, [row])
    day = db.row("SELECT wrap_day FROM bulletins WHERE id = ?", (bulletin,))
    assert day is not None
    decisions = db.rows(
        "SELECT time, who, decision, until, reason FROM retention_decisions WHERE seq = ?"
        " ORDER BY id",
        (row[0],),
    )
    return found | {
        "decisions": [
            {
                "time": time,
                "by": who,
                "decision": decision,
                "until": until,
                "reason": None if reason is None else archive.reason(reason, bulletin, day[0]),
            }
            for time, who, decision, until, reason in decisions
        ]
    }


def _rows(held: HeldAmong, rows: list[Row]) -> list[Json]:
    kept = held([row[1] for row in rows if row[15] is None]) if rows else set()
    return [_one(row, row[1] in kept) for row in rows]


def _one(row: Row, held: bool) -> Json:
    seq, bulletin, sender, data, state, day, rule, planned, planned_rule, review = row[:10]
    retain, closed, closing, extended, sealed, erased = row[10:]
    header = decode(Header, data, LIMITS.header_bytes, "header")
    return {
        "seq": seq,
        "id": bulletin.hex(),
        "sender": sender,
        "schema": header.schema,
        "state": HELD if held else state,
        "day": day,
        "rule": rule,
        "planned": planned,
        "planned_rule": planned_rule,
        "review": review,
        "retain_until": retain,
        "closed": closed,
        "closing": closing,
        "extended_until": extended or None,
        "sealed": sealed,
        "erased": erased,
    }
