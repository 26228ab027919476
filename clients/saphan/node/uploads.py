"""Attachments that clients of this machine bring to the node before they send a bulletin.

An upload is named by its SHA-256, may stop anywhere and goes on where it stopped; it is whole when
length and digest are right. It lies unsealed in DIR/node/data/blobs/uploads, readable by the
node's user alone, until a bulletin takes it, and a day at most.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from saphan_schemas.errors import InvalidInput, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob

from saphan.compose import Wish
from saphan.durable import FOLDER_MODE
from saphan.node.blobs import PART, PartFile, guarded


class Uploads:
    """The uploads of one node. Thread-safe.

    Args:
        folder: made if it is missing; clock: ms UTC.

    Raises:
        OperatorError: `file_unwritable`, `disk_full`.
    """

    def __init__(self, folder: Path, clock: Callable[[], int]) -> None:
        self._folder = folder
        self._clock = clock
        self._writing: set[bytes] = set()
        self._lock = threading.Lock()
        with guarded(folder):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        self.sweep()

    def path(self, digest: bytes) -> Path:
        """File of a whole upload."""
        return self._folder / digest.hex()

    def held(self, digest: bytes) -> tuple[int, bool]:
        """Bytes that are here, and whether that is all of it."""
        for path, whole in ((self.path(digest), True), (self._part(digest), False)):
            try:
                return path.stat().st_size, whole
            except FileNotFoundError:
                continue
        return 0, False

    def begin(self, digest: bytes, offset: int, length: int) -> Upload | None:
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
        with self._lock:
            held, whole = self.held(digest)
            if whole:
                return None
            if digest in self._writing:
                raise Unavailable("attachment_busy", "another program is uploading this attachment")
            if offset != held:
                raise InvalidInput(
                    "attachment_offset",
                    f"{held} bytes of this attachment are here, and the upload goes on at {offset}",
                    field="offset",
                    hint=f"send it again with ?offset={held}",
                )
            self._check_room(length - held)
            self._writing.add(digest)
        try:
            file = PartFile(self.path(digest), Blob(length, digest))
        except BaseException:
            self._done(digest)
            raise
        return Upload(file, length, lambda: self._done(digest))

    def measured(self, wish: Wish) -> Wish:
        """The wish with the lengths of its uploaded attachments.

        Raises:
            InvalidInput: `attachment_missing`.
        """
        return replace(
            wish,
            attachments=tuple(
                replace(one, blob=Blob(self.require(one.blob.digest), one.blob.digest))
                for one in wish.attachments
            ),
        )

    def require(self, digest: bytes) -> int:
        """Length of a whole upload.

        Raises:
            InvalidInput: `attachment_missing`.
        """
        held, whole = self.held(digest)
        if not whole:
            raise InvalidInput(
                "attachment_missing",
                f"the attachment {digest.hex()[:16]} has not been uploaded, or not all of it",
                field="attachments",
                hint="upload it first: PUT /v1/attachments/{sha256}?offset=0&length=N",
            )
        return held

    def remove(self, digests: Iterable[bytes]) -> None:
        """Take away what a bulletin has taken."""
        for digest in digests:
            self.path(digest).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Take away what nobody has sent for a day."""
        oldest = (self._clock() - LIMITS.uploads_ms) / 1000
        with self._lock:
            for path in self._folder.iterdir():
                busy = any(path.name.startswith(digest.hex()) for digest in self._writing)
                if not busy and path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)

    def _part(self, digest: bytes) -> Path:
        return self._folder / (digest.hex() + PART)

    def _check_room(self, more: int) -> None:
        kept = sum(one.stat().st_size for one in os.scandir(self._folder))
        if kept + more > LIMITS.uploads_bytes:
            raise Unavailable(
                "uploads_full",
                f"{kept} bytes of attachments wait to be sent with a bulletin",
                hint="send those bulletins; what nobody sends is removed after a day",
            )

    def _done(self, digest: bytes) -> None:
        with self._lock:
            self._writing.discard(digest)


class Upload:
    """One request's part of an upload; `close` in any case."""

    def __init__(self, file: PartFile, length: int, done: Callable[[], None]) -> None:
        self._file = file
        self._length = length
        self._done = done

    @property
    def held(self) -> int:
        """Bytes that are here."""
        return self._file.held

    def append(self, data: bytes) -> None:
        """Add the next bytes.

        Raises:
            InvalidInput: `attachment_digest`: more than were announced; OperatorError: the disk.
        """
        if self._file.held + len(data) > self._length:
            raise _other("more bytes came than were announced")
        self._file.append(data)

    def finish(self) -> bool:
        """Whether it is whole now, and durable.

        Raises:
            InvalidInput: `attachment_digest`: it is dropped; OperatorError: the disk.
        """
        if self._file.held < self._length:
            return False
        if not self._file.finish():
            raise _other("their SHA-256 is another")
        return True

    def close(self) -> None:
        """Let others go on with it."""
        self._file.close()
        self._done()


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
