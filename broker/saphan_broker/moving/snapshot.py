"""A SQLite store's file as it is at one instant, taken beside the broker that writes to it.

By SQLite's own backup, inside one read transaction: the writer goes on meanwhile, and what it
commits is not in the copy. No lock of the store is taken. The WAL is not begun anew until the copy
is done, so it may grow by what is written in that time.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError

from saphan_broker.export_file import file_error
from saphan_broker.moving.damage import damaged
from saphan_broker.store import sqlite_file

STEP_PAGES: Final = 256
"""Pages copied at once, 4 MiB."""


def take_snapshot(data: Path, out: Path, progress: Callable[[int, int], None]) -> None:
    """Copy the store in `data` into `out`, a directory; blocks.

    Its file gets its name when it is whole, checked and durable; what a crash leaves under another
    name is overwritten by the next try.

    Args:
        progress: told (pages done, pages).

    Raises:
        OperatorError: `store_*`, `store_damaged`, `disk_full`, `file_unwritable`.
    """
    fresh = out / f"{sqlite_file.STORE_NAME}.new"
    try:
        _forget(fresh)
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(data, fresh, progress)
        sqlite_file.sync_path(fresh)
        _forget(out / sqlite_file.STORE_NAME)  # an earlier try's WAL would be read into this one
        fresh.rename(out / sqlite_file.STORE_NAME)
        sqlite_file.sync_path(out)
    except OSError as error:
        raise file_error(fresh, error) from None
    except sqlite3.Error as error:
        raise _failed(fresh, error) from None
    finally:
        _forget(fresh)


def _forget(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _failed(fresh: Path, error: sqlite3.Error) -> OperatorError:
    code = error.sqlite_errorcode & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return file_error(fresh, OSError(errno.ENOSPC, "no space left"))
    if code == sqlite3.SQLITE_IOERR:  # it does not say which of the two files
        return file_error(fresh, OSError(errno.EIO, str(error)))
    return damaged(f"SQLite says: {error}")


def _copy(data: Path, fresh: Path, progress: Callable[[int, int], None]) -> None:
    with (
        closing(sqlite_file.connect(data, read_only=True)) as source,
        closing(sqlite3.connect(fresh, isolation_level=None)) as target,
    ):
        source.execute("BEGIN")
        source.execute("SELECT size FROM log").fetchone()  # from here on this is what is seen
        source.backup(
            target,
            pages=STEP_PAGES,
            progress=lambda _status, left, pages: progress(pages - left, pages),
            sleep=0,
        )
        source.execute("COMMIT")
        (said,) = target.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise damaged(f"SQLite says: {said}")
