"""Keyed hashes of whom a bulletin named that was recalled for the wrong person."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.subjects.references import ACCOUNT, KINDS, NAME, NUMBER, PHONE

WRONG_PERSON: Final = "wrong_person"
_KEPT: Final = ", ".join(str(KINDS.index(one)) for one in (NAME, PHONE, ACCOUNT))
_KEEP: Final = (
    "INSERT OR REPLACE INTO suppressed SELECT s.token, s.kind, ?2, ?3 FROM subjects s"  # noqa: S608
    " WHERE s.seq = (SELECT seq FROM bulletins WHERE id = ?1)"
    f" AND (s.kind IN ({_KEPT}) OR (s.kind = {KINDS.index(NUMBER)} AND NOT EXISTS"
    " (SELECT 1 FROM subjects o WHERE o.token = s.token AND o.seq != s.seq)))"
)


def keep_hashes(tx: sqlite3.Connection, bulletin: bytes, now: int) -> None:
    """Its names, telephones, accounts, and the numbers that nothing else here names.

    Args:
        now: ms UTC.
    """
    tx.execute(_KEEP, (bulletin, now, (now + LIMITS.suppression_ms) // DAY_MS))


def keep_of_erased(tx: sqlite3.Connection, bulletins: Iterable[bytes], now: int) -> None:
    """The same of what goes before anybody here has looked at its recall: a restored node hears
    that it had erased it."""
    for bulletin in bulletins:
        query = "SELECT 1 FROM recalled WHERE bulletin = ? AND code = ? AND answer IS NULL"
        if tx.execute(query, (bulletin, WRONG_PERSON)).fetchone() is not None:
            keep_hashes(tx, bulletin, now)
