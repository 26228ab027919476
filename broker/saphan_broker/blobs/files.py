"""The attachments of bulletins: DATA/blobs/<first two digits of the id>/<id>/<place>, from place 0.

A file gets its name here by one link to staged bytes that are durable, before the commit that
names the bulletin. What a crash means: a bulletin's folder without a commit is an orphan; the
resubmission finds its files and links the rest, or a sweep removes them. A bulletin id covers the
digests of its attachments, so whatever stands here under an id is right, whoever brought it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from saphan_schemas.records import Blobs

from saphan_broker.blobs.base import folder_name
from saphan_broker.blobs.locks import Locks
from saphan_broker.private_files import sync_directory

LOCKS: Final = "locks"


class BlobFiles:
    """Final files under `place`; functions run on threads.

    Args:
        locks: `linking` is held from `missing` to the end of `link`, by the caller: what was found
            to be here must not go before it has its new time.
    """

    def __init__(self, place: Path, locks: Locks | None = None) -> None:
        self._place = place
        self._locks = locks or Locks(place / LOCKS)

    def missing(self, bulletin: bytes, blobs: Blobs) -> list[int]:
        """Places whose file is not here with its whole length."""
        folder = self._folder(bulletin)
        return [
            place
            for place, blob in enumerate(blobs)
            if not (path := folder / str(place)).is_file() or path.stat().st_size != blob.length
        ]

    def link(self, bulletin: bytes, sources: Sequence[tuple[int, Path]], now: int) -> None:
        """Give staged files their final names and make the names durable.

        Args:
            sources: (place, staged file), whole and synced; a file that stands there goes.
            now: ms; from now on a sweep of orphans counts their age.

        Raises:
            OSError: as the disk says; what was linked stays.
        """
        folder = self._folder(bulletin)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place, source in sources:
            (folder / str(place)).unlink(missing_ok=True)  # a disk has cut it short
            os.link(source, folder / str(place))
        os.utime(folder, ns=(now * 1_000_000, now * 1_000_000))
        # Also when all was there: a crash may have come between an earlier link and its sync.
        for path in (folder, folder.parent, self._place, self._place.parent):
            sync_directory(path)

    def read(self, bulletin: bytes, place: int, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; empty at the end.

        Raises:
            OSError: as the disk says, FileNotFoundError among it.
        """
        path = self._folder(bulletin) / str(place)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def ids(self) -> Iterator[tuple[bytes, int]]:
        """Every bulletin that has files here, with the time (ms) of its newest link."""
        for prefix in sorted(self._place.glob("[0-9a-f][0-9a-f]")):
            for folder in sorted(prefix.iterdir()):
                with suppress(ValueError, FileNotFoundError):
                    touched = folder.stat().st_mtime_ns // 1_000_000
                    yield bytes.fromhex(folder.name), touched

    def remove(self, bulletin: bytes, before: int) -> bool:
        """Remove a bulletin's files, unless some were linked at `before` (ms) or later.

        Returns:
            Whether there were any to remove.

        Raises:
            Busy: some are linked at the moment.
        """
        folder = self._folder(bulletin)
        with self._locks.removing():
            if not folder.is_dir() or folder.stat().st_mtime_ns // 1_000_000 >= before:
                return False
            shutil.rmtree(folder, ignore_errors=True)
            return True

    def destroy(self, bulletin: bytes) -> None:
        """Remove a bulletin's files for good; durable when it returns, idempotent.

        Raises:
            Busy: some are linked at the moment; OSError: as the disk says, some may be there still.
        """
        folder = self._folder(bulletin)
        with self._locks.removing():
            if folder.is_dir():
                shutil.rmtree(folder)
                sync_directory(folder.parent)

    def _folder(self, bulletin: bytes) -> Path:
        return self._place / folder_name(bulletin)
