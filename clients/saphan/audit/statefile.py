"""The state of an audit in a file: it goes on where it was cut off, or where last month's ended.

    (u32 length || piece)... || SHA-256 of all before       (`saphan_protocol.audit.resuming`)

What it says is believed: it is the auditor's own, and readable by its owner only.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import MIB

from saphan.durable import SECRET_MODE, sync_folder
from saphan.item_file import opened_file
from saphan.private import read_private

STATE_BYTES: Final = 1024 * MIB
"""About 0.2 KB per delivery: five million of them."""
KEEP_SECONDS: Final = 60.0
CHUNK: Final = MIB
DIGEST_BYTES: Final = 32


class StateFile:
    """A `saphan_protocol.audit.resuming.Keeper`; at most one write a minute, and one at the end.

    Args:
        clock: seconds that never fall.

    Attributes:
        failed: why the newest state could not be written; the one before is still there.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._next = clock() + KEEP_SECONDS
        self.failed: OperatorError | None = None

    def read(self) -> Iterator[bytes] | None:
        """The pieces of the state that was kept, given away as they are asked for; None: none.

        Raises:
            OperatorError: `file_unreadable`, `key_file_exposed`, `file_unwritable`;
                InvalidInput: `state_malformed`.
        """
        if not self._path.parent.is_dir():  # now, and not after an hour's work
            raise self._unwritable(f"there is no folder {self._path.parent}")
        if not self._path.exists():
            return None
        data = memoryview(read_private(self._path, STATE_BYTES, "state"))
        body, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            raise InvalidInput(
                "state_malformed",
                f"{self._path} is not the state of an audit, or was changed",
                field="state",
                hint="remove it: the audit then begins anew",
            )
        return _pieces(body)

    def due(self) -> bool:
        """Whether the last one is a minute old."""
        return self._clock() >= self._next

    def keep(self, pieces: Iterable[bytes]) -> None:
        """Put it in the place of the one before, durably, one piece in memory at a time.

        What cannot be written is `failed`, and no reason to end an audit.
        """
        staged = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            try:
                self._write(staged, pieces)
                staged.replace(self._path)
                sync_folder(self._path.parent)
            finally:
                staged.unlink(missing_ok=True)
            self.failed = None
        except OperatorError as error:
            self.failed = error
        except OSError as error:
            self.failed = self._unwritable(error.strerror or "unknown reason")
        self._next = self._clock() + KEEP_SECONDS

    def _unwritable(self, why: str) -> OperatorError:
        return OperatorError(
            "file_unwritable",
            f"{self._path} cannot be written: {why}",
            field="state",
            hint="check that the disk has room and that the folder belongs to you",
        )

    def _write(self, staged: Path, pieces: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(staged, flags, SECRET_MODE), "wb") as file:
            for piece in pieces:
                framed = len(piece).to_bytes(4, "big") + piece
                digest.update(framed)
                file.write(framed)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())


def _pieces(body: memoryview) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        at += 4 + length
        yield bytes(body[at - length : at])


def digest_file(path: Path) -> bytes:
    """SHA-256 of a file, read in pieces.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`.
    """
    digest = hashlib.sha256()
    try:
        with open(opened_file(path), "rb") as file:
            while piece := file.read(CHUNK):
                digest.update(piece)
    except FileNotFoundError:
        raise OperatorError(
            "file_missing", f"there is no file {path} (pack)", field="pack"
        ) from None
    except OSError as error:
        raise OperatorError(
            "file_unreadable", f"{path} cannot be read: {error.strerror}", field="pack"
        ) from None
    return digest.digest()
