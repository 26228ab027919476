"""What agencies bring in pieces before a bulletin names it: one growing file for each attachment.

staging/<agency>/<digest>-<length>.part     the bytes so far; its length is what is held
staging/<agency>/<digest>-<length>          whole, its digest checked, durable

What a crash means: a `.part` may lack its last bytes, or after a power cut hold wrong ones; the
digest of the whole decides, and the agency goes on from what is held. Functions run on threads, one
at a time for each agency in all processes that share the place.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import KIB, LIMITS, MIB
from saphan_schemas.records import Blob

PART: Final = ".part"
READ_BYTES: Final = MIB
FILE_BYTES: Final = 64 * KIB
"""A shorter file counts as so much: 2,048 of them at most, however little is in them."""
DISK_RESERVE_BYTES: Final = 256 * MIB
"""With less left on the disk nothing more is staged: the rest is the log's."""


class Staging:
    """The staging files of all agencies under `place`.

    Args:
        most: bytes that one agency may have there; the oldest files make room.
        reserve: bytes of the disk that attachments leave free.
    """

    def __init__(
        self,
        place: Path,
        most: int = LIMITS.staged_bytes,
        reserve: int = DISK_RESERVE_BYTES,
    ) -> None:
        self._place = place
        self._reserve = reserve
        self._most = most
        self._used: dict[str, int] = {}

    def held(self, agency: str, blob: Blob, now: int) -> int:
        """Bytes of `blob` that are here; all of them only if the digest is right.

        Args:
            now: ms; what is asked for does not age out yet.
        """
        whole, part = self._paths(agency, blob)
        for path in (whole, part):
            if path.exists():
                _touch(path, now)
        if whole.exists():
            return blob.length
        length = _length(part)
        if length < blob.length:
            return length
        # A crash came between the last byte and the name.
        return blob.length if self._finish(agency, blob) else 0

    def append(self, agency: str, blob: Blob, offset: int, data: bytes, now: int) -> int:
        """Add bytes at `offset`, which must be what is held: else nothing is written.

        Returns:
            What is held now; `blob.length` once it is whole, durable and its digest is right.

        Raises:
            InvalidInput: `attachment_length` (longer than declared), `attachment_digest` (the whole
                is other bytes: nothing is held any more).
            OSError: as the disk says; what it has taken is held.
        """
        whole, part = self._paths(agency, blob)
        if whole.exists():
            return blob.length
        held = _length(part)
        if offset != held:
            return held
        if held + len(data) > blob.length:
            raise InvalidInput(
                "attachment_length",
                f"the attachment has more than the {blob.length} bytes that were declared",
                field="part.data",
            )
        before = _charge(part)
        self._make_room(agency, max(FILE_BYTES, held + len(data)) - before, part)
        part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_disk()
        used = self._used_by(agency)
        try:
            _append(part, held, data)
        finally:  # on a full disk some of it is there
            self._used[agency] = used + _charge(part) - before
        _touch(part, now)
        held += len(data)
        if held == blob.length and not self._finish(agency, blob):
            raise InvalidInput(
                "attachment_digest",
                "the bytes are not those of the declared digest",
                field="offer.blobs",
                hint="the sender's copy has changed since it was sealed; send a new bulletin",
            )
        return held

    def whole(self, agency: str, blob: Blob) -> Path | None:
        """The finished file of a blob."""
        path, _part = self._paths(agency, blob)
        return path if path.exists() else None

    def forget(self, agency: str, blobs: Iterable[Blob]) -> None:
        """A bulletin that names them is logged: its own files are links to the same bytes."""
        for blob in blobs:
            for path in self._paths(agency, blob):
                self._remove(agency, path)

    def reread(self, agency: str) -> None:
        """Another process had a turn: what was counted may be wrong."""
        self._used.pop(agency, None)

    def agencies(self) -> list[str]:
        """Who has files here."""
        return sorted(path.name for path in _inside(self._place))

    def age_out(self, agency: str, before: int) -> int:
        """Remove what was not touched since `before` (ms); gives how many files went."""
        old = [path for path, touched in self._by_age(agency) if touched < before]
        for path in old:
            self._remove(agency, path)
        return len(old)

    # --- files ------------------------------------------------------------------------------------

    def _paths(self, agency: str, blob: Blob) -> tuple[Path, Path]:
        whole = self._place / agency / f"{blob.digest.hex()}-{blob.length}"
        return whole, whole.with_name(whole.name + PART)

    def _finish(self, agency: str, blob: Blob) -> bool:
        """Check the digest of all bytes; then sync, then the final name, in this order."""
        whole, part = self._paths(agency, blob)
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        try:
            right = os.fstat(descriptor).st_size == blob.length
            if right and _digest(descriptor) == blob.digest:
                os.fsync(descriptor)
                os.rename(part, whole)
                return True
        finally:
            os.close(descriptor)
        self._remove(agency, part)
        return False

    def _make_room(self, agency: str, wanted: int, keep: Path) -> None:
        """The files not touched for the longest time go; what they belong to is brought again."""
        if self._used_by(agency) + wanted <= self._most:
            return
        for path, _touched in self._by_age(agency):
            if path != keep:
                self._remove(agency, path)
            if self._used_by(agency) + wanted <= self._most:
                return

    def _check_disk(self) -> None:
        disk = os.statvfs(self._place)
        if disk.f_bavail * disk.f_frsize < self._reserve:
            raise OSError(errno.ENOSPC, "the rest of the disk is kept for the log")

    def _used_by(self, agency: str) -> int:
        if agency not in self._used:
            self._used[agency] = sum(_charge(path) for path in _inside(self._place / agency))
        return self._used[agency]

    def _by_age(self, agency: str) -> list[tuple[Path, int]]:
        """Files with the time (ms) they were last touched, oldest first."""
        aged = [
            (path, path.stat().st_mtime_ns // 1_000_000) for path in _inside(self._place / agency)
        ]
        return sorted(aged, key=lambda pair: pair[1])

    def _remove(self, agency: str, path: Path) -> None:
        used, charge = self._used_by(agency), _charge(path)
        path.unlink(missing_ok=True)
        self._used[agency] = used - charge


def _inside(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _charge(path: Path) -> int:
    """What a file counts towards its agency's bytes; no file counts nothing."""
    return max(FILE_BYTES, path.stat().st_size) if path.exists() else 0


def _touch(path: Path, now: int) -> None:
    os.utime(path, ns=(now * 1_000_000, now * 1_000_000))


def _append(path: Path, held: int, data: bytes) -> None:
    """All of `data` behind the `held` bytes."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.pwrite(descriptor, rest, held + len(data) - len(rest)) :]
    finally:
        os.close(descriptor)


def _digest(descriptor: int) -> bytes:
    found = hashlib.sha256()
    offset = 0
    while chunk := os.pread(descriptor, READ_BYTES, offset):
        found.update(chunk)
        offset += len(chunk)
    return found.digest()
