"""The archive key of a day goes when the day has come and nothing is left under it.

1. What a hold keeps is wrapped anew under a later day's key, which is durable before the
   transaction that refers to it.
2. Then the key of the old day is overwritten and removed. A crash before that leaves both keys, and
   the next look removes the old one; a crash after it has nothing left to do.
Only from here on is what was under the day unreadable in an older copy of the store, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS

from saphan.node.archive import (
    AUTHOR_TYPE,
    FACTS_TYPE,
    REASON_TYPE,
    WORDS_TYPE,
    WRAP_TYPE,
    Archive,
)
from saphan.node.drafts_kept import EXPIRED, WAITING
from saphan.node.files.blobs import BlobFiles
from saphan.node.rows.db import Database

PART: Final = 256
"""Bulletins wrapped anew in one transaction."""


class ArchiveDays:
    """Of one node; runs in the frames' thread; blocking."""

    def __init__(self, db: Database, archive: Archive, files: BlobFiles) -> None:
        self._db = db
        self._archive = archive
        self._files = files

    def end(self, today: int) -> int:
        """Destroy the key of every day up to `today`; how many.

        Whatever is due has been erased before: what is left under such a day is held.

        Raises:
            OperatorError: the disk, or a key that does not open what is held; the other days are
                ended, and the next look tries it again.
        """
        ended, failed = 0, None
        for day in self._archive.days():
            if day > today:
                break
            try:
                self._end_drafts(day)
                self._rewrap(day, today + LIMITS.held_days)
                self._archive.destroy(day)
            except OperatorError as error:
                failed = error
                continue
            ended += 1
        if failed is not None:
            raise failed
        return ended

    def _end_drafts(self, day: int) -> None:
        """Nobody signs second what was to be kept until today."""
        rows = self._db.rows(
            "SELECT id FROM countersigning WHERE day = ? AND state = ?", (day, WAITING)
        )
        if not rows:
            return
        with self._db.transaction() as tx:
            tx.execute(
                "UPDATE countersigning SET state = ?, sealed = NULL WHERE day = ? AND state = ?",
                (EXPIRED, day, WAITING),
            )
        for (draft,) in rows:
            self._files.remove(draft)

    def _rewrap(self, old: int, new: int) -> None:
        """Step 1. What rests under a day is due on it, or was before: a day only comes nearer."""
        after = (-1, -1)
        while rows := self._db.rows(
            "SELECT r.day, b.seq, b.id, b.wrapped, b.author, w.sealed, r.facts FROM retention r"
            " JOIN bulletins b USING (seq) LEFT JOIN thread_words w USING (seq)"
            " WHERE r.erased IS NULL AND r.day <= ?1 AND (r.day, r.seq) > (?2, ?3)"
            " AND b.wrap_day = ?1 ORDER BY r.day, r.seq LIMIT ?4",
            (old, *after, PART),
        ):
            after = (rows[-1][0], rows[-1][1])
            with self._db.transaction() as tx:
                for _, *row in rows:
                    self._one(tx, row, old, new)

    def _one(self, tx: sqlite3.Connection, row: Sequence[Any], old: int, new: int) -> None:
        seq, bulletin, wrapped, author, words, facts = row

        def move(sealed: bytes | None, kind: str) -> bytes | None:
            return self._archive.move(sealed, bulletin, old, new, kind)

        tx.execute(
            "UPDATE bulletins SET wrap_day = ?, wrapped = ?, author = ? WHERE seq = ?",
            (new, move(wrapped, WRAP_TYPE), move(author, AUTHOR_TYPE), seq),
        )
        if words is not None:
            tx.execute(
                "UPDATE thread_words SET sealed = ? WHERE seq = ?", (move(words, WORDS_TYPE), seq)
            )
        tx.execute("UPDATE retention SET facts = ? WHERE seq = ?", (move(facts, FACTS_TYPE), seq))
        for table, key in (("details", bulletin), ("retention_decisions", seq)):
            place, column, name = _REASONS[table]
            for row_id, reason in tx.execute(
                f"SELECT {place}, {column} FROM {table} WHERE {name} = ?"  # noqa: S608 - constants
                f" AND {column} IS NOT NULL",
                (key,),
            ).fetchall():
                tx.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {name} = ? AND {place} = ?",  # noqa: S608 - constants
                    (move(reason, REASON_TYPE), key, row_id),
                )


_REASONS: Final = {
    "details": ("issuer", "wrapped", "bulletin"),
    "retention_decisions": ("id", "reason", "seq"),
}
"""Tables with reasons of a bulletin: what tells its rows apart, the column, and its key."""
