"""Gaps between kept heads: after a restore, or an upgrade, a head does not say what it continues.

Everything on its own side of a gap is proven all the same; only that both sides are of one history
is not shown. The broker is asked for the consistency path, once, and it is kept as any other step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saphan_protocol.merkle import verify_consistency
from saphan_protocol.shared_paths import read_path
from saphan_schemas.errors import InvalidInput
from saphan_schemas.proof_frames import Proofs
from saphan_schemas.records import HeadRef

from saphan.node.anchors import encoded_path
from saphan.node.logs import Logs
from saphan.node.rows.db import Database

_NEXT: Final = (
    "SELECT h.size, h.root, (SELECT min(n.size) FROM heads n WHERE n.origin = h.origin"
    " AND n.size > h.size) AS beyond FROM heads h WHERE h.origin = ?1 AND h.size > ?2"
    " AND beyond IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.start = h.size + ?3)"
    " AND (EXISTS (SELECT 1 FROM entries e WHERE e.head_size <= h.size AND e.idx >= ?3)"
    " OR EXISTS (SELECT 1 FROM anchors a WHERE a.head_size <= h.size AND a.idx >= ?3))"
    " ORDER BY h.size LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Gap:
    """Two kept heads without a step: nothing is kept between them."""

    old: HeadRef
    new: HeadRef


class Gaps:
    """Finds and closes the gaps of one node's store; asked once a session."""

    def __init__(self, db: Database, logs: Logs) -> None:
        self._db = db
        self._logs = logs

    @property
    def _origin(self) -> str:
        return self._logs.pins.evidence.origin

    def after(self, size: int) -> Gap | None:
        """The first gap above this size under which anything rests.

        Raises:
            OperatorError: the disk.
        """
        row = self._db.row(_NEXT, (self._origin, size, self._logs.first))
        if row is None:
            return None
        old, root, new = row
        return Gap(HeadRef(self._origin, old, root), self._head(new))

    def _head(self, size: int) -> HeadRef:
        row = self._db.row(
            "SELECT root FROM heads WHERE origin = ? AND size = ?", (self._origin, size)
        )
        if row is None:
            raise InvalidInput("head_missing", f"the head of {size} leaves has gone", field="head")
        return HeadRef(self._origin, size, row[0])

    def take(self, gap: Gap, frame: Proofs) -> None:
        """Check and keep the path that the broker answered; none leaves the gap.

        Raises:
            InvalidInput: `proof_consistency`, `malformed`; OperatorError: the disk.
        """
        if frame.code is not None:
            return
        if len(frame.consistency) != 1:
            raise InvalidInput("malformed", "other paths came than were asked for", field="proofs")
        path = read_path(frame.hashes, frame.consistency[0])
        verify_consistency(gap.old.size, gap.new.size, gap.old.root, gap.new.root, path)
        with self._db.transaction() as tx:
            tx.execute(
                # A head may have been let go meanwhile: then another gap is there to be found.
                "INSERT INTO steps SELECT ?5 + ?1, ?5 + ?2, ?3 WHERE 2 ="
                " (SELECT count(*) FROM heads WHERE origin = ?4 AND size IN (?1, ?2))"
                " ON CONFLICT (size) DO UPDATE SET start = excluded.start, path = excluded.path",
                (gap.new.size, gap.old.size, encoded_path(path), self._origin, self._logs.first),
            )
