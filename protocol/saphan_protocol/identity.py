"""Pre-authentication encoding (DSSE v1.0.2) and identities: what is signed, how a thing is named.

identity = SHA-256(PAE(type, bytes)); it is never taken from a signature (design section 2).
"""

from __future__ import annotations

import hashlib

from saphan_schemas.codec import Record
from saphan_schemas.pae import pae as pae
from saphan_schemas.pae import pae_array as pae_array
from saphan_schemas.records import PAE_TYPES

CONTENT_TYPE = "saphan/plaintext/1"
"""PAE type of canonical content bytes (its digest stands in `Inner.content`)."""


def identity(kind: str, body: bytes) -> bytes:
    """SHA-256(PAE(kind, body)), 32 bytes."""
    return hashlib.sha256(pae(kind, body)).digest()


def record_identity(kind: type[Record], body: bytes) -> bytes:
    """Identity of a record from its exact bytes."""
    return identity(PAE_TYPES[kind], body)


def sha256(data: bytes) -> bytes:
    """Digest of opaque bytes (ciphertext, stanza, attachment)."""
    return hashlib.sha256(data).digest()
