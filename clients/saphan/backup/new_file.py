"""A large file that is written piece by piece: whole and durable under its name, or not there."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from saphan_schemas.errors import OperatorError

from saphan.durable import SECRET_MODE, sync_folder


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file, mode 0600, that gets its name when the block has ended without an error.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`, `disk_full`; nothing is left then.
    """
    if path.exists():
        raise OperatorError(
            "file_exists",
            f"{path} exists already and is not overwritten",
            field="out",
            hint="name a file that does not exist yet: backups do not replace each other",
        )
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        try:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()  # what a killed one left
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(part, flags, SECRET_MODE), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        sync_folder(path.parent)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """What the file system refuses inside the block, in words.

    Raises:
        OperatorError: `disk_full`, `file_unwritable`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OperatorError(
                "disk_full",
                f"the disk of {path} is full; nothing was left there",
                field="out",
                hint="free some space, or name a place on another disk",
            ) from None
        raise OperatorError(
            "file_unwritable",
            f"{path} cannot be written: {error.strerror or error}",
            field="out",
            hint="the folder must exist, have room and belong to the one who runs this",
        ) from None
