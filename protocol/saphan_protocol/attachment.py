"""Sealed attachments, in pieces: Cobblestone-256 over the bytes and zeros to a Padmé length.

Each has a key of its own, derived from the content key and its place, so none can stand in for
another; the header identity is the context. Whoever opens compares with what the officer signed
(length, SHA-256). Memory is that of one piece, whatever the attachment's size. Numbered steps are
those of schemas/spec/attachments.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import KIB
from saphan_schemas.records import Blob

from saphan_protocol.content import attachment_cipher_key, padded_length
from saphan_protocol.suite import Cobblestone256Decryptor, Cobblestone256Encryptor

PIECE_BYTES: Final = 256 * KIB
"""What callers read, seal, open and write at a time."""


class AttachmentSealer:
    """Seals one attachment: `update` as often as there are bytes, then `finish`.

    Args:
        content_key: the bulletin's 32 random bytes.
        place: number of the attachment, from 0.
        length: bytes that will come; the padding follows from it.
    """

    def __init__(self, content_key: bytes, header_identity: bytes, place: int, length: int) -> None:
        key = attachment_cipher_key(content_key, header_identity, place)  # S1
        self._cipher = Cobblestone256Encryptor(key, header_identity)
        self._place = place
        self._length = length
        self._plain = _Measure()
        self._sealed = _Measure()

    def update(self, data: bytes) -> bytes:
        """Sealed bytes for more plaintext; maybe none yet."""
        self._plain.take(data)
        return self._sealed.take(self._cipher.update(data))  # S3

    def finish(self) -> Iterator[bytes]:
        """The rest of the sealed bytes, in pieces: zeros up to the Padmé length, and the end.

        Raises:
            InvalidInput: `attachment_mismatch`: more or fewer bytes came than were announced.
        """
        if self._plain.length != self._length:
            raise _mismatch(self._place, f"{self._plain.length} bytes came, not {self._length}")
        left = padded_length(self._length) - self._length  # S2
        while left:
            zeros = bytes(min(left, PIECE_BYTES))
            left -= len(zeros)
            yield self._sealed.take(self._cipher.update(zeros))
        yield self._sealed.take(self._cipher.finalize())

    @property
    def plain(self) -> Blob:
        """What the author signs: length and SHA-256 of the bytes that came."""
        return self._plain.blob

    @property
    def sealed(self) -> Blob:
        """What the bulletin id covers, after `finish`: length and SHA-256 of the sealed bytes."""
        return self._sealed.blob


class AttachmentOpener:
    """Opens one attachment: `update` as often as there are sealed bytes, then `finish`.

    What `update` gives is authentic, but it may still be cut short or be another attachment than
    the signed one: nothing of it counts before `finish` has returned.

    Args:
        place: number of the attachment, from 0.
        plain: length and SHA-256 that the author signed (`Inner.attachments`).
    """

    def __init__(self, content_key: bytes, header_identity: bytes, place: int, plain: Blob) -> None:
        key = attachment_cipher_key(content_key, header_identity, place)
        self._cipher = Cobblestone256Decryptor(key, header_identity)
        self._place = place
        self._expected = plain
        self._plain = _Measure()
        self._sealed = _Measure()
        self._padding = 0

    def update(self, data: bytes) -> bytes:
        """Plaintext of more sealed bytes, without padding; maybe none yet.

        Raises:
            InvalidInput: `attachment_invalid`, `padding_invalid`.
        """
        self._sealed.take(data)
        try:
            return self._unpadded(self._cipher.update(data))  # A2
        except InvalidTag:
            raise self._invalid() from None

    def finish(self) -> bytes:
        """The rest of the plaintext, after everything was checked.

        Raises:
            InvalidInput: `attachment_invalid` (cut short, another key, header or place),
                `padding_invalid`, `attachment_mismatch` (not what the author signed).
        """
        try:
            rest = self._unpadded(self._cipher.finalize())
        except InvalidTag:
            raise self._invalid() from None
        length = self._plain.length
        if length != self._expected.length:  # A4
            raise _mismatch(self._place, f"it has {length} bytes, {self._expected.length} signed")
        if length + self._padding != padded_length(length):  # A3
            raise self._badly_padded()
        if self._plain.blob != self._expected:  # A4
            raise _mismatch(self._place, "its digest is not the one that was signed")
        return rest

    @property
    def sealed(self) -> Blob:
        """Length and SHA-256 of the sealed bytes that came."""
        return self._sealed.blob

    def _unpadded(self, data: bytes) -> bytes:
        """The first bytes are the attachment, as many as were signed; zeros follow (A3)."""
        wanted = self._expected.length - self._plain.length
        zeros = len(data) - wanted
        if zeros > 0:
            if data.count(0, wanted) != zeros:
                raise self._badly_padded()
            self._padding += zeros
            data = data[:wanted]
        return self._plain.take(data)

    def _invalid(self) -> InvalidInput:
        return InvalidInput(
            "attachment_invalid",
            f"attachment {self._place + 1} does not open: its key, place or bytes are not what "
            "was sealed",
            field=f"attachments.{self._place}",
            hint="ask its sender to send the bulletin again",
        )

    def _badly_padded(self) -> InvalidInput:
        return InvalidInput(
            "padding_invalid",
            f"attachment {self._place + 1} is not padded with zeros to its Padmé length",
            field=f"attachments.{self._place}",
            hint="the sender's program seals wrongly: tell the sender",
        )


class _Measure:
    """Length and SHA-256 of what passes."""

    def __init__(self) -> None:
        self.length = 0
        self._digest = hashlib.sha256()

    def take(self, data: bytes) -> bytes:
        self.length += len(data)
        self._digest.update(data)
        return data

    @property
    def blob(self) -> Blob:
        return Blob(self.length, self._digest.digest())


def _mismatch(place: int, why: str) -> InvalidInput:
    return InvalidInput(
        "attachment_mismatch",
        f"attachment {place + 1} is not the one that was signed: {why}",
        field=f"attachments.{place}",
        hint="the file has changed since it was signed: attach it again",
    )
