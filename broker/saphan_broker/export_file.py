"""Files that an export leaves behind: whole and durable under their name, or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from saphan_schemas.errors import OperatorError

from saphan_broker.private_files import sync_directory


@contextmanager
def new_file(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file that must not exist; it gets its name when the block has ended without an error.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`, `disk_full`.
    """
    if path.exists():
        raise OperatorError(
            "file_exists",
            f"{path} exists and is not overwritten",
            field="out",
            hint="name a file that does not exist yet",
        )
    with _whole(path, mode) as file:
        yield file


def put_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write or replace a public file; raises as `new_file`, but never `file_exists`."""
    with _whole(path, mode) as file:
        file.write(data)


@contextmanager
def _whole(path: Path, mode: int) -> Iterator[BinaryIO]:
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # what a crash left
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
    except OSError as error:
        raise file_error(path, error) from None


def file_error(path: Path, error: OSError) -> OperatorError:
    """What the file system refused, in words."""
    if error.errno == errno.ENOSPC:
        return OperatorError(
            "disk_full",
            f"the disk of {path} is full; nothing was left there",
            field="out",
            hint="free some space, or name a file on another disk",
        )
    return OperatorError(
        "file_unwritable",
        f"{path} cannot be written: {error.strerror or error}",
        field="out",
        hint="the folder must exist and belong to the one who runs this",
    )
