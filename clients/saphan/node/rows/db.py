"""The node's store: one SQLite file, WAL, every commit on disk before it is answered.

One connection writes, under a lock, from worker threads only; a second one reads, so that a status
page never waits for a batch. An exclusive lock on a file beside it keeps a second node away.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from saphan_schemas.errors import OperatorError

from saphan.durable import make_folder
from saphan.node.rows.schema import APPLICATION_ID, FORMAT, SCHEMA, UPGRADES

Row = tuple[Any, ...]
BUSY_SECONDS: Final = 5.0


class Database:
    """Open (or create) the store in `folder`.

    Raises:
        OperatorError: `node_locked`, `store_newer`, `store_foreign`, `store_damaged`,
            `disk_full`, `file_unwritable`.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._guard = _lock(folder / "node.lock")
        path = folder / "node.db"
        try:
            _create(path)
            self._writer = _connect(path)
            _prepare(self._writer, path)
            self._reader = _connect(path)
        except BaseException:
            os.close(self._guard)
            raise
        self._writing = threading.RLock()
        self._reading = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Finish what has begun and free the lock; idempotent."""
        with self._writing, self._reading:
            if self._closed:
                return
            self._closed = True
            self._reader.close()
            self._writer.close()
            os.close(self._guard)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; durable when the block ends without an error. Never on the event loop.

        Raises:
            OperatorError: `disk_full`, `store_damaged`; nothing was kept.
        """
        with self._writing:
            self._check_open()
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException as error:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _explain(error) from error
                raise

    def truncate(self) -> bool:
        """Bring the journal into the store and cut it, so that it holds no page of what is gone.

        False: another reader (a backup) holds it; the next one that asks does it.

        Raises:
            OperatorError: `disk_full`, `store_damaged`.
        """
        with self._writing, self._reading:
            self._check_open()
            try:
                busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.Error as error:
                raise _explain(error) from error
        return not busy

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a read; it sees every transaction that has ended."""
        with self._reading:
            self._check_open()
            try:
                return self._reader.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise _explain(error) from error

    def row(self, query: str, values: Sequence[object] = ()) -> Row | None:
        """The first row of a read."""
        found = self.rows(query, values)
        return found[0] if found else None

    def _check_open(self) -> None:
        if self._closed:
            raise OperatorError("store_closed", "the node is shutting down")


def _lock(path: Path) -> int:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise OperatorError(
            "node_locked",
            f"another node runs on {path.parent}",
            hint="stop the other one; two nodes on one directory would answer twice",
        ) from None
    return handle


def _create(path: Path) -> None:
    """A file that nobody else may read, before the first connection and never after it.

    Closing any descriptor of the file takes this process's locks off it. Whoever then closed a
    connection of their own (a backup, a person who looks) would be the last one to SQLite, and take
    away the journal into which this node goes on writing.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unwritable(path, error) from None


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise _explain(error) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and owner != APPLICATION_ID:
            raise OperatorError("store_foreign", f"{path} is not a node's store")
        if found > FORMAT:
            raise OperatorError(
                "store_newer",
                f"{path} has format {found}; this program knows formats up to {FORMAT}",
                hint="install the newer Saphan again, or restore a backup made before the upgrade",
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(
            "PRAGMA temp_store = MEMORY"
        )  # a file of it would outlive what is erased
        # 16 MiB: hot pages are copied back once in thousands of bulletins, not in hundreds.
        connection.execute("PRAGMA wal_autocheckpoint = 4096")
        _bring_up(connection, found if tables else 0)
    except sqlite3.Error as error:
        raise _explain(error) from error


def _bring_up(connection: sqlite3.Connection, found: int) -> None:
    """Make the tables (`found` 0), or add what an older release did not have; all or nothing."""
    if found == FORMAT:
        return
    made = "" if found else f"{SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
    added = "".join(UPGRADES[number] for number in range(max(found, 1) + 1, FORMAT + 1))
    connection.executescript(f"BEGIN; {made}{added} PRAGMA user_version = {FORMAT}; COMMIT;")


def _explain(error: sqlite3.Error) -> OperatorError:
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return OperatorError(
            "disk_full",
            "there is no room left for the node's store; nothing of this step was kept",
            hint="free space on this disk; the node takes up its work again by itself",
        )
    return OperatorError(
        "store_damaged",
        f"the node's store cannot be used: {error}",
        hint="check the disk; if it stays so, restore the node's backup",
    )


def _unwritable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        "file_unwritable",
        f"{path} cannot be opened: {error.strerror}",
        hint="check that the folder exists, has room and belongs to the service user",
    )
