"""Reckons the days of stored bulletins, behind them: none of them waits for it.

1. What is opened, named by another bulletin, extended, or judged by other rules than those that are
   meant has `reckoned` NULL; a trigger of the store or whoever changes it says so.
2. A portion is opened (once: its facts rest sealed beside it), its matter looked up, its days
   reckoned, and written in one transaction. A crash between leaves it to the next look.
3. `day` follows: of the rules only while they are armed.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from saphan_protocol.delivery import State
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import LAST_DAY, Header
from saphan_schemas.retention import RuleTable

from saphan.node.archive import Archive
from saphan.node.retaining.armed import Armed
from saphan.node.retaining.closings import FACTS_BYTES, Closings
from saphan.node.retention.content import content_of
from saphan.node.rows.db import Database, Row
from saphan.retention.facts import Facts, facts_of
from saphan.retention.reckoning import Closing, Days, Kept, reckon

PORTION: Final = 32
"""Bulletins of one transaction."""
RECKONED_FACT: Final = "retention_reckoned"
"""Digest of the rules by which all days were reckoned, or are to be."""
ACTING_FACT: Final = "retention_acting"
"""Digest of the rules that `day` heeds; empty: of none."""
KEY_LOST: Final = frozenset({"archive_key_gone", "archive_key_damaged"})
_ROWS: Final = (
    "SELECT r.seq, b.id, b.sender, b.header, b.header_id, b.wrapped, b.wrap_day, r.retain, r.facts,"
    " r.closed, r.closing, r.extended FROM retention r JOIN bulletins b USING (seq)"
    " WHERE r.erased IS NULL AND {} ORDER BY r.seq LIMIT ?"
)
DAY: Final = (
    "UPDATE retention SET day = min(retain, coalesce(near, retain),"
    " CASE WHEN ?1 THEN coalesce(planned, retain) ELSE retain END),"
    " rule = CASE WHEN near <= min(retain, CASE WHEN ?1 THEN coalesce(planned, retain)"
    " ELSE retain END) THEN near_rule WHEN ?1 AND planned < retain THEN planned_rule"
    " ELSE 'due' END WHERE erased IS NULL"
)
"""Step 3, of all rows; `?1` whether the rules act."""


@dataclass(frozen=True, slots=True)
class _Reckoned:
    seq: int
    bulletin: bytes
    days: Days | None
    facts: bytes | None
    closing: Closing | None
    fresh: bool


class Reckoner:
    """Of one node; blocking."""

    def __init__(
        self, agency: str, db: Database, archive: Archive, closings: Closings, armed: Armed
    ) -> None:
        self._agency = agency
        self._db = db
        self._archive = archive
        self._closings = closings
        self._armed = armed

    def begin(self) -> None:
        """Heed rules that have changed, or were armed, since the last look.

        Raises:
            OperatorError: the disk.
        """
        standing = self._armed.standing()
        acting = standing.digest if standing.acts else ""
        names = {RECKONED_FACT: standing.digest, ACTING_FACT: acting}
        known: dict[str, str] = dict(
            self._db.rows("SELECT name, value FROM facts WHERE name IN (?, ?)", tuple(names))
        )
        if known == names:
            return
        with self._db.transaction() as tx:
            if _changed(tx, RECKONED_FACT, standing.digest):
                tx.execute(
                    "UPDATE retention SET reckoned = NULL"
                    " WHERE facts IS NOT NULL OR planned IS NOT NULL"
                )
            if _changed(tx, ACTING_FACT, acting):
                tx.execute(DAY, (standing.acts,))

    def reckoned(self) -> str | None:
        """Digest of the rules by which the days here are reckoned since `begin`."""
        row = self._db.row("SELECT value FROM facts WHERE name = ?", (RECKONED_FACT,))
        return None if row is None else str(row[0])

    def step(self, bulletin: bytes | None = None) -> int:
        """Step 2, of a portion or of one bulletin; how many.

        Raises:
            OperatorError: the disk; nothing of the portion was kept.
        """
        if bulletin is None:
            rows = self._db.rows(_ROWS.format("r.reckoned IS NULL"), (PORTION,))
        else:
            rows = self._db.rows(_ROWS.format("b.id = ?"), (bulletin, 1))
        if not rows:
            return 0
        table, standing = self._armed.table, self._armed.standing()
        found = [self._one(row, table) for row in rows]
        with self._db.transaction() as tx:
            for one in found:
                self._write(tx, one, bytes.fromhex(standing.digest))
            tx.executemany(f"{DAY} AND seq = ?2", [(standing.acts, one.seq) for one in found])
        return len(found)

    def end(self, bulletin: bytes, extended: int) -> int:
        """The last day by the rules that are set, were it extended until a day; writes nothing."""
        row = self._db.row(_ROWS.format("b.id = ?"), (bulletin, 1))
        days = None if row is None else self._one((*row[:-1], extended), self._armed.table).days
        return LAST_DAY if days is None else days.erase

    def finish(self) -> None:
        """Reckon all that waits; raises as `step`."""
        while self.step():
            pass

    # --- inside -----------------------------------------------------------------------------------

    def _one(self, row: Row, table: RuleTable) -> _Reckoned:
        seq, bulletin, sender, data, _, _, wrap_day, retain, sealed, closed, closing, extended = row
        header = decode(Header, data, LIMITS.header_bytes, "header")
        facts, fresh = self._facts(row, header.schema)
        if facts is None:
            days = self._rejected(bulletin, retain, table)
            return _Reckoned(seq, bulletin, days, None, None, fresh=False)
        before = None if closed is None else Closing(closed, closing)
        found = self._closings.find(bulletin, sender, header.schema, facts) or before
        kept = Kept(
            schema=header.schema,
            created=header.created // DAY_MS,
            retain_until=retain,
            facts=facts,
            closing=found,
            extended=extended,
        )
        if sealed is None:
            sealed = self._archive.seal_facts(encode(facts), bulletin, wrap_day)
        days = reckon(kept, table)
        return _Reckoned(seq, bulletin, days, sealed, found, fresh or found != before)

    def _rejected(self, bulletin: bytes, retain: int, table: RuleTable) -> Days | None:
        """K7: what this agency has rejected is sealed bytes without their key."""
        row = self._db.row(
            "SELECT changed FROM deliveries WHERE bulletin = ? AND recipient = ? AND state = ?",
            (bulletin, self._agency, State.REJECTED.value),
        )
        if row is None:
            return None
        day = row[0] // DAY_MS + table.rejected_days
        return Days(day, "rejected", None) if day < retain else None

    def _facts(self, row: Row, schema: str) -> tuple[Facts | None, bool]:
        """Facts, and whether they were not known before; None of what does not open here."""
        _, bulletin, _, _, header_id, wrapped, wrap_day, _, sealed, *_ = row
        known = None if sealed is None else self._archive.facts(sealed, bulletin, wrap_day)
        if known is not None:
            return decode(Facts, known, FACTS_BYTES, "facts"), False
        body = self._db.row("SELECT ciphertext FROM bodies WHERE seq = ?", (row[0],))
        if wrapped is None or body is None:
            return None, False
        try:
            content = content_of(self._archive, bulletin, wrapped, wrap_day, header_id, body[0])
        except InvalidInput:
            return None, False  # it was accepted once: a disk that has changed it says so elsewhere
        except OperatorError as error:
            if error.code not in KEY_LOST:
                raise
            return None, False
        return facts_of(schema, content), True

    def _write(self, tx: sqlite3.Connection, one: _Reckoned, digest: bytes) -> None:
        if one.days is None:
            tx.execute("UPDATE retention SET reckoned = x'' WHERE seq = ?", (one.seq,))
            return
        days, closing = one.days, one.closing
        tx.execute(
            "UPDATE retention SET reckoned = ?, facts = ?, planned = ?, planned_rule = ?,"
            " review = ?, closed = ?, closing = ? WHERE seq = ? AND erased IS NULL",
            (
                digest,
                one.facts,
                days.erase,
                days.rule,
                days.review,
                None if closing is None else closing.day,
                None if closing is None else closing.word,
                one.seq,
            ),
        )
        if one.fresh:  # what it says may close the matter of those that it is in one thread with
            tx.executemany(
                "UPDATE retention SET reckoned = NULL WHERE erased IS NULL"
                " AND facts IS NOT NULL AND seq = (SELECT seq FROM bulletins WHERE id = ?)",
                [(other,) for other in self._closings.neighbours(one.bulletin)],
            )


def _changed(tx: sqlite3.Connection, name: str, value: str) -> bool:
    """Write a fact; whether it was another one before."""
    row = tx.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    if row is not None and row[0] == value:
        return False
    tx.execute(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
    return True
