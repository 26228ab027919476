"""Which officer was shown what, and when: a record for every showing and every reading.

A showing is durable before the answer leaves. A list that is fetched every minute says nothing new,
so a showing is one record per bulletin, officer, kind and UTC day; every signed reading is one of
its own (R1, R2 of schemas/spec/officers.md). The records stay in the node.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from saphan_schemas.limits import DAY_MS

from saphan.node.rows.db import Database

Json = dict[str, Any]
LISTED: Final = "listed"
"""A row of a list: the header, who wrote it, how it stands."""
STATUS: Final = "status"
"""Its life: deliveries and signed events."""
ATTACHMENT: Final = "attachment"
"""Bytes of an attachment."""
READ: Final = "read"
"""The content, after the officer's signed reading."""
DRAFT: Final = "draft"
"""A bulletin that waits for a second officer: a row of the list, before it is read."""
LOOKED_UP: Final = 256

_KNOWN: Final = (
    "SELECT bulletin FROM showings WHERE record IS NULL AND handle = ? AND kind = ? AND day = ?"
)
"""`record IS NULL`: so that SQLite finds the index of showings."""
_KEEP: Final = (
    "INSERT INTO showings (bulletin, handle, kind, day, time) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_KEEP_READING: Final = (
    "INSERT INTO showings (bulletin, handle, kind, day, time, record, signature)"
    " VALUES (?, ?, 'read', ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_ALIKE: Final = (
    "SELECT id FROM bulletins WHERE id BETWEEN ?1 AND ?2"
    " UNION SELECT id FROM countersigning WHERE id BETWEEN ?1 AND ?2 OR bulletin BETWEEN ?1 AND ?2"
    " LIMIT ?3"
)


class Showings:
    """The records of one node; blocking. `clock` gives ms UTC."""

    def __init__(self, db: Database, clock: Callable[[], int]) -> None:
        self._db = db
        self._clock = clock

    def note(self, handle: str, kind: str, bulletins: Iterable[bytes]) -> None:
        """Keep that an officer is shown bulletins; durable when it returns.

        Args:
            kind: one of this module's, but `READ`.

        Raises:
            OperatorError: the disk; then nothing may be shown.
        """
        now = self._clock()
        day = now // DAY_MS
        new = self._unknown(handle, kind, day, list(dict.fromkeys(bulletins)))
        if new:
            with self._db.transaction() as tx:
                tx.executemany(_KEEP, [(one, handle, kind, day, now) for one in new])

    def rows(
        self,
        after: int,
        limit: int,
        handle: str | None = None,
        bulletins: Sequence[bytes] | None = None,
    ) -> list[Json]:
        """Records in their order; `seq` is the place to go on from.

        Args:
            handle: of this officer; bulletins: of these. None: of all.
        """
        where: str = "seq > ?"
        values: list[object] = [after]
        if handle is not None:
            where, values = f"{where} AND handle = ?", [*values, handle]
        if bulletins is not None:
            marks = ",".join("?" * len(bulletins))
            where, values = f"{where} AND bulletin IN ({marks})", [*values, *bulletins]
        rows = self._db.rows(
            "SELECT seq, time, handle, kind, bulletin, record, signature FROM showings"  # noqa: S608
            f" WHERE {where} ORDER BY seq LIMIT ?",
            (*values, limit),
        )
        return [
            {
                "seq": seq,
                "time": time,
                "officer": officer,
                "kind": kind,
                "id": shown.hex(),
                "record": None if record is None else record.hex(),
                "signature": None if signature is None else signature.hex(),
            }
            for seq, time, officer, kind, shown, record, signature in rows
        ]

    def alike(self, low: bytes, high: bytes) -> list[bytes]:
        """What is on record under an id between these two: bulletins, and what waited for a second
        officer, also if it became one of these bulletins then."""
        return [one for (one,) in self._db.rows(_ALIKE, (low, high, LOOKED_UP))]

    def has_read(self, handle: str, bulletin: bytes) -> bool:
        """Whether an officer has signed that they read it."""
        query = "SELECT 1 FROM showings WHERE record IS NOT NULL AND bulletin = ? AND handle = ?"
        return self._db.row(f"{query} LIMIT 1", (bulletin, handle)) is not None

    def read(self, handle: str, bulletin: bytes, record: bytes, signature: bytes) -> None:
        """Keep a signed reading of what is no bulletin yet; durable when it returns."""
        with self._db.transaction() as tx:
            keep_reading(tx, bulletin, handle, self._clock(), record, signature)

    def _unknown(self, handle: str, kind: str, day: int, bulletins: list[bytes]) -> list[bytes]:
        """Those that have no record of this day yet: what nobody has to write is not written."""
        known: set[bytes] = set()
        for at in range(0, len(bulletins), LOOKED_UP):
            part = bulletins[at : at + LOOKED_UP]
            marks = ",".join("?" * len(part))
            query = f"{_KNOWN} AND bulletin IN ({marks})"
            known.update(one for (one,) in self._db.rows(query, (handle, kind, day, *part)))
        return [one for one in bulletins if one not in known]


def keep_reading(
    tx: sqlite3.Connection, bulletin: bytes, handle: str, now: int, record: bytes, signature: bytes
) -> None:
    """Keep an officer's signed reading beside what they were shown; the same one again is one."""
    tx.execute(_KEEP_READING, (bulletin, handle, now // DAY_MS, now, record, signature))
