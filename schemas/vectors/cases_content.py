"""Vectors of sealed content: lengths, the committing cipher, the padding."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from saphan_protocol.content import content_cipher_key
from saphan_protocol.suite import Cobblestone256Encryptor
from saphan_schemas.codec import encode
from saphan_schemas.records import Sealed, Signature, SignatureItem
from vector_kit import Cases, Frozen, Vector, case_file, flip

HEADER_ID: Final = sha256(b"header").digest()
CONTENT_KEY: Final = sha256(b"content key").digest()
CIPHER_KEY: Final = content_cipher_key(CONTENT_KEY, HEADER_ID)
SIGNATURE: Final = Signature(SignatureItem(bytes(32), 1, 0, (), bytes(32)), bytes(3373))
RECORD: Final = encode(Sealed(b"inner", (SIGNATURE,), b"\x81\xa1a\xa1b"))
ZERO_TAIL: Final = encode(Sealed(b"inner", (SIGNATURE,), b"\x83\xa1a\x00\xa1b\x00\xa1c\x00"))
PADDED: Final = RECORD.ljust(4096, b"\x00")
CODES: Final = {
    "valid": None,
    "padding": "padding_invalid",
    "length": "ciphertext_invalid",
    "cipher": "ciphertext_invalid",
}


def _case(expect: str, why: str, ciphertext: bytes, **other: Any) -> Vector:
    fields = {"content_key": CONTENT_KEY, "header": HEADER_ID, "sealed": RECORD} | other
    return case_file(expect, CODES[expect], why, "4.8", **fields, ciphertext=ciphertext)


def _made(
    frozen: Frozen, name: str, plain: bytes, key: bytes = CIPHER_KEY, context: bytes = HEADER_ID
) -> bytes:
    """Ciphertext of any plaintext, as a sender with the key can make it."""

    def make() -> bytes:
        encryptor = Cobblestone256Encryptor(key, context)
        return encryptor.update(plain) + encryptor.finalize()

    return frozen.get("content/" + name, make)


def content(frozen: Frozen) -> Cases:
    good = _made(frozen, "valid", PADDED)
    yield "valid", _case("valid", "a small record in the smallest bucket, 4 KiB", good)
    zeros = _made(frozen, "zero_tail", ZERO_TAIL.ljust(4096, b"\x00"))
    why = "the record itself ends in a zero"
    yield "valid_zero_tail", _case("valid", why, zeros, sealed=ZERO_TAIL)
    yield from _ciphers(frozen, good)
    yield from _lengths(frozen, good)
    yield from _paddings(frozen)


def _ciphers(frozen: Frozen, good: bytes) -> Cases:
    yield "other_header", _case("cipher", "sealed under another header", good, header=bytes(32))
    why = "the content key is another"
    yield "other_key", _case("cipher", why, good, content_key=bytes(32))
    yield "salt_flipped", _case("cipher", "one bit of the salt", flip(good, 0))
    yield "commitment_flipped", _case("cipher", "one bit of the commitment", flip(good, 24))
    yield "chunk_flipped", _case("cipher", "one bit of the ciphertext", flip(good, 56))
    yield "tag_flipped", _case("cipher", "one bit of the tag", flip(good, len(good) - 1))
    bare = _made(frozen, "bare", PADDED, CONTENT_KEY)
    yield "no_derivation", _case("cipher", "the content key was used bare", bare)
    empty = _made(frozen, "empty_context", PADDED, context=b"")
    yield "no_context", _case("cipher", "the context is empty", empty)


def _lengths(frozen: Frozen, good: bytes) -> Cases:
    yield "short", _case("length", "the last byte is missing", good[:-1])
    longer = _made(frozen, "not_padme", PADDED + b"\x00")
    yield "not_padme", _case("length", "4097 bytes are no bucket", longer)
    below = _made(frozen, "below_floor", PADDED[:3584])
    yield "below_floor", _case("length", "less than 4 KiB", below)


def _paddings(frozen: Frozen) -> Cases:
    dirty = _made(frozen, "padding_dirty", PADDED[:-1] + b"\x01")
    yield "padding_dirty", _case("padding", "the last byte is not zero", dirty)
    large = _made(frozen, "padding_bucket", RECORD.ljust(4352, b"\x00"))
    yield "padding_bucket", _case("padding", "one bucket too large", large)
    twice = _made(frozen, "padding_second", (RECORD + b"\x01").ljust(4096, b"\x00"))
    yield "padding_second", _case("padding", "a second value follows", twice)
    none = _made(frozen, "no_record", b"\xc1".ljust(4096, b"\x00"))
    yield "no_record", _case("padding", "no record stands there", none)
