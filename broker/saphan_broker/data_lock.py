"""One `saphan-broker run` at a time works in a data directory, with one process or with several.

DATA/run.lock is held by the program that was started and by every process it has made, so that the
next one waits for the last of them. What protects the logs themselves is elsewhere: SQLite's own
lock, or the fence of the server's lease.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError

LOCK_NAME: Final = "run.lock"


@contextmanager
def locked(data: Path, *, make: bool = False) -> Iterator[int]:
    """Hold the lock for the block; gives its descriptor, for children to hold too.

    Args:
        make: make the directory if it is not there: nothing of a shared store lies in it.

    Raises:
        OperatorError: `store_locked`, `store_missing`, `directory_unusable`.
    """
    if make:
        _make(data)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(data / LOCK_NAME, flags, 0o600)
    except FileNotFoundError:
        raise OperatorError(
            "store_missing",
            f"there is no data directory {data}",
            field="data",
            hint="name the directory that `saphan-broker init --data` made",
        ) from None
    except OSError as error:
        raise _unusable(data, error) from None
    try:
        _lock(descriptor, data)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, data: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OperatorError(
            "store_locked",
            f"another `saphan-broker run` works in {data}, or a process of it still ends",
            field="data",
            hint="stop it first; for more processes give one run --processes N",
        ) from None


def _make(data: Path) -> None:
    try:
        data.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unusable(data, error) from None


def _unusable(data: Path, error: OSError) -> OperatorError:
    return OperatorError(
        "directory_unusable",
        f"{data} cannot be used: {error.strerror}",
        field="data",
        hint="the directory above it must exist, and its owner must be the one who runs this",
    )
