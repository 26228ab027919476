"""An attachment on its way to a file: staged beside it, checked, and then there, whole, or not.

What exists is never replaced; the file is its owner's alone, and never executable.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.records import Blob

from saphan.durable import SECRET_MODE, sync_folder


class Saving:
    """A file that is being written under a hidden name; `finish` gives it its own.

    Args:
        path: the file to be; a folder takes it under `name`, the attachment's own safe name.
        blob: what it must be.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`.
    """

    def __init__(self, path: Path, name: str, blob: Blob) -> None:
        with _guarded(path):
            self.path = path / name if path.is_dir() else path
            there = self.path.exists() or self.path.is_symlink()
        if there:
            raise _exists(self.path)
        self._blob = blob
        self._digest, self._length = hashlib.sha256(), 0
        # Random: a name of its own beside a long one, and for each of two who save the same.
        self._staged = self.path.with_name(f".{os.urandom(8).hex()}.saphan.new")
        with _guarded(self.path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = open(os.open(self._staged, flags, SECRET_MODE), "wb")  # noqa: SIM115

    def write(self, data: bytes) -> None:
        """Add the next bytes.

        Raises:
            OperatorError: `disk_full`, `file_unwritable`.
        """
        with _guarded(self.path):
            self._file.write(data)
        self._digest.update(data)
        self._length += len(data)

    def finish(self) -> Path:
        """The file, durable, under its own name.

        Raises:
            Unavailable: `attachment_cut`: not all of it came, or other bytes.
            OperatorError: `file_exists`, `disk_full`, `file_unwritable`.
        """
        if Blob(self._length, self._digest.digest()) != self._blob:
            raise Unavailable(
                "attachment_cut",
                f"{self._length} of {self._blob.length} bytes of the attachment came",
                field="attachments",
                hint="try again; nothing was kept",
            )
        with _guarded(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
            try:
                os.link(self._staged, self.path)  # unlike a rename it never replaces anything
            except FileExistsError:
                raise _exists(self.path) from None
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
                    raise
                self._staged.rename(self.path)  # a medium without links, such as a FAT stick
        sync_folder(self.path.parent)
        return self.path

    def close(self) -> None:
        """Take the staged file away; idempotent."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._staged.unlink()

    def __enter__(self) -> Saving:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _exists(path: Path) -> OperatorError:
    return OperatorError(
        "file_exists",
        f"{path} exists already and is not overwritten",
        field="out",
        hint="name another file with --out",
    )


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise OperatorError(
            "disk_full" if full else "file_unwritable",
            f"{path} cannot be written: {error.strerror}",
            field="out",
            hint="check that the disk has room and that the folder belongs to you",
        ) from None
