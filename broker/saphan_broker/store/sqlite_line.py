"""One SQLite connection and the one thread that uses it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from saphan_broker.store import sqlite_file

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Line:
    """Runs work on its connection, in the order it was asked for; the event loop only waits.

    Args:
        directory: where the store is.
        name: of the thread, for whoever looks at the process.
        read_only: the connection refuses every write.
    """

    def __init__(self, directory: Path, name: str, *, read_only: bool = False) -> None:
        self.connection: Final = sqlite_file.connect(directory, read_only=read_only)
        self._thread: Final = ThreadPoolExecutor(1, f"store-{name}")

    def run(self, work: Work[T]) -> asyncio.Future[T]:
        """Start work as soon as the thread is free. Once begun it ends, cancelled or not."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work, self.connection)

    def look(self, work: Work[T]) -> asyncio.Future[T]:
        """The same for queries, which all see one state of the store."""
        return self.run(lambda db: in_snapshot(db, work))

    def close(self) -> None:
        """Wait for what has begun, then close the connection; blocks."""
        self._thread.shutdown(wait=True)
        self.connection.close()


def in_snapshot(db: sqlite3.Connection, work: Work[T]) -> T:
    """Run queries on one state of the store."""
    db.execute("BEGIN")
    try:
        return work(db)
    finally:
        db.execute("COMMIT")
