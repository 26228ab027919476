"""Key derivation: HKDF-SHA256 (RFC 5869), empty salt, its info always the PAE of an array."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from saphan_protocol.identity import pae_array

KEY_BYTES: Final = 32


def derive(secret: bytes, kind: str, items: list[object]) -> bytes:
    """32 bytes: HKDF-SHA256(secret, salt empty, info PAE(kind, items)); suite.md section 4.1."""
    if len(secret) != KEY_BYTES:
        raise RuntimeError(f"a secret of {len(secret)} bytes was passed, {KEY_BYTES} are needed")
    info = pae_array(kind, items)
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)
