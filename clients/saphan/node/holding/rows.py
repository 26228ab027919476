"""Which bulletins are held, as the node's store says it: asked before anything is destroyed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from saphan_schemas.errors import Unavailable

from saphan.node.rows.db import Database

PART: Final = 256
"""Bulletins in one query."""
_ERASED: Final = "EXISTS (SELECT 1 FROM retention r WHERE r.seq = b.seq AND r.erased IS NOT NULL)"
"""Of which a hold keeps nothing here, but what the broker still has."""
_HELD: Final = (
    "SELECT b.id FROM bulletins b WHERE b.id IN ({marks})"  # noqa: S608 - a constant
    " AND (EXISTS (SELECT 1 FROM held h WHERE h.bulletin = b.id)"
    " OR EXISTS (SELECT 1 FROM hold_unsorted u WHERE u.seq = b.seq))"
    f" AND NOT {_ERASED}"
)


def held_among(db: Database, bulletins: Collection[bytes]) -> set[bytes]:
    """Those of the bulletins of which nothing may be destroyed now.

    A hold keeps them; or it is not known yet whether one does: they have just come, or the terms
    of a hold in force are not here, then that is all of them.
    """
    if scope_missing(db):
        return set(bulletins)
    found: set[bytes] = set()
    wanted = list(set(bulletins))
    for at in range(0, len(wanted), PART):
        part = wanted[at : at + PART]
        marks = ",".join("?" * len(part))
        found |= {one for (one,) in db.rows(_HELD.format(marks=marks), part)}
    return found


def is_held(db: Database, bulletin: bytes) -> bool:
    """Whether a hold in force is known to keep it here; `held_among` says what may be destroyed."""
    query = (
        "SELECT 1 FROM held h JOIN bulletins b ON b.id = h.bulletin"  # noqa: S608 - a constant
        f" WHERE h.bulletin = ? AND NOT {_ERASED} LIMIT 1"
    )
    return db.row(query, (bulletin,)) is not None


def hold_unsure() -> Unavailable:
    """Neither is known: that a hold keeps it, and that none does."""
    return Unavailable(
        "hold_unsure",
        "whether a hold keeps this bulletin is not known yet",
        field="id",
        hint="try again in a moment; if it stays so, see: saphan hold list",
        retry_after_ms=5_000,
    )


def holds_of(db: Database, bulletin: bytes) -> list[bytes]:
    """Names of the holds in force that are known to name it, erased here or not."""
    rows = db.rows("SELECT hold FROM held WHERE bulletin = ? ORDER BY hold", (bulletin,))
    return [name for (name,) in rows]


def scope_missing(db: Database) -> bool:
    """Whether a hold is in force whose terms are not here."""
    query = "SELECT 1 FROM holds WHERE known = 0 AND released IS NULL LIMIT 1"
    return db.row(query) is not None
