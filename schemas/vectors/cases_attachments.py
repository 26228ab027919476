"""Vectors of sealed attachments: derived key, place, padding, and what the author signed."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from saphan_protocol.content import attachment_cipher_key
from saphan_protocol.suite import Cobblestone256Encryptor
from vector_kit import Cases, Frozen, Vector, case_file, flip

HEADER_ID: Final = sha256(b"header").digest()
CONTENT_KEY: Final = sha256(b"content key").digest()
PLAIN: Final = b"%PDF-1.7\n% a page\n"
PADDED: Final = PLAIN.ljust(4096, b"\x00")
ENDS_IN_ZEROS: Final = PLAIN + bytes(9)
CODES: Final = {
    "valid": None,
    "padding": "padding_invalid",
    "length": "attachment_invalid",
    "cipher": "attachment_invalid",
    "signed": "attachment_mismatch",
}


def _case(expect: str, why: str, sealed: bytes, **other: Any) -> Vector:
    fields = {
        "content_key": CONTENT_KEY,
        "header": HEADER_ID,
        "place": 0,
        "length": len(PLAIN),
        "sha256": sha256(PLAIN).digest(),
        "plain": PLAIN,
    } | other
    return case_file(expect, CODES[expect], why, "4.12", **fields, ciphertext=sealed)


def _made(
    frozen: Frozen, name: str, padded: bytes, place: int = 0, context: bytes = HEADER_ID
) -> bytes:
    """Sealed bytes of any plaintext, as a sender with the key can make them."""

    def make() -> bytes:
        key = attachment_cipher_key(CONTENT_KEY, HEADER_ID, place)
        encryptor = Cobblestone256Encryptor(key, context)
        return encryptor.update(padded) + encryptor.finalize()

    return frozen.get("attachment/" + name, make)


def attachment(frozen: Frozen) -> Cases:
    good = _made(frozen, "valid", PADDED)
    yield "valid", _case("valid", "a small attachment in the smallest bucket, 4 KiB", good)
    second = _made(frozen, "second", PADDED, place=1)
    yield "valid_second", _case("valid", "the second attachment of a bulletin", second, place=1)
    told = {"length": len(ENDS_IN_ZEROS), "sha256": sha256(ENDS_IN_ZEROS).digest()}
    why = "zeros that belong to the attachment, by its signed length"
    yield "valid_zero_tail", _case("valid", why, good, **told, plain=ENDS_IN_ZEROS)
    yield from _ciphers(frozen, good)
    yield from _signed(frozen, good)


def _ciphers(frozen: Frozen, good: bytes) -> Cases:
    yield "other_place", _case("cipher", "sealed for another place", good, place=1)
    yield "other_header", _case("cipher", "sealed under another header", good, header=bytes(32))
    yield "other_key", _case("cipher", "the content key is another", good, content_key=bytes(32))
    yield "salt_flipped", _case("cipher", "one bit of the salt", flip(good, 0))
    yield "commitment_flipped", _case("cipher", "one bit of the commitment", flip(good, 24))
    yield "chunk_flipped", _case("cipher", "one bit of the ciphertext", flip(good, 56))
    yield "tag_flipped", _case("cipher", "one bit of the tag", flip(good, len(good) - 1))
    empty = _made(frozen, "empty_context", PADDED, context=b"")
    yield "no_context", _case("cipher", "the context is empty", empty)
    yield "short", _case("length", "the last byte is missing", good[:-1])


def _signed(frozen: Frozen, good: bytes) -> Cases:
    other = {"sha256": sha256(b"another").digest()}
    yield "other_digest", _case("signed", "another digest is signed", good, **other)
    less = {"length": len(PLAIN) - 1, "sha256": sha256(PLAIN[:-1]).digest()}
    yield "longer", _case("padding", "a byte follows the signed length", good, **less)
    dirty = _made(frozen, "padding_dirty", PADDED[:-1] + b"\x01")
    yield "padding_dirty", _case("padding", "the last byte is not zero", dirty)
    large = _made(frozen, "padding_bucket", PLAIN.ljust(4352, b"\x00"))
    yield "padding_bucket", _case("padding", "one bucket too large", large)
