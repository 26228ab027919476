"""One SQLite connection and the one thread that uses it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from saphan_broker.store import sqlite_file

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_Look = tuple[Work[Any], asyncio.Future[Any]]
_Found = tuple[asyncio.Future[Any], Any, Exception | None]


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
        self._looks: list[_Look] = []

    def run(self, work: Work[T]) -> asyncio.Future[T]:
        """Start work as soon as the thread is free. Once begun it ends, cancelled or not."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work, self.connection)

    def look(self, work: Work[T]) -> asyncio.Future[T]:
        """The same for queries, which all see one state of the store.

        What is asked for in one turn of the event loop goes to the thread in one piece: waking a
        thread, and the loop again, costs more than most queries.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._looks.append((work, future))
        if len(self._looks) == 1:
            loop.call_soon(self._look_all)
        return future

    def _look_all(self) -> None:
        looks, self._looks = self._looks, []
        try:
            job = self.run(lambda db: in_snapshot(db, lambda _: [_one(db, look) for look in looks]))
        except RuntimeError as error:  # closed meanwhile
            _tell([(future, None, error) for _, future in looks])
            return
        job.add_done_callback(lambda done: _tell_all(done, looks))

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


def _one(db: sqlite3.Connection, look: _Look) -> _Found:
    work, future = look
    try:
        return future, work(db), None
    except Exception as error:
        return future, None, error


def _tell_all(job: asyncio.Future[list[_Found]], looks: Sequence[_Look]) -> None:
    if job.cancelled():
        for _, future in looks:
            future.cancel()
        return
    error = job.exception()
    if isinstance(error, Exception):  # there was no snapshot to look at
        _tell([(future, None, error) for _, future in looks])
    else:
        _tell(job.result())


def _tell(found: Sequence[_Found]) -> None:
    """Answer whoever still waits; a failed look fails nobody else's."""
    for future, value, error in found:
        if future.done():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
