"""The index of references: keyed hashes beside the bulletins they stand in (spec/retention.md).

The key is a file of its own beside the archive keys: whoever has the database alone can ask nothing
of the index, not even whether a name is in it. Rows go with their bulletins, by a trigger.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saphan_protocol.identity import pae_array, sha256
from saphan_schemas.errors import OperatorError

from saphan.durable import replace_file
from saphan.node.rows.db import Database
from saphan.private import read_private
from saphan.subjects.references import KINDS, NAME_LIKE, Reference

KEY_NAME: Final = "subject.key"
KEY_BYTES: Final = 32
HASH_BYTES: Final = 16
"""Of a hash in the index: two of a hundred million references meet once in ten billion billions."""
SUBJECT_TYPE: Final = "saphan/subject/1"
_KEY_FACT: Final = "subject_key"
_GONE_FACT: Final = "subjects_gone"
"""Set by a trigger of the store when a bulletin's rows go."""


@dataclass(frozen=True, slots=True)
class Found:
    """A bulletin in which a reference stands, and the surest kind under which it was found."""

    seq: int
    kind: str


class SubjectIndex:
    """The index of one node; `renewed`: its key was made anew, and everything is indexed again.

    Args:
        folder: the node's data; the key file is made if it is missing.

    Raises:
        OperatorError: `key_file_exposed`, `subject_key_damaged`, `file_unwritable`.
    """

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._key = _load(folder / KEY_NAME)
        self.renewed = self._adopt()

    def __repr__(self) -> str:
        return "<SubjectIndex>"

    def token(self, reference: Reference) -> bytes:
        """What stands for a reference in this node's store: 16 bytes; nobody tells it back."""
        named = pae_array(SUBJECT_TYPE, [reference.kind, reference.value])
        return hmac.digest(self._key, named, "sha256")[:HASH_BYTES]

    def keep(self, tx: sqlite3.Connection, seq: int, references: Iterable[Reference]) -> None:
        """Index a bulletin; one that was destroyed meanwhile is not, and waits no longer."""
        tx.executemany(
            "INSERT OR IGNORE INTO subjects SELECT ?1, ?2, ?3"
            " WHERE EXISTS (SELECT 1 FROM bodies WHERE seq = ?2)",
            [(self.token(one), seq, KINDS.index(one.kind)) for one in references],
        )
        tx.execute("DELETE FROM unindexed WHERE seq = ?", (seq,))

    def find(self, references: Iterable[Reference]) -> list[Found]:
        """Bulletins in which one of the references stands, in the order of their places."""
        tokens = {self.token(one) for one in references}
        if not tokens:
            return []
        marks = ",".join("?" * len(tokens))
        rows = self._db.rows(
            f"SELECT seq, kind FROM subjects WHERE token IN ({marks})"  # noqa: S608
            " ORDER BY kind = ? DESC, kind DESC",
            [*tokens, KINDS.index(NAME_LIKE)],
        )
        surest: dict[int, int] = dict(rows)  # the last one of a place counts: what only sounds
        return [Found(seq, KINDS[surest[seq]]) for seq in sorted(surest)]  # like it comes first

    def waiting(self) -> int:
        """How many bulletins are not in the index yet."""
        row = self._db.row("SELECT count(*) FROM unindexed")
        return 0 if row is None else int(row[0])

    def settle(self) -> bool:
        """Write the table anew if rows have gone from it; whether it was.

        A page that was split has left copies of its rows behind, which the deletion of a row does
        not reach. The old pages are overwritten whole (`secure_delete`), the journal is cut.

        Raises:
            OperatorError: the disk; nothing has changed.
        """
        if self._db.row("SELECT 1 FROM facts WHERE name = ?", (_GONE_FACT,)) is None:
            return False
        with self._db.transaction() as tx:
            tx.execute("CREATE TEMP TABLE live AS SELECT * FROM subjects ORDER BY token, seq")
            tx.execute("DELETE FROM subjects")
            tx.execute("INSERT INTO subjects SELECT * FROM live ORDER BY token, seq")
            tx.execute("DROP TABLE temp.live")
            tx.execute("DELETE FROM facts WHERE name = ?", (_GONE_FACT,))
        self._db.truncate()
        return True

    def _adopt(self) -> bool:
        """Rows under another key would never be found again: they are made anew."""
        digest = sha256(self._key)
        row = self._db.row("SELECT value FROM facts WHERE name = ?", (_KEY_FACT,))
        if row is not None and row[0] == digest:
            return False
        with self._db.transaction() as tx:
            tx.execute("DELETE FROM subjects")
            tx.execute(
                "INSERT OR IGNORE INTO unindexed SELECT seq FROM bulletins WHERE wrapped IS NOT"
                " NULL"
            )
            tx.execute("REPLACE INTO facts VALUES (?, ?)", (_KEY_FACT, digest))
        return row is not None


def _load(path: Path) -> bytes:
    if not path.exists():
        # A crash right after this leaves a key that nothing was kept under: harmless.
        replace_file(path, os.urandom(KEY_BYTES))
    key = read_private(path, 2 * KEY_BYTES, "subject key")
    if len(key) != KEY_BYTES:
        raise OperatorError(
            "subject_key_damaged",
            f"{path} has {len(key)} bytes, not {KEY_BYTES}",
            field="subject.key",
            hint="restore it from the backup of the keys; or remove it: the index is made anew, and"
            " what was suppressed is not recognized any more",
        )
    return key
