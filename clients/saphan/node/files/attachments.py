"""Attachments between clear and sealed: sealed once, checked once, then opened only to be shown.

Everything streams: memory is one piece, whatever an attachment's size. Nothing is unpacked,
rendered or executed; only the first bytes are looked at. Received attachments rest sealed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saphan_protocol.attachment import AttachmentOpener, AttachmentSealer
from saphan_schemas.attachments import HEAD_BYTES, check_bytes
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Blob, Blobs

from saphan.compose import Attached, Draft
from saphan.durable import SECRET_MODE
from saphan.node.files.blobs import BlobFiles, damaged, guarded, pieces
from saphan.node.files.uploads import Uploads


def seal_files(
    sources: Sequence[Iterable[bytes]],
    attached: Sequence[Attached],
    content_key: bytes,
    header_id: bytes,
    folder: Path,
) -> Blobs:
    """Seal what `sources` give into `folder`/1, /2, ...; durable but for the folder's own name.

    Raises:
        InvalidInput: `attachment_mismatch`, `attachment_type`: the bytes are not what is signed.
        OperatorError: `disk_full`, `file_unwritable`; what the sources raise.
    """
    sealed = []
    for place, (source, one) in enumerate(zip(sources, attached, strict=True)):
        sealer = AttachmentSealer(content_key, header_id, place, one.blob.length)
        sealed.append(_seal_file(source, one, sealer, folder / str(place + 1)))
    return tuple(sealed)


def seal_uploaded(
    uploads: Uploads,
    files: BlobFiles,
    draft: Draft,
    content_key: bytes,
    folder: Path,
    owner: str,
) -> Blobs:
    """Seal what clients have brought for a bulletin; raises what `seal_files` raises, and

    Args:
        owner: whose uploads they are.

    Raises:
        InvalidInput: `attachment_missing`.
    """
    for each in draft.attachments:
        uploads.require(each.blob.digest, owner)
    files.require_room(sum(each.blob.length for each in draft.attachments))
    sources = [uploads.pieces(each.blob.digest, owner) for each in draft.attachments]
    return seal_files(sources, draft.attachments, content_key, draft.header_id, folder)


def _seal_file(
    source: Iterable[bytes], one: Attached, sealer: AttachmentSealer, target: Path
) -> Blob:
    head = b""
    with guarded(target):
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SECRET_MODE)
        with open(handle, "wb") as file:
            for data in source:
                head = head or data[:HEAD_BYTES]
                file.write(sealer.update(data))
            check_bytes(one.media_type, head)
            file.writelines(sealer.finish())
            file.flush()
            os.fsync(handle)
    if sealer.plain != one.blob:
        raise InvalidInput(
            "attachment_mismatch",
            f"{one.name} is not the file that was signed: its digest is another",
            field="attachments",
            hint="the file has changed since it was signed: attach it again",
        )
    return sealer.sealed


def check_received(
    files: BlobFiles,
    bulletin: bytes,
    content_key: bytes,
    header_id: bytes,
    sealed: Blobs,
    plain: Blobs,
    described: Sequence[dict[str, Any]],
) -> None:
    """Open every attachment once, keep nothing of it, and compare with what was signed.

    Args:
        sealed: as the bulletin id covers them; plain: `Inner.attachments`; described:
            `content.attachments`, valid against the schema.

    Raises:
        InvalidInput: `attachment_invalid`, `attachment_mismatch`, `attachment_type`,
            `padding_invalid`: the sender's fault.
        OperatorError: `attachment_damaged`: this disk's.
    """
    for place, (blob, signed, one) in enumerate(zip(sealed, plain, described, strict=True)):
        path = files.received(bulletin, place + 1)
        opener = AttachmentOpener(content_key, header_id, place, signed)
        try:
            head = _opened(opener, path)
        except InvalidInput:
            # The sender's fault, if these are the bytes that it consigned; else this disk's.
            if measure_file(path) != blob:
                raise damaged(path, "its digest is another") from None
            raise
        check_bytes(one["media_type"], head, f"attachments.{place}")


def _opened(opener: AttachmentOpener, path: Path) -> bytes:
    """The first bytes of an attachment that opens to its end."""
    head = b""
    for data in pieces(path):
        head += opener.update(data)[: HEAD_BYTES - len(head)]
    return head + opener.finish()[: HEAD_BYTES - len(head)]


def measure_file(path: Path) -> Blob:
    """Length and SHA-256 of a file.

    Raises:
        OperatorError: `attachment_damaged`.
    """
    digest, length = hashlib.sha256(), 0
    for data in pieces(path):
        digest.update(data)
        length += len(data)
    return Blob(length, digest.digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An attachment of a bulletin that somebody here has read; `place` counts from 0."""

    name: str
    media_type: str
    blob: Blob
    path: Path
    place: int
    header_id: bytes
    content_key: bytes = field(repr=False)

    def pieces(self, offset: int = 0) -> Generator[bytes, None, None]:
        """Its bytes from `offset` on; raises what `plaintext` raises."""
        return plaintext(self.path, self.content_key, self.header_id, self.place, self.blob, offset)


def plaintext(
    path: Path, content_key: bytes, header_id: bytes, place: int, plain: Blob, offset: int = 0
) -> Generator[bytes, None, None]:
    """An attachment's bytes from `offset` on; whoever takes them compares length and digest.

    Raises:
        OperatorError: `attachment_damaged`, maybe after some bytes.
    """
    opener = AttachmentOpener(content_key, header_id, place, plain)
    left = offset
    try:
        for data in pieces(path):
            clear = opener.update(data)
            skipped = min(left, len(clear))
            left -= skipped
            if len(clear) > skipped:
                yield clear[skipped:]
        rest = opener.finish()
        if len(rest) > left:
            yield rest[left:]
    except InvalidInput as error:
        raise damaged(path, error.message) from None
