"""What the trouble of a desk's store is called, and what to do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError, SaphanError, Unavailable

BUSY_SECONDS: Final = 10.0
_OF_THE_MACHINE: Final = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)


def failed(path: Path, error: sqlite3.Error) -> SaphanError:
    """Only a file that is no store any more is said to be damaged: people move those away."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return OperatorError(
            "desk_disk_full",
            "there is no room left for this desk's store; nothing of this step was kept",
            hint="free space on this disk, then give the same command again",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable(
            "desk_busy",
            f"another program has been writing to this desk for {BUSY_SECONDS:.0f} s",
            field="desk",
            hint="wait for it or end it, then give the same command again; nothing is lost",
        )
    if code in _OF_THE_MACHINE:
        return OperatorError(
            "file_unwritable",
            f"{path} cannot be used: {error}",
            hint="check that the folder exists, has room and belongs to you",
        )
    return damaged(path, str(error))


def damaged(path: Path, why: str) -> OperatorError:
    """A row does not open, or the file is no store."""
    return OperatorError(
        "desk_store_damaged",
        f"{path} cannot be used: {why}",
        field="desk",
        hint="what was not sent is lost; everything else comes again: move the file away and "
        "give the command again",
    )
