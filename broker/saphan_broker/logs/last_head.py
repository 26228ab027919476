"""The last-head file: two slots that are written in turn, in place, before each signature.

    KEYS/<log>.head    slot 0 at byte 0, slot 1 at byte 4096, each with zeros after it:
                       u64 sequence || u64 size || root || u64 time || SHA-256

Integers are big-endian; the digest covers "saphan/head/2" LF origin LF and the four values. The
valid slot with the higher sequence counts.

Why one write and one `fdatasync` are enough, without a rename:

- A head is signed after its slot is durable, never before. So a slot that a crash has torn, or that
  never came to the disk, was not signed under, and the other one is what was signed last.
- The slots lie in blocks of their own and the file never grows: writing one cannot hurt the other,
  needs no free space and changes nothing else that would have to be durable.
- The slot that stays must itself be durable. It is, if this object wrote it and saw the sync
  succeed. After a failure, or when anyone else wrote last, what the file reads as may be in memory
  only: then the whole file is replaced (new file, sync, rename, sync), which trusts nothing.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Final, NamedTuple

from saphan_protocol.merkle import EMPTY_ROOT

from saphan_broker import private_files

SLOT_AT: Final = (0, 4096)
FILE_BYTES: Final = 8192
_VALUES: Final = struct.Struct(">QQ32sQ")
_DIGEST_BYTES: Final = 32
_SLOT_BYTES: Final = _VALUES.size + _DIGEST_BYTES


class LastHead(NamedTuple):
    """What was signed last: leaves, root, POSIX seconds. (0, EMPTY_ROOT, 0): nothing yet."""

    size: int
    root: bytes
    time: int


class _Slot(NamedTuple):
    sequence: int
    head: LastHead


class LastHeadFile:
    """The file of one log's signer; whoever writes holds the signer's lock."""

    def __init__(self, path: Path, origin: str) -> None:
        self._path: Final = path
        self._origin: Final = origin
        self._durable: _Slot | None = None
        """What this object has written last and knows to be on the disk."""

    def create(self) -> None:
        """Make the file, which must not exist yet: nothing was signed.

        Raises:
            OperatorError: `key_file_exists`.
        """
        private_files.write_new(self._path, self._whole(_Slot(0, LastHead(0, EMPTY_ROOT, 0))))

    def begin(self) -> None:
        """Put a file in which nothing was signed in the place of an ended log's.

        Raises:
            OperatorError: `key_file_unwritable`.
        """
        private_files.replace(self._path, self._whole(_Slot(0, LastHead(0, EMPTY_ROOT, 0))))

    def read(self) -> LastHead:
        """What was signed last.

        Raises:
            OperatorError: `key_file_missing`, `key_file_exposed`, `key_file_malformed`.
        """
        return self._newest().head

    def write(self, head: LastHead) -> None:
        """Put a head in the place of the older one; durable when it returns.

        Raises:
            OperatorError: `key_file_unwritable`, and what `read` raises. The file then holds the
                head before or this one, and nothing may be signed.
        """
        last = self._newest()
        new = _Slot(last.sequence + 1, head)
        in_place, self._durable = last == self._durable, None
        if in_place:
            at = SLOT_AT[new.sequence % 2]
            private_files.overwrite(self._path, self._encode(new), at)
        else:
            private_files.replace(self._path, self._whole(new))
        self._durable = new

    def _newest(self) -> _Slot:
        data = private_files.read(self._path)
        slots = [self._decode(data[at : at + _SLOT_BYTES]) for at in SLOT_AT]
        valid = [slot for slot in slots if slot is not None]
        if len(data) != FILE_BYTES or not valid:
            raise private_files.malformed(
                self._path, f"it is not a last-head file of {self._origin}"
            )
        return max(valid)

    def _whole(self, slot: _Slot) -> bytes:
        """A file with this slot only."""
        data = bytearray(FILE_BYTES)
        at = SLOT_AT[slot.sequence % 2]
        data[at : at + _SLOT_BYTES] = self._encode(slot)
        return bytes(data)

    def _encode(self, slot: _Slot) -> bytes:
        values = _VALUES.pack(slot.sequence, *slot.head)
        return values + self._digest(values)

    def _decode(self, data: bytes) -> _Slot | None:
        """None for a slot that was never written, that is torn, or of another log."""
        values, digest = data[: _VALUES.size], data[_VALUES.size :]
        if digest != self._digest(values):
            return None
        sequence, size, root, time = _VALUES.unpack(values)
        return _Slot(sequence, LastHead(size, root, time))

    def _digest(self, values: bytes) -> bytes:
        return hashlib.sha256(f"saphan/head/2\n{self._origin}\n".encode() + values).digest()
