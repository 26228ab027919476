"""Cobblestone-256 opened by hand from its description (C2SP chunked-encryption)."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LABEL = b"c2sp.org/chunked-encryption@v1+" + b"AEAD_AES_256_GCM" + b"\x00"
CHUNK = 16 * 1024


def _expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-512 (RFC 5869 section 2.3)."""
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(key, block + info + bytes([counter]), hashlib.sha512)
        output += block
        counter += 1
    return output[:length]


def open_by_hand(key: bytes, context: bytes, ciphertext: bytes) -> bytes:
    """Plaintext; raises ValueError for another commitment, InvalidTag for damaged chunks."""
    salt, commitment, body = ciphertext[:24], ciphertext[24:56], ciphertext[56:]
    derived = _expand(key, LABEL + salt + context, 32 + 12 + 32)
    if derived[44:] != commitment:
        raise ValueError("the commitment is to another key, salt or context")
    aead, base = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")
    step = CHUNK + 16
    plain = [
        aead.decrypt((base ^ number).to_bytes(12, "big"), body[at : at + step], b"")
        for number, at in enumerate(range(0, len(body), step))
    ]
    if len(plain[-1]) >= CHUNK:
        raise ValueError("the last chunk is not shorter")
    return b"".join(plain)
