"""A node that came out of a backup: it listens first, and never is the witness that it was.

Between the backup and its loss the node has said things that its store does not know. So it says
nothing before it has heard everything that its corridors held when the session opened: no
statement is signed twice, nothing is consigned twice, nobody is shown anything on an old state.
The witness key is good only if it was enrolled after the restore: what the old one has signed last,
no backup can know.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from saphan_schemas.codec import decode
from saphan_schemas.directory_records import Operation, SignedOperation
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import LeafType

from saphan.node.logs import Logs
from saphan.node.rows.db import Database

RESTORED: Final = "restored"
"""Fact: ms UTC of the last restore, by this machine's clock."""
CATCHING_UP: Final = "catching_up"
LISTENING: Final = "listening"
"""Fact: 1 until the node has heard what it missed."""


def mark_restored(tx: sqlite3.Connection, now: int) -> None:
    """Note in a restored store that it is one; `now` in ms UTC.

    The tokens of its local API do not come back: some may have been revoked since the backup.
    """
    known = tx.execute("SELECT 1 FROM sqlite_schema WHERE name = 'tokens'").fetchone()
    if known is not None:  # a store of an older format has none
        tx.execute("DELETE FROM tokens")
    tx.executemany(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [(RESTORED, now), (LISTENING, 1)],
    )


class Restored:
    """What a node must not do because it was restored; of a node that never was, nothing.

    Attributes:
        at: ms UTC of the last restore, None if there was none.
        listening: whether it has not yet heard what it missed.
    """

    def __init__(self, db: Database, logs: Logs) -> None:
        self._db = db
        self._logs = logs
        self.at: int | None = self._fact(RESTORED)
        self.listening = bool(self._fact(LISTENING))
        self._allowed: set[bytes] = set()

    def _fact(self, name: str) -> int | None:
        row = self._db.row("SELECT value FROM facts WHERE name = ?", (name,))
        return None if row is None else int(row[0])

    def has_heard(self, newest: int | None, leaves: int) -> bool:
        """Whether the store holds what the broker named when the session opened.

        Args:
            newest: index in the evidence log; None: there was nothing.
            leaves: of the directory: a revocation since the backup is no entry of a corridor.
        """
        if self._logs.directory.size < leaves:
            return False
        return newest is None or (self._logs.after is not None and self._logs.after >= newest)

    def heard(self) -> None:
        """Everything was heard: from here on this is a node like any other. Durable on return.

        Raises:
            OperatorError: the disk; it goes on listening.
        """
        with self._db.transaction() as tx:
            tx.execute("DELETE FROM facts WHERE name = ?", (LISTENING,))
        self.listening = False

    def require_heard(self) -> None:
        """Refuse what must not happen on an old state.

        Raises:
            Unavailable: `catching_up`.
        """
        if self.listening:
            raise catching_up()

    def check_witness(self, key_id: bytes | None) -> None:
        """Refuse a witness key that may have signed what this node does not know.

        Args:
            key_id: of the key in its file; None: there is no such file.

        Raises:
            OperatorError: `witness_key_needed`.
        """
        if self.at is None or key_id in self._allowed:
            return
        if key_id is None:
            raise _needed("it has no witness key")
        added = self._enrolled_at(key_id)
        if added is None:
            raise _needed("its new witness key is not in the directory yet")
        if added <= self.at:
            raise _needed("its witness key is from before the restore")
        self._allowed.add(key_id)

    def _enrolled_at(self, key_id: bytes) -> int | None:
        """Time of the operation that added a key, ms UTC."""
        with self._logs.lock:
            info = self._logs.directory.find(key_id)
        row = info and self._db.row("SELECT leaf FROM leaves WHERE idx = ?", (info.added,))
        if not row or row[0][:1] != bytes((LeafType.OPERATION,)):
            return None
        signed = decode(SignedOperation, row[0][1:], LIMITS.leaf_bytes, "leaf")
        return decode(Operation, signed.operation, LIMITS.leaf_bytes, "operation").time


def catching_up() -> Unavailable:
    """What stands as an alarm while a restored node listens, and answers who would read."""
    return Unavailable(
        "catching_up",
        "this node was restored and has not yet heard what it missed; it says nothing until then",
        hint="keep its line to the broker open: saphan node status",
        retry_after_ms=10_000,
    )


def _needed(why: str) -> OperatorError:
    return OperatorError(
        "witness_key_needed",
        f"this node was restored, and cosigns nothing: {why}",
        field="witness",
        hint="make a new one and revoke the old one: saphan keys add witness",
    )
