"""One backup or restore at a time: what a killed one left behind is then nobody's any more."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from saphan_schemas.errors import Unavailable

from saphan.backup.new_file import disk_errors


@contextmanager
def alone(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[None]:
    """Hold a lock on a file or folder inside the block.

    Raises:
        Unavailable: `backup_running`; OperatorError: `file_unwritable`.
    """
    with disk_errors(path):
        handle = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(
                "backup_running",
                f"another backup or restore works at {path}",
                field="dir",
                hint="wait until it has ended, then do the same again",
                retry_after_ms=60_000,
            ) from None
        yield
    finally:
        os.close(handle)
