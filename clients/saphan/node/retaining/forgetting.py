"""Rows whose own, longer life is over: what is left of a bulletin when its records are due.

An erased bulletin leaves records: header, entries with their salts, statements, who read it. They
go `LIMITS.record_days` after its last day. The log keeps its leaves, which say nothing any more.
"""

from __future__ import annotations

from typing import Final

from saphan_schemas.limits import LIMITS

from saphan.node.rows.db import Database

PORTION: Final = 64
"""Bulletins of one transaction."""


class Forgetting:
    """Of one node; runs in the frames' thread; blocking."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._looked = -1

    def look(self, today: int) -> int:
        """Take away the rows of what is over; how many bulletins. Idempotent.

        Raises:
            OperatorError: the disk; the next look goes on.
        """
        total = 0
        if today == self._looked:
            return total
        while rows := self._db.rows(
            "SELECT r.seq, b.id FROM retention r JOIN bulletins b USING (seq)"
            " WHERE r.state = 'deleted' AND r.retain <= ? LIMIT ?",
            (today - LIMITS.record_days, PORTION),
        ):
            self._forget([(seq, bulletin) for seq, bulletin in rows])
            total += len(rows)
        self._looked = today
        return total

    def _forget(self, found: list[tuple[int, bytes]]) -> None:
        by_id, by_seq = _tables(self._db)
        with self._db.transaction() as tx:
            tx.executemany(
                "DELETE FROM unproven WHERE idx IN (SELECT idx FROM entries WHERE bulletin = ?)",
                [(bulletin,) for _, bulletin in found],
            )
            for table in by_id:
                tx.executemany(
                    f"DELETE FROM {table} WHERE bulletin = ?",  # noqa: S608 - of the schema
                    [(bulletin,) for _, bulletin in found],
                )
            for table in by_seq:
                tx.executemany(
                    f"DELETE FROM {table} WHERE seq = ?",  # noqa: S608 - of the schema
                    [(seq,) for seq, _ in found],
                )


def _tables(db: Database) -> tuple[list[str], list[str]]:
    """Tables whose rows belong to one bulletin, by its id and by its place: whatever is added to
    the schema later is among them."""
    rows = db.rows(
        "SELECT m.name, group_concat(p.name) FROM sqlite_schema m JOIN pragma_table_info(m.name) p"
        " WHERE m.type = 'table' GROUP BY m.name ORDER BY m.name"
    )
    columns = {table: set(names.split(",")) for table, names in rows}
    by_id = [table for table, names in columns.items() if "bulletin" in names]
    by_seq = [
        table for table, names in columns.items() if "seq" in names and "bulletin" not in names
    ]
    return by_id, by_seq
