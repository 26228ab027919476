"""A consistent copy of a node's store while the node works: SQLite's own backup, then a check."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError

from saphan.backup.new_file import disk_errors
from saphan.node.rows.schema import APPLICATION_ID

COPY_NAME: Final = ".backup.db"
_NO_ROOM: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


@contextmanager
def snapshot(database: Path) -> Iterator[Path]:
    """A copy of the store as of one moment, beside it, removed at the end of the block.

    One at a time: the caller sees to that.

    Raises:
        OperatorError: `store_missing`, `store_damaged`, `disk_full`, `file_unwritable`.
    """
    if not database.is_file():
        raise OperatorError(
            "store_missing",
            f"there is no store {database}: this node has never run",
            field="dir",
            hint="name the agency's folder with --dir; a node that never ran has nothing to save",
        )
    copy = database.with_name(COPY_NAME)
    _remove(copy)  # a killed backup's
    try:
        with disk_errors(copy):
            # Created here, so that nobody else may read it for a moment.
            os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        _copy(database, copy)
        yield copy
    finally:
        _remove(copy)


def _remove(copy: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            copy.with_name(f"{copy.name}{suffix}").unlink()


def _copy(database: Path, copy: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"file:{_quoted(database)}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            # A copy that is one file: nothing of it may stand in a journal beside it.
            target.execute("PRAGMA journal_mode = DELETE")
            (owner,) = target.execute("PRAGMA application_id").fetchone()
            (verdict,) = target.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) in _NO_ROOM:
            raise OperatorError(
                "disk_full",
                f"there is no room for a copy of the store beside {database}",
                field="dir",
                hint="free as much space as node.db takes; the node itself is not disturbed",
            ) from None
        raise _damaged(database, str(error)) from None
    if owner != APPLICATION_ID or verdict != "ok":
        raise _damaged(database, str(verdict)[:200])


def _quoted(path: Path) -> str:
    """A path inside a URI."""
    return path.absolute().as_uri().removeprefix("file:")


def _damaged(database: Path, why: str) -> OperatorError:
    return OperatorError(
        "store_damaged",
        f"{database} is damaged, so it is not saved over good backups: {why}",
        field="dir",
        hint="stop the node, check the disk, and restore the newest good backup",
    )
