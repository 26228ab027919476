"""The SQLite engine's write-ahead log: what a commit adds to it, and moving it into the file."""

from __future__ import annotations

import logging
import sqlite3
from typing import Final

from saphan_broker.store import sqlite_file
from saphan_broker.store.base import Commit

_logger = logging.getLogger(__name__)

COMMIT_BYTES: Final = 26 * sqlite_file.PAGE_BYTES
"""What a commit and its note cost in the WAL, however little they say: whole pages of all trees."""
ROW_BYTES: Final = 24 * 1024
"""What an entry costs beside its record: its share of the pages of six trees, 20 KiB in a small
store and 60 in one of 200,000 entries."""
FORGOTTEN_BYTES: Final = 24 * 1024
"""What forgetting one costs: a statement's identity has a page of its own, mostly."""
DESTROYED_BYTES: Final = 8 * 1024
"""What removing a stanza or a ciphertext costs: pages that held a few of them."""


def move(db: sqlite3.Connection) -> tuple[int, int]:
    """Passive checkpoint: bytes in the WAL, and bytes that are nowhere else.

    A failure costs nothing but WAL length. A WAL that is moved whole is begun anew by the next
    write.
    """
    try:
        _busy, in_wal, moved = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error as error:
        _logger.warning("the WAL was not moved into the store's file: %s", error)
        return 0, 0
    return int(in_wal) * sqlite_file.PAGE_BYTES, int(in_wal - moved) * sqlite_file.PAGE_BYTES


def size(commit: Commit) -> int:
    """About how many bytes a commit with its note adds to the WAL: half of it to twice that."""
    parts = [*commit.leaves, *commit.tiles.values(), *commit.packages.values()]
    bodies = sum(len(row.header) + len(row.ciphertext) for row in commit.bulletins)
    records = sum(len(row.record) for row in commit.entries)
    stanzas = sum(len(row.sealed) for row in commit.stanzas)
    rows = ROW_BYTES * len(commit.entries)
    rows += DESTROYED_BYTES * (len(commit.destroyed) + len(commit.bodiless))
    return COMMIT_BYTES + sum(map(len, parts)) + rows + bodies + records + stanzas


def truncate(db: sqlite3.Connection) -> bool:
    """Move the WAL into the file and cut it off; False: somebody still reads an older state.

    On the writer's thread, outside a transaction: a commit comes before or after it. It does not
    wait for a reader, because commits would wait with it. A disk that does not take what the WAL
    holds costs nothing but its length, and another try.
    """
    db.execute("PRAGMA busy_timeout=0")
    try:
        busy, _in_wal, _moved = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        _logger.warning("the WAL was not moved into the store's file: %s", error)
        return False
    finally:
        db.execute(f"PRAGMA busy_timeout={sqlite_file.BUSY_MS}")
    return not busy
