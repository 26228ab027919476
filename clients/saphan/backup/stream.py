"""What follows a backup's first line: files, one after the other, in one Cobblestone-256 stream.

Plaintext: for each file its name's length (u16), name, length (u64) and bytes; then a name of
length 0 and the node's signature (u32 length, record) over everything before it. A stream that was
cut, changed or put behind another first line does not open to its end, and nothing of it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from saphan_protocol.kdf import derive
from saphan_protocol.suite import Cobblestone256Decryptor, Cobblestone256Encryptor
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import KIB, LIMITS

from saphan.backup.header import BACKUP_TYPE, Header

PIECE: Final = 64 * KIB
"""Read, sealed and written at a time; memory stays flat whatever the backup's size is."""
SIGNATURE_BYTES: Final = 16 * KIB

Write = Callable[[bytes], object]


def _key(header: Header, secret: bytes) -> bytes:
    return derive(secret, BACKUP_TYPE, [header.part, header.digest])


class SealedWriter:
    """Seals files behind a header that is written first.

    Args:
        write: takes the file's bytes in order; it may raise.
        secret: the backup's 32 bytes.
    """

    def __init__(self, header: Header, secret: bytes, write: Write) -> None:
        self._write = write
        self._cipher = Cobblestone256Encryptor(_key(header, secret), header.digest)
        self._digest = hashlib.sha256()
        write(header.line)

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._write(self._cipher.update(data))

    def add(self, name: str, size: int, pieces: Iterator[bytes]) -> None:
        """One file; `pieces` are exactly `size` bytes together."""
        encoded = name.encode()
        self._put(len(encoded).to_bytes(2, "big") + encoded + size.to_bytes(8, "big"))
        left = size
        for piece in pieces:
            left -= len(piece)
            self._put(piece)
        if left:
            raise RuntimeError(f"{name} has another length than was said")

    def finish(self, sign: Callable[[bytes], bytes]) -> None:
        """Mark the end; `sign` is given the SHA-256 of every file and gives a signature record."""
        self._put(b"\x00\x00")
        signature = sign(self._digest.digest())
        self._write(self._cipher.update(len(signature).to_bytes(4, "big") + signature))
        self._write(self._cipher.finalize())


class SealedReader:
    """Opens the stream behind a header.

    Args:
        file: at the first byte behind the header's line.
    """

    def __init__(self, header: Header, secret: bytes, file: BinaryIO) -> None:
        self._file = file
        self._cipher = Cobblestone256Decryptor(_key(header, secret), header.digest)
        self._digest = hashlib.sha256()
        self._held = b""
        self._ended = False
        self._files = 0

    def next_file(self) -> tuple[str, int] | None:
        """Name and size of the next file, whose bytes `pieces` then gives; None at the end.

        Raises:
            InvalidInput: `backup_damaged`; OSError: the disk.
        """
        length = int.from_bytes(self._take(2), "big")
        if not length:
            return None
        self._files += 1
        if length > LIMITS.backup_name_bytes or self._files > LIMITS.backup_files:
            raise damaged("it names more, or longer names, than any node has")
        try:
            name = self._take(length).decode()
        except UnicodeDecodeError:
            raise damaged("a file's name is no text") from None
        return name, int.from_bytes(self._take(8), "big")

    def pieces(self, size: int) -> Iterator[bytes]:
        """The bytes of the file that `next_file` has named."""
        while size:
            piece = self._take(min(size, PIECE))
            size -= len(piece)
            yield piece

    def finish(self) -> tuple[bytes, bytes]:
        """(SHA-256 of every file, signature record), once the stream has opened to its end.

        Raises:
            InvalidInput: `backup_damaged`; OSError: the disk.
        """
        digest = self._digest.digest()
        length = int.from_bytes(self._take(4), "big")
        if length > SIGNATURE_BYTES:
            raise damaged("its signature is longer than any")
        signature = self._take(length)
        while self._fill():
            pass
        if self._held:
            raise damaged("something stands behind its end")
        return digest, signature

    def _take(self, size: int) -> bytes:
        while len(self._held) < size:
            if not self._fill():
                raise damaged("it ends too early")
        taken, self._held = self._held[:size], self._held[size:]
        self._digest.update(taken)
        return taken

    def _fill(self) -> bool:
        """Open one more piece; False once the end was vouched for."""
        if self._ended:
            return False
        data = self._file.read(PIECE)
        try:
            if data:
                self._held += self._cipher.update(data)
            else:
                self._ended = True
                self._held += self._cipher.finalize()
        except InvalidTag:
            raise damaged("it was cut short or changed, or these shares are not its own") from None
        return True


def damaged(why: str) -> InvalidInput:
    """The error for a backup that does not open to its end."""
    return InvalidInput(
        "backup_damaged",
        f"the backup does not open: {why}",
        field="backup",
        hint="nothing of it was restored; take another copy of the file, or an older backup",
    )
