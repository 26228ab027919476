"""The SQLite engine's files: one lock per directory, creation by rename, format check on opening.

broker.db       the store, mode 0600, with broker.db-wal and broker.db-shm beside it
broker.lock     held with flock by the one process that has the store open
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from importlib import resources
from pathlib import Path
from typing import Final

from saphan_protocol.merkle import EMPTY_ROOT
from saphan_schemas.errors import OperatorError

from saphan_broker.store.base import FORMAT, LOGS
from saphan_broker.store.sqlite_bodies import bring_bodies

STORE_NAME: Final = "broker.db"
LOCK_NAME: Final = "broker.lock"
APPLICATION_ID: Final = 0x53617068
"""`Saph` in SQLite's header: another program's database is refused before it is touched."""
PAGE_BYTES: Final = 16 * 1024
"""A bulletin of 8 KiB lies in one page: with pages of 4 KiB a group of 64 costs a third more
processor time, and a lone bulletin no less."""
BUSY_MS: Final = 5_000
"""Another process's write, or its look at the whole file, is waited for so long."""
CACHED_STATEMENTS: Final = 512
"""Each due-day has a table of its own, and there are about four hundred of them."""
CACHE_KIB: Final = 16 * 1024
READER_CACHE_KIB: Final = 2 * 1024
"""What is read is read once, mostly; a receiver that catches up must not cost three full caches."""


def lock(directory: Path) -> int:
    """Take the store's lock; the descriptor holds it until it is closed.

    Raises:
        OperatorError: `store_locked`, `store_missing` when there is no such directory.
    """
    try:
        held = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise _missing(directory) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise OperatorError(
            "store_locked",
            f"another process has the store in {directory} open",
            field="data",
            hint="stop the other broker process, or give this one a --data of its own",
        ) from None
    return held


def check_vacant(directory: Path) -> None:
    """Refuse a directory in which a store must not get its name.

    Raises:
        OperatorError: `store_exists`; `store_remains`: SQLite would write what another store's
            WAL holds into the new one.
    """
    if (directory / STORE_NAME).exists():
        raise OperatorError(
            "store_exists",
            f"there is already a store in {directory}",
            field="data",
            hint="run the broker on it, or name an empty directory; it is never written over",
        )
    wal = directory / f"{STORE_NAME}-wal"
    if wal.exists():
        raise OperatorError(
            "store_remains",
            f"{wal} belongs to a {STORE_NAME} that was moved away, and holds its last commits",
            field="data",
            hint="move it to where that file is, under the same name with -wal",
        )


def create(directory: Path) -> None:
    """Make an empty store of the newest format; a crash leaves none or a whole one.

    Raises:
        OperatorError: as `check_vacant`. OSError: the disk is full, or worse.
    """
    check_vacant(directory)
    final, fresh = directory / STORE_NAME, directory / f"{STORE_NAME}.new"
    # What a crash in an earlier `create` left is nobody's: it never had the final name.
    for suffix in ("", "-wal", "-shm", "-journal"):
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _fill(fresh)
    except sqlite3.Error as error:
        full = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, f"SQLite says: {error}", str(final)) from None
    sync_path(fresh)
    fresh.rename(final)
    sync_path(directory)


