"""What a stored bulletin says, once more: it was judged when it came, and is not judged again."""

from __future__ import annotations

from typing import Any

from saphan_protocol.content import open_content
from saphan_schemas.codec import decode, decode_content
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Sealed

from saphan.node.archive import Archive


def content_of(
    archive: Archive,
    bulletin: bytes,
    wrapped: bytes,
    day: int,
    header_id: bytes,
    ciphertext: bytes,
) -> dict[str, Any]:
    """Its content.

    Args:
        day: of the archive key that wraps its content key.

    Raises:
        InvalidInput: it does not open; OperatorError: `archive_key_gone`, `archive_key_damaged`.
    """
    opened = open_content(archive.unwrap(wrapped, bulletin, day), header_id, ciphertext)
    sealed = decode(Sealed, opened, LIMITS.ciphertext_bytes, "sealed")
    return decode_content(sealed.content, LIMITS.content_bytes)
