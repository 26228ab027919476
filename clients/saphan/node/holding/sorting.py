"""Bulletins held against the holds in force, a part at a time: those that a new hold must look at,
and those that have come since. What is sorted is a row of `held`, or free.

A crash between two parts repeats nothing that is decided; until its turn comes a bulletin counts as
held (`rows.held_among`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from saphan_protocol.hold_order import parse_terms

from saphan.node.archive import Archive
from saphan.node.holding.scope import Candidate, Scope, candidates
from saphan.node.rows.db import Database

PART: Final = 256
"""Bulletins in one transaction; of each a content of 64 KiB may be opened."""
_KEEP: Final = (
    "INSERT OR IGNORE INTO held SELECT b.id, ?, 0 FROM bulletins b"
    " LEFT JOIN retention r USING (seq) WHERE b.id = ? AND (r.erased IS NULL OR EXISTS"
    " (SELECT 1 FROM entries e WHERE e.bulletin = b.id AND e.event = 'submitted' AND NOT EXISTS"
    " (SELECT 1 FROM entries g WHERE g.bulletin = b.id AND g.event = 'destroyed'"
    " AND g.recipient = e.recipient)))"
)
"""Whatever is here, or at the broker still."""


class Sorting:
    """Runs in the frames' thread, where bulletins are stored; blocking."""

    def __init__(self, agency: str, db: Database, archive: Archive) -> None:
        self._agency = agency
        self._db = db
        self._archive = archive

    def look(self, after: int) -> int | None:
        """Sort the next part, above place `after`; where to go on, None: that was all.

        Raises:
            OperatorError: the disk, an archive key.
        """
        if self._db.row("SELECT 1 FROM hold_unsorted WHERE seq > ? LIMIT 1", (after,)) is None:
            return None
        scopes = self._scopes()
        read = any(scope.reads for scope in scopes)
        found = candidates(self._db, self._archive, self._agency, after, PART, read=read)
        if not found:
            return None
        with self._db.transaction() as tx:
            for scope in scopes:
                self._keep(tx, scope, found)
            decided = [
                (one.seq,) for one in found if all(scope.holds(one) is not None for scope in scopes)
            ]
            tx.executemany("DELETE FROM hold_unsorted WHERE seq = ?", decided)
        return found[-1].seq

    def _scopes(self) -> list[Scope]:
        rows = self._db.rows(
            "SELECT h.name, o.terms FROM holds h JOIN hold_orders o ON o.name = h.name"
            " WHERE h.released IS NULL AND h.known = 1"
        )
        return [Scope(name, parse_terms(terms).scope, self._db) for name, terms in rows]

    @staticmethod
    def _keep(tx: sqlite3.Connection, scope: Scope, found: Sequence[Candidate]) -> None:
        """Those it names; and what belongs to its threads by one that has just come."""
        named = {one.bulletin for one in found if scope.holds(one)} | scope.members
        tx.executemany(
            _KEEP,
            [(scope.name, bulletin) for bulletin in named],
        )
