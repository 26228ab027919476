"""Sealed attachments as files of the node: DIR/node/data/blobs/{out,in}/<bulletin>/<place>.

`out` holds what this agency sends, `in` what it receives. Place i is the bulletin's attachment i,
from 1; place 0 is a ciphertext that came in parts. A file under its own name is whole and durable
before the transaction that counts on it; one that is still growing ends in `.part`. What no row
of the store names is left from a crash and is swept away at the start.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import KIB, MIB
from saphan_schemas.records import Blob

from saphan.durable import FOLDER_MODE, SECRET_MODE, sync_folder

PIECE_BYTES: Final = 256 * KIB
DAMAGED: Final = "attachment_damaged"
DISK_FULL: Final = "disk_full"
RESERVE_BYTES: Final = 256 * MIB
"""With less left on the disk no attachment is sealed or received: the rest is the store's."""
NEW: Final = ".new"
"""A folder of attachments that are being sealed; it gets the bulletin's name when that is known."""
PART: Final = ".part"


class BlobFiles:
    """The folders of one node.

    Args:
        folder: made if it is missing, with its two parts.

    Raises:
        OperatorError: `file_unwritable`, `disk_full`.
    """

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out"
        self.incoming = folder / "in"
        self.reserve = RESERVE_BYTES
        with guarded(folder):
            for one in (folder, self.out, self.incoming):
                one.mkdir(mode=FOLDER_MODE, exist_ok=True)
        sync_folder(folder)
        sync_folder(folder.parent)

    def sent(self, bulletin: bytes, place: int) -> Path:
        """File of an attachment of ours."""
        return self.out / bulletin.hex() / str(place)

    def received(self, bulletin: bytes, place: int) -> Path:
        """File of a part that another agency sent."""
        return self.incoming / bulletin.hex() / str(place)

    def stage(self, name: str) -> Path:
        """A new folder for what is being sealed.

        Raises:
            OperatorError: `file_unwritable`, `disk_full`.
        """
        path = self.out / f"{name}{NEW}"
        with guarded(path):
            path.mkdir(mode=FOLDER_MODE)
        return path

    def unstage(self, staged: Path) -> None:
        """Take away a staged folder."""
        shutil.rmtree(staged, ignore_errors=True)

    def link(self, kept: Path, staged: Path) -> None:
        """Put the durable files of one folder into a staged one as well.

        Raises:
            OperatorError: `file_unwritable`, `disk_full`.
        """
        with guarded(staged):
            for path in sorted(kept.iterdir()):
                os.link(path, staged / path.name)

    def adopt(self, staged: Path, bulletin: bytes) -> None:
        """Give a staged folder, whose files are durable, the name of its bulletin; durable.

        Raises:
            OperatorError: `file_unwritable`, `disk_full`.
        """
        sync_folder(staged)
        with guarded(staged):
            staged.rename(self.out / bulletin.hex())
        sync_folder(self.out)

    def require_room(self, wanted: int) -> None:
        """The disk takes `wanted` bytes more and has enough left for everything else.

        Raises:
            OperatorError: `disk_full`, `file_unwritable`.
        """
        with guarded(self.incoming):
            disk = os.statvfs(self.incoming)
            if disk.f_bavail * disk.f_frsize < wanted + self.reserve:
                raise OSError(errno.ENOSPC, "the rest of the disk is kept for the store")

    def open_incoming(self, bulletin: bytes, place: int, blob: Blob) -> PartFile:
        """The growing file of a part, with what came before.

        Raises:
            OperatorError: `file_unwritable`, `disk_full`.
        """
        path = self.received(bulletin, place)
        if not path.parent.exists():
            with guarded(path):
                path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
            sync_folder(self.incoming)
        return PartFile(path, blob)

    def remove(self, bulletin: bytes) -> None:
        """Take away every part of a bulletin, if there is any."""
        for folder in (self.out, self.incoming):
            shutil.rmtree(folder / bulletin.hex(), ignore_errors=True)

    def destroy(self, bulletins: Iterable[bytes]) -> None:
        """Take away every part of bulletins that are erased; durable on return. Idempotent.

        Raises:
            OperatorError: `file_unwritable`, `disk_full`: a part may be there still.
        """
        gone = False
        for bulletin in bulletins:
            for folder in (self.out, self.incoming):
                path = folder / bulletin.hex()
                with guarded(path), contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(path)
                    gone = True
        if gone:
            sync_folder(self.out)
            sync_folder(self.incoming)

    def sweep(self, known: set[str]) -> None:
        """Take away what a crash left: folders of no bulletin in `known` (hexadecimal ids)."""
        for folder in (self.out, self.incoming):
            for path in list(folder.iterdir()):
                if path.name not in known:
                    shutil.rmtree(path, ignore_errors=True)


