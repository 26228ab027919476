"""Rows of retention: the day on which each bulletin is erased here, and what is sealed until then.

A day only ever comes nearer; a hold does not move it, it stands beside it (`node.holding`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Final

from saphan_schemas.errors import Refused

from saphan.node.rows.db import Database

ACTIVE: Final = "active"
DUE_REVIEW: Final = "due_review"
EXTENDED: Final = "extended"
HELD: Final = "held"
DELETING: Final = "deleting"
DELETED: Final = "deleted"
PART: Final = 256
"""Bulletins in one query, and in one transaction that erases."""


class Keeping:
    """Changes of retention rows, each in a transaction of the caller's."""

    @staticmethod
    def bring_forward(tx: sqlite3.Connection, bulletin: bytes, day: int, rule: str) -> bool:
        """Erase a bulletin on `day` (days since 1970-01-01) instead of later; False: no change.

        Args:
            rule: a code of `erased`, why it is that day.
        """
        done = tx.execute(
            "UPDATE retention SET near = ?1, near_rule = ?2,"
            " rule = CASE WHEN day > ?1 THEN ?2 ELSE rule END, day = min(day, ?1)"
            " WHERE seq = (SELECT seq FROM bulletins WHERE id = ?3)"
            " AND coalesce(near, retain) > ?1 AND erased IS NULL",
            (day, rule, bulletin),
        )
        return done.rowcount == 1

    @staticmethod
    def seal(tx: sqlite3.Connection, bulletin: bytes, why: str) -> bool:
        """Show what it says to nobody from now on (`why`: a word, such as recalled); idempotent."""
        done = tx.execute(
            "UPDATE retention SET sealed = ? WHERE seq = (SELECT seq FROM bulletins WHERE id = ?)"
            " AND sealed IS NULL AND erased IS NULL",
            (why, bulletin),
        )
        return done.rowcount == 1

    @staticmethod
    def unseal(tx: sqlite3.Connection, bulletin: bytes) -> None:
        """Show it again to those who may see it."""
        tx.execute(
            "UPDATE retention SET sealed = NULL"
            " WHERE seq = (SELECT seq FROM bulletins WHERE id = ?)",
            (bulletin,),
        )


def sealed_among(db: Database, bulletins: Collection[bytes]) -> dict[bytes, str]:
    """Those of the bulletins that are sealed, each with the word why."""
    return dict(
        _among(db, bulletins, "b.id, r.sealed", "r.sealed IS NOT NULL AND r.erased IS NULL")
    )


def is_sealed(db: Database, bulletin: bytes) -> bool:
    """Whether what it says is shown to nobody, though it is still here."""
    return bool(sealed_among(db, (bulletin,)))


def erased_among(db: Database, bulletins: Collection[bytes]) -> dict[bytes, str]:
    """Those of the bulletins that this node has erased, each with the rule by which it did."""
    return dict(_among(db, bulletins, "b.id, r.rule", "r.erased IS NOT NULL"))


def check_here(db: Database, bulletin: bytes) -> None:
    """Refuse to open what was erased.

    Raises:
        Refused: `bulletin_erased`.
    """
    rule = erased_among(db, (bulletin,)).get(bulletin)
    if rule is not None:
        raise Refused(
            "bulletin_erased",
            f"this node has erased what this bulletin said ({rule})",
            field="id",
            hint=f"see when and why: saphan retention show {bulletin.hex()[:16]}",
        )


def _among(
    db: Database, bulletins: Collection[bytes], what: str, where: str
) -> list[tuple[bytes, str]]:
    found: list[tuple[bytes, str]] = []
    wanted = list(set(bulletins))
    for at in range(0, len(wanted), PART):
        part = wanted[at : at + PART]
        marks = ",".join("?" * len(part))
        found += [
            (row[0], row[1])
            for row in db.rows(
                f"SELECT {what} FROM bulletins b JOIN retention r USING (seq)"  # noqa: S608
                f" WHERE {where} AND b.id IN ({marks})",
                part,
            )
        ]
    return found