def _fill(fresh: Path) -> None:
    connection = sqlite3.connect(fresh, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(f"BEGIN; {_script(0)}")
        bring_bodies(connection)
        rows = [(number, EMPTY_ROOT) for number in range(len(LOGS))]
        connection.executemany("INSERT INTO log (log, size, root, time) VALUES (?, 0, ?, 0)", rows)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute("COMMIT")
        # Closing would do that too, and not say that it failed: the file gets its name alone.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()


def upgrade(directory: Path) -> None:
    """Bring a store of an older format up to this program's, in one transaction.

    Meanwhile the WAL is as long as the store.

    Raises:
        OperatorError: as `connect`; `disk_full`: it is still of the older format.
    """
    connection = connect(directory, older=True)
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found < FORMAT:
            _upgrade(connection, directory, found)
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise _no_room(directory) from None
        raise _unreadable(directory, error) from None
    finally:
        connection.close()


def _upgrade(connection: sqlite3.Connection, directory: Path, found: int) -> None:
    # New indices are sorted on the store's own disk: in memory those of a million bulletins would
    # need 400 MB, and /tmp may be memory too.
    place = str(directory.resolve()).replace("'", "''")
    connection.execute(f"PRAGMA temp_store_directory='{place}'")
    connection.execute("PRAGMA temp_store=FILE")
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {_script(found)}")
        bring_bodies(connection)
        connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute("COMMIT")
    finally:
        connection.execute("PRAGMA temp_store_directory=''")


def _script(after: int) -> str:
    """Every step from format `after` (0: nothing is there) to this program's."""
    folder = resources.files("saphan_broker.store").joinpath("sql")
    steps = [folder.joinpath(f"{number:04d}.sql") for number in range(after + 1, FORMAT + 1)]
    return "".join(step.read_text(encoding="utf-8") for step in steps)


def connect(directory: Path, *, read_only: bool = False, older: bool = False) -> sqlite3.Connection:
    """Open the store's file, which must exist and be of this program's format, or an older one.

    Raises:
        OperatorError: `store_missing`, `store_unreadable`, `store_foreign`, `store_format_newer`,
            `store_format_older`.
    """
    path = directory / STORE_NAME
    if not path.is_file():
        raise _missing(directory)
    uri = f"{path.resolve().as_uri()}?mode=rw"  # never creates
    try:
        connection = sqlite3.connect(
            uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
    except sqlite3.Error as error:
        raise _unreadable(directory, error) from None
    try:
        found = check_format(connection, directory)
        if found < FORMAT and not older:
            raise _older(directory, found)
        _configure(connection, read_only)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise _unreadable(directory, error) from None
        raise
    return connection


def _configure(connection: sqlite3.Connection, read_only: bool) -> None:
    # FULL: the WAL is synced at each commit, so a commit that returned survives a power cut.
    connection.execute("PRAGMA synchronous=FULL")
    # Checkpoints run between commits on a thread of their own (docs/adr/0003).
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA foreign_keys=ON")
    # What is removed is overwritten, in its page and when a page becomes free; what a statement
    # would have to undo is not written to a file of its own.
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    cache = READER_CACHE_KIB if read_only else CACHE_KIB
    connection.execute(f"PRAGMA cache_size=-{cache}")
    connection.execute(f"PRAGMA query_only={int(read_only)}")


def check_format(connection: sqlite3.Connection, directory: Path) -> int:
    """The store's format; refuses what this program did not write, and what a newer one did."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID or found < 1:
        raise OperatorError(
            "store_foreign",
            f"{directory / STORE_NAME} is not a store of this program",
            field="data",
            hint="name the directory that `saphan-broker init` made",
        )
    if found > FORMAT:
        raise OperatorError(
            "store_format_newer",
            f"the store has format {found}, this program knows formats up to {FORMAT}",
            field="data",
            hint="run the program version that wrote the store, or a newer one",
        )
    return int(found)


def _older(directory: Path, found: int) -> OperatorError:
    return OperatorError(
        "store_format_older",
        f"the store in {directory} has format {found}, this program writes format {FORMAT}",
        field="data",
        hint="start the broker once: it brings the store up to date",
    )


def sync_path(path: Path) -> None:
    """fsync a file, or a directory after a rename in it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _no_room(directory: Path) -> OperatorError:
    return OperatorError(
        "disk_full",
        f"the store in {directory} is of an older format, and its disk has no room to change it",
        field="data",
        hint="free as much space as the store has, then start again; nothing was changed",
    )


def _unreadable(directory: Path, error: sqlite3.Error) -> OperatorError:
    return OperatorError(
        "store_unreadable",
        f"the store in {directory} cannot be opened: {error}",
        field="data",
        hint="check the file's owner and the disk; the store may need to be restored",
    )


def _missing(directory: Path) -> OperatorError:
    return OperatorError(
        "store_missing",
        f"there is no store in {directory}",
        field="data",
        hint="make one with `saphan-broker init`, or restore it from a backup",
    )