class PartFile:
    """A part that grows until it is whole; what it holds is read once, to go on from there.

    It is closed by whoever opened it, maybe while a thread that nobody waits for any more still
    writes: the lock keeps the file's number from being another file's meanwhile.

    Args:
        path: its name when it is whole; blob: what it must then be.

    Raises:
        OperatorError: `file_unwritable`, `disk_full`.
    """

    def __init__(self, path: Path, blob: Blob) -> None:
        self._path = path
        self._growing = path.with_name(path.name + PART)
        self._blob = blob
        self._digest = hashlib.sha256()
        self._lock = threading.Lock()
        self.held = 0
        with guarded(path):
            if path.exists():  # whole once, and asked for again: its digest decides
                path.replace(self._growing)
            self._handle = os.open(
                self._growing, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, SECRET_MODE
            )
            self._take_up()

    def append(self, data: bytes) -> None:
        """Add the next bytes; they are durable after `finish`.

        Raises:
            OperatorError: `disk_full`, `file_unwritable`; the file is to be opened anew.
        """
        with self._lock, guarded(self._path):
            view = memoryview(data)
            while view:
                written = os.write(self._handle, view)
                self._digest.update(view[:written])
                self.held += written
                view = view[written:]

    def finish(self) -> bool:
        """Whether the bytes are the right ones: then the file is durable under its name, else gone.

        Raises:
            OperatorError: `disk_full`, `file_unwritable`.
        """
        with self._lock, guarded(self._path):
            if Blob(self.held, self._digest.digest()) != self._blob:
                self._growing.unlink()
                return False
            os.fsync(self._handle)
            self._growing.replace(self._path)
        sync_folder(self._path.parent)
        return True

    def close(self) -> None:
        """Let go of it as it is; idempotent."""
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def _take_up(self) -> None:
        """Digest what is there; more than there should be is nothing of ours."""
        if os.fstat(self._handle).st_size > self._blob.length:
            os.ftruncate(self._handle, 0)
        while data := os.read(self._handle, PIECE_BYTES):
            self._digest.update(data)
            self.held += len(data)


def pieces(path: Path, offset: int = 0) -> Iterator[bytes]:
    """A file's bytes, a piece at a time.

    Raises:
        OperatorError: `attachment_damaged` if it is not there or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            while data := file.read(PIECE_BYTES):
                yield data
    except OSError as error:
        raise damaged(path, error.strerror or "unknown reason") from None


def require_length(path: Path, length: int) -> None:
    """A file of ours is there, and as long as it was.

    Raises:
        OperatorError: `attachment_damaged`.
    """
    try:
        found = path.stat().st_size
    except OSError as error:
        raise damaged(path, error.strerror or "unknown reason") from None
    if found != length:
        raise damaged(path, f"it has {found} bytes, not {length}")


def damaged(path: Path, why: str) -> OperatorError:
    """A file of ours is not what it was when it was written."""
    return OperatorError(
        DAMAGED,
        f"{path} is not what was kept there: {why}",
        field="attachments",
        hint="check this disk; what was received is fetched again while the broker has it",
    )


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Trouble with the disk, in the words of the person who keeps it.

    Raises:
        OperatorError: `disk_full`, `file_unwritable`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OperatorError(
                DISK_FULL,
                f"there is no room left for {path}; what was there before is kept",
                hint="free space on this disk; the node takes up its work again by itself",
            ) from None
        raise OperatorError(
            "file_unwritable",
            f"{path} cannot be written: {error.strerror}",
            field=path.name,
            hint="check that the folder exists and belongs to the service user",
        ) from None
