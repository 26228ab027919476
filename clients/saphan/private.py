"""Files with secrets: read only if nobody but their owner can."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from saphan_schemas.errors import OperatorError

from saphan.durable import read_handle


def read_private(path: Path, max_bytes: int, name: str) -> bytes:
    """Bytes of a secret file, at most `max_bytes`; `name` is the field for errors.

    The mode is asked of the open file, so that it cannot be exchanged between check and reading.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`, `key_file_exposed` (others can read it).
        InvalidInput: `too_large`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise OperatorError(
            "file_missing",
            f"there is no file {path} ({name})",
            field=name,
            hint="check the name of the file, and the folder given with --dir",
        ) from None
    except OSError as error:
        raise _unreadable(path, name, error.strerror or "unknown reason") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _unreadable(path, name, "it is not a regular file")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise _exposed(path, name, stat.S_IMODE(found.st_mode))
        return read_handle(handle, max_bytes, path, name)
    except OSError as error:
        raise _unreadable(path, name, error.strerror or "unknown reason") from None
    finally:
        os.close(handle)


def _exposed(path: Path, name: str, mode: int) -> OperatorError:
    return OperatorError(
        "key_file_exposed",
        f"{path} can be read by others (mode {mode:04o}), so it is not used",
        field=name,
        hint=f"find out who could read it, then: chmod 600 {path}",
    )


def _unreadable(path: Path, name: str, why: str) -> OperatorError:
    return OperatorError("file_unreadable", f"{path} cannot be read: {why}", field=name)
