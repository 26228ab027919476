"""What the present evidence log has said of the directory: the newest anchors, by their indices."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Sequence

from saphan_protocol.checkpoint import Head
from saphan_protocol.evidence import anchor_leaf
from saphan_protocol.merkle import leaf_hash, verify_inclusion
from saphan_schemas.codec import encode
from saphan_schemas.errors import OperatorError
from saphan_schemas.frames import AnchorProof

from saphan.node.rows.db import Database


class Anchors:
    """The anchors of one log that its node was told.

    Args:
        first: stored place of the log's first leaf.
    """

    def __init__(self, db: Database, first: int) -> None:
        self._first = first
        rows = db.rows("SELECT idx, size FROM anchors WHERE idx >= ? ORDER BY idx", (first,))
        self._at: list[int] = [place - first for place, _ in rows]
        self._sizes: list[int] = [size for _, size in rows]

    @property
    def newest(self) -> int:
        """Directory size of the newest one; 0 before any."""
        return self._sizes[-1] if self._sizes else 0

    def before(self, index: int) -> int | None:
        """Directory size of the last one before the entry at `index`; None: none was told."""
        place = bisect_left(self._at, index)
        return self._sizes[place - 1] if place else None

    def check(self, anchor: AnchorProof, head: Head) -> None:
        """An anchor's leaf is in the log, and it never falls.

        Raises:
            InvalidInput: `proof_inclusion`; OperatorError: `anchor_falls`.
        """
        leaf = leaf_hash(anchor_leaf(anchor.size, anchor.root))
        verify_inclusion(anchor.index, head.size, leaf, anchor.path, head.root)
        if anchor.size < self.newest:
            raise OperatorError(
                "anchor_falls",
                f"the anchor at {anchor.index} names {anchor.size} directory leaves after "
                f"{self.newest}",
                hint="the log contradicts itself: tell its operator and the other agencies",
            )

    def keep(self, tx: sqlite3.Connection, told: AnchorProof, head_size: int) -> None:
        """Persist one that was checked under the head of this size."""
        tx.execute(
            "INSERT INTO anchors VALUES (?, ?, ?, ?, ?) ON CONFLICT (idx) DO UPDATE"
            " SET head_size = excluded.head_size, path = excluded.path",
            (self._first + told.index, told.size, told.root, head_size, encoded_path(told.path)),
        )

    def adopt(self, told: AnchorProof) -> None:
        """Make a persisted one the newest."""
        if not self._at or told.index > self._at[-1]:
            self._at.append(told.index)
            self._sizes.append(told.size)


def encoded_path(path: Sequence[bytes]) -> bytes:
    """An inclusion path as it rests beside its entry."""
    return encode(list(path))
