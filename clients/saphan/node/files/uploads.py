"""Attachments that clients of this machine bring to the node before they send a bulletin.

An upload is named by its SHA-256, may stop anywhere and goes on where it stopped; it is whole when
length and digest are right. It is its owner's alone: who only knows a digest gains nothing by it.
In DIR/node/data/blobs/uploads it lies enciphered under a key that this process alone has, in
memory: nothing is left in clear on the disk, neither after a bulletin has taken it nor after a
crash. A node that starts again has no uploads; its clients bring them anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob

from saphan.compose import Wish
from saphan.durable import FOLDER_MODE, SECRET_MODE
from saphan.node.files.blobs import guarded, pieces

BLOCK: Final = 16


KEEPER: Final = ""
"""Owner of what comes with the keeper's token; others are named by `Caller.label`."""
_Name = tuple[str, bytes]
"""Owner and SHA-256."""


@dataclass(slots=True)
class _Kept:
    """An upload as far as it has come; its key is used for it alone."""

    length: int
    touched: int
    key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    held: int = 0
    whole: bool = False
    writing: bool = False
    digest: Any = field(default_factory=hashlib.sha256)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def cipher(self, offset: int) -> Callable[[bytes], bytes]:
        """Enciphers, and deciphers, the bytes from `offset` on (AES-256 in counter mode)."""
        counter = (offset // BLOCK).to_bytes(BLOCK, "big")
        stream = Cipher(algorithms.AES(self.key), modes.CTR(counter)).encryptor()
        stream.update(bytes(offset % BLOCK))
        return stream.update


class Uploads:
    """The uploads of one node. Thread-safe.

    Args:
        folder: made if it is missing; what an earlier process left there cannot be read, and goes.
        clock: ms UTC.

    Raises:
        OperatorError: `file_unwritable`, `disk_full`.
    """

    def __init__(self, folder: Path, clock: Callable[[], int]) -> None:
        self._folder = folder
        self._clock = clock
        self._kept: dict[_Name, _Kept] = {}
        self._lock = threading.Lock()
        with guarded(folder):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            for path in folder.iterdir():
                path.unlink()

    def held(self, digest: bytes, owner: str = KEEPER) -> tuple[int, bool]:
        """Bytes that are here, and whether that is all of it."""
        with self._lock:
            kept = self._kept.get((owner, digest))
            return (0, False) if kept is None else (kept.held, kept.whole)

    def begin(self, digest: bytes, offset: int, length: int, owner: str = KEEPER) -> Upload | None:
        """Go on with an upload; None if it is whole already.

        Args:
            offset: where the bytes that come belong; length: of the whole attachment.

        Raises:
            InvalidInput: `attachment_offset`, `attachment_empty`, `attachments_too_large`.
            Unavailable: `attachment_busy`, `uploads_full`.
            OperatorError: `disk_full`, `file_unwritable`.
        """
        _check_length(length)
        self.sweep()
        name = (owner, digest)
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and kept.whole:
                return None
            if kept is not None and kept.writing:
                raise Unavailable("attachment_busy", "another program is uploading this attachment")
            if kept is None or kept.held > length:
                kept = _Kept(length, self._clock())
            _check_offset(offset, kept.held)
            self._check_room(owner, length - kept.held)
            file = self._open(name, kept.held)
            kept.length, kept.touched, kept.writing = length, self._clock(), True
            self._kept[name] = kept
        return Upload(self, name, kept, self._path(name), file)

    def measured(self, wish: Wish, owner: str = KEEPER) -> Wish:
        """The wish with the lengths of its uploaded attachments.

        Raises:
            InvalidInput: `attachment_missing`.
        """
        return replace(
            wish,
            attachments=tuple(
                replace(one, blob=Blob(self.require(one.blob.digest, owner), one.blob.digest))
                for one in wish.attachments
            ),
        )

    def require(self, digest: bytes, owner: str = KEEPER) -> int:
        """Length of a whole upload.

        Raises:
            InvalidInput: `attachment_missing`.
        """
        held, whole = self.held(digest, owner)
        if not whole:
            raise InvalidInput(
                "attachment_missing",
                f"the attachment {digest.hex()[:16]} has not been uploaded, or not all of it",
                field="attachments",
                hint="upload it first: PUT /v1/attachments/{sha256}?offset=0&length=N",
            )
        return held

    def pieces(self, digest: bytes, owner: str = KEEPER) -> Generator[bytes, None, None]:
        """The bytes of a whole upload; whoever takes them compares the digest.

        Raises:
            InvalidInput: `attachment_missing`; OperatorError: `attachment_damaged`.
        """
        self.require(digest, owner)
        with self._lock:
            decipher = self._kept[owner, digest].cipher(0)
        for data in pieces(self._path((owner, digest))):
            yield decipher(data)

    def remove(self, digests: Iterable[bytes], owner: str = KEEPER) -> None:
        """Take away what a bulletin has taken; without its key the file would be noise anyway."""
        with self._lock:
            for digest in digests:
                self._drop((owner, digest))

    def sweep(self) -> None:
        """Take away what nobody has sent for a day."""
        oldest = self._clock() - LIMITS.uploads_ms
        with self._lock:
            for name, kept in list(self._kept.items()):
                if not kept.writing and kept.touched < oldest:
                    self._drop(name)

    def _drop(self, name: _Name) -> None:
        self._kept.pop(name, None)
        with contextlib.suppress(OSError):
            self._path(name).unlink()

    def _path(self, name: _Name) -> Path:
        owner, digest = name
        if owner == KEEPER:
            return self._folder / digest.hex()
        return self._folder / hashlib.sha256(owner.encode() + b"\0" + digest).hexdigest()

    def _open(self, name: _Name, held: int) -> int:
        path = self._path(name)
        with guarded(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(path, flags, SECRET_MODE)
            os.ftruncate(handle, held)
            os.lseek(handle, held, os.SEEK_SET)
        return handle

    def _check_room(self, owner: str, more: int) -> None:
        """For all of them, and for one owner: nobody else's work waits for what one has left."""
        sizes = [(name[0], max(k.held, k.length * k.writing)) for name, k in self._kept.items()]
        kept, most = sum(size for _, size in sizes), LIMITS.uploads_bytes
        own = sum(size for whose, size in sizes if whose == owner)
        if owner != KEEPER and own + more > LIMITS.uploads_owner_bytes:
            kept, most = own, LIMITS.uploads_owner_bytes
        if kept + more > most:
            raise Unavailable(
                "uploads_full",
                f"{kept} bytes of attachments wait to be sent with a bulletin",
                hint="send those bulletins; what nobody sends is removed after a day",
            )

    def ended(self, name: _Name, kept: _Kept, *, dropped: bool) -> None:
        """An upload's request is over; called by `Upload`."""
        with self._lock:
            kept.writing = False
            if dropped and self._kept.get(name) is kept:
                self._drop(name)


class Upload:
    """One request's part of an upload; `close` in any case."""

    def __init__(self, uploads: Uploads, name: _Name, kept: _Kept, path: Path, handle: int) -> None:
        self._uploads = uploads
        self._path = path
        self._name = name
        self._kept = kept
        self._handle = handle
        self._dropped = False

    @property
    def held(self) -> int:
        """Bytes that are here."""
        return self._kept.held

    def append(self, data: bytes) -> None:
        """Add the next bytes.

        Raises:
            InvalidInput: `attachment_digest`: more than were announced.
            OperatorError: `disk_full`, `file_unwritable`; what was written is kept.
        """
        kept = self._kept
        with kept.lock, guarded(self._path):
            if kept.held + len(data) > kept.length:
                raise _other("more bytes came than were announced")
            sealed, clear = memoryview(kept.cipher(kept.held)(data)), memoryview(data)
            while sealed:
                written = os.write(self._handle, sealed)
                kept.digest.update(clear[:written])
                kept.held += written
                sealed, clear = sealed[written:], clear[written:]

    def finish(self) -> bool:
        """Whether it is whole now.

        Raises:
            InvalidInput: `attachment_digest`: it is dropped.
        """
        kept = self._kept
        with kept.lock:
            if kept.held < kept.length:
                return False
            if kept.digest.digest() != self._name[1]:
                self._dropped = True
                raise _other("their SHA-256 is another")
            kept.whole = True
            return True

    def close(self) -> None:
        """Let others go on with it; idempotent."""
        with self._kept.lock:
            if self._handle < 0:
                return
            os.close(self._handle)
            self._handle = -1
        self._uploads.ended(self._name, self._kept, dropped=self._dropped or not self.held)


def _check_offset(offset: int, held: int) -> None:
    if offset != held:
        raise InvalidInput(
            "attachment_offset",
            f"{held} bytes of this attachment are here, and the upload goes on at {offset}",
            field="offset",
            hint=f"send it again with ?offset={held}",
        )


def _check_length(length: int) -> None:
    if not length:
        raise InvalidInput("attachment_empty", "the attachment has no bytes", field="length")
    if length > LIMITS.attachment_bytes:
        raise InvalidInput(
            "attachments_too_large",
            f"the attachment has {length} bytes, {LIMITS.attachment_bytes} are taken",
            field="length",
            hint="split it into several attachments",
        )


def _other(why: str) -> InvalidInput:
    return InvalidInput(
        "attachment_digest",
        f"the bytes are not those of the digest: {why}",
        field="attachments",
        hint="the file may have changed meanwhile: upload it again from the beginning",
    )
