"""A disclosure: an agency's signed record that it gave away the content key of one bulletin.

The log's `exported` statement commits to it with a salt that travels with the record, so nobody
learns from the log to whom, or why (receipts.md; evidence.md, step V15).
"""

from __future__ import annotations

import hmac
from typing import Final

from saphan_schemas.errors import InvalidInput

from saphan_protocol.identity import pae

DISCLOSURE_TYPE: Final = "saphan/disclosure/1"


def disclosure_commitment(salt: bytes, disclosure: bytes) -> bytes:
    """HMAC-SHA-256(salt, PAE("saphan/disclosure/1", disclosure)): the statement's 32-byte detail.

    Raises:
        InvalidInput: `salt_malformed`: the salt is exactly 32 bytes.
    """
    if len(salt) != 32:
        raise InvalidInput("salt_malformed", "a salt is exactly 32 bytes", field="salt")
    return hmac.digest(salt, pae(DISCLOSURE_TYPE, disclosure), "sha256")
