"""Rows of sealed bytes that travel in parts: what is here, what is missing, what goes first.

Place 0 is a ciphertext that was put off, i the attachment i-1. A received bulletin whose parts are
not all here is not handed over; it waits with the code `WAITING`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from saphan_protocol.admission import Admitted
from saphan_schemas.records import Blob, Blobs

from saphan.node.feed_entry import Seen
from saphan.node.files.blobs import BlobFiles
from saphan.node.rows.db import Database

MISSING: Final = 0
HERE: Final = 1
BROUGHT: Final = 2
GONE: Final = 3
"""Destroyed: its length and digest stay, because the bulletin's id covers them."""
WAITING: Final = "waiting_for_parts"
"""Code of a delivery whose attachments are still on their way."""
_LOOK: Final = 64
"""Bulletins that one look finds; the next look follows when they are done."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A received bulletin with parts to fetch: (place, what it must be)."""

    bulletin: bytes
    urgency: int
    parts: tuple[tuple[int, Blob], ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A waiting consignment whose attachments the broker may lack.

    Attributes:
        row: of the consignment; brought: the broker has said that it holds all of them, or has
            logged the bulletin before.
    """

    row: int
    bulletin: bytes
    urgency: int
    brought: bool
    blobs: Blobs


def parts_of(seen: Seen, admitted: Admitted) -> list[tuple[int, Blob]]:
    """What of an arrived bulletin comes in parts."""
    late = [] if isinstance(seen.raw.ciphertext, bytes) else [(0, admitted.ciphertext)]
    return [*late, *enumerate(admitted.attachments, 1)]


def keep_parts(tx: sqlite3.Connection, bulletin: bytes, attachments: Blobs, stage: int) -> None:
    """Note a bulletin's attachments; those that are known stay as they are."""
    keep_rows(tx, bulletin, list(enumerate(attachments, 1)), stage)


def keep_rows(
    tx: sqlite3.Connection, bulletin: bytes, parts: Iterable[tuple[int, Blob]], stage: int
) -> None:
    """Note parts by their places."""
    tx.executemany(
        "INSERT INTO parts VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(bulletin, place, blob.length, blob.digest, stage) for place, blob in parts],
    )


def mark(tx: sqlite3.Connection, bulletin: bytes, stage: int, place: int | None = None) -> None:
    """Set one part's stage, or that of all parts."""
    if place is None:
        tx.execute("UPDATE parts SET stage = ? WHERE bulletin = ?", (stage, bulletin))
    else:
        tx.execute(
            "UPDATE parts SET stage = ? WHERE bulletin = ? AND place = ?", (stage, bulletin, place)
        )


def mark_lost(tx: sqlite3.Connection, bulletin: bytes, agency: str) -> None:
    """A received bulletin's parts are not what they were; our own nobody can give us again."""
    tx.execute(
        "UPDATE parts SET stage = 0 WHERE bulletin = ?1 AND EXISTS (SELECT 1 FROM bulletins b"
        " WHERE b.id = ?1 AND b.sender != ?2)",
        (bulletin, agency),
    )


def attachments_of(db: Database, bulletins: Iterable[bytes]) -> dict[bytes, Blobs]:
    """Sealed attachments of those bulletins that have any, in order."""
    found: dict[bytes, Blobs] = {}
    wanted = list(set(bulletins))
    for at in range(0, len(wanted), 256):
        part = wanted[at : at + 256]
        marks = ",".join("?" * len(part))
        for bulletin, length, digest in db.rows(
            "SELECT bulletin, length, digest FROM parts"  # noqa: S608
            f" WHERE place > 0 AND bulletin IN ({marks}) ORDER BY bulletin, place",
            part,
        ):
            found[bulletin] = (*found.get(bulletin, ()), Blob(length, digest))
    return found


def lacking(db: Database, bulletins: Iterable[bytes]) -> set[bytes]:
    """Those of the bulletins that have a part which is not here."""
    found: set[bytes] = set()
    wanted = list(set(bulletins))
    for at in range(0, len(wanted), 256):
        part = wanted[at : at + 256]
        marks = ",".join("?" * len(part))
        query = f"SELECT bulletin FROM parts WHERE stage = 0 AND bulletin IN ({marks})"  # noqa: S608
        found.update(bulletin for (bulletin,) in db.rows(query, part))
    return found


def known(db: Database, bulletin: bytes) -> bool:
    """Whether any part of this bulletin was noted before."""
    return db.row("SELECT 1 FROM parts WHERE bulletin = ? LIMIT 1", (bulletin,)) is not None


def next_missing(db: Database, agency: str, skipped: Iterable[bytes] = ()) -> list[Missing]:
    """Received bulletins with parts to fetch: urgent ones first, then as they came.

    One that was handed over or accepted already is among them after a lost store or a bad disk.
    CROSS JOIN: from the few missing parts, never from all that was ever accepted.
    """
    left_out = set(skipped)
    rows = db.rows(
        "SELECT DISTINCT b.id, b.urgency, b.seq FROM parts p"
        " CROSS JOIN bulletins b ON b.id = p.bulletin"
        " CROSS JOIN deliveries d ON d.bulletin = b.id AND d.recipient = ?"
        " WHERE p.stage = 0 AND (d.state IN ('handed_over', 'unanswered', 'accepted', 'read')"
        " OR (d.state = 'submitted' AND d.code = ?))"
        " ORDER BY b.urgency DESC, b.seq LIMIT ?",
        (agency, WAITING, _LOOK + len(left_out)),
    )
    return [
        Missing(bulletin, urgency, _rows(db, bulletin, MISSING))
        for bulletin, urgency, _ in rows
        if bulletin not in left_out
    ]


def next_outgoing(db: Database, skipped: Iterable[int] = ()) -> list[Outgoing]:
    """Waiting consignments with attachments, but for some rows: urgent ones first."""
    left_out = set(skipped)
    rows = db.rows(
        "SELECT c.id, c.bulletin, c.urgency,"
        " EXISTS (SELECT 1 FROM consignments l WHERE l.bulletin = c.bulletin"
        "  AND l.state = 'logged'),"
        " NOT EXISTS (SELECT 1 FROM parts q WHERE q.bulletin = c.bulletin AND q.stage != ?)"
        " FROM consignments c WHERE c.state = 'waiting'"
        " AND EXISTS (SELECT 1 FROM parts p WHERE p.bulletin = c.bulletin)"
        " ORDER BY c.urgency DESC, c.id LIMIT ?",
        (BROUGHT, _LOOK + len(left_out)),
    )
    blobs = attachments_of(db, [row[1] for row in rows])
    return [
        Outgoing(row, bulletin, urgency, bool(logged or brought), blobs[bulletin])
        for row, bulletin, urgency, logged, brought in rows
        if row not in left_out
    ]


def _rows(db: Database, bulletin: bytes, stage: int) -> tuple[tuple[int, Blob], ...]:
    rows = db.rows(
        "SELECT place, length, digest FROM parts WHERE bulletin = ? AND stage = ? ORDER BY place",
        (bulletin, stage),
    )
    return tuple((place, Blob(length, digest)) for place, length, digest in rows)


def sweep(db: Database, files: BlobFiles, agency: str) -> None:
    """Take away files that a crash left, and those of bulletins that nobody here will ever see."""
    rows = db.rows(
        "SELECT DISTINCT p.bulletin FROM parts p WHERE p.stage < 3"
        " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.bulletin = p.bulletin"
        " AND d.recipient = ? AND d.state IN ('rejected', 'recalled', 'expired'))",
        (agency,),
    )
    drafts = db.rows("SELECT id FROM countersigning WHERE state = 'waiting'")
    files.sweep({name.hex() for (name,) in [*rows, *drafts]})
