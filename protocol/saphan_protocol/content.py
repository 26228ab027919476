"""The sealed content: Cobblestone-256 over a `Sealed` record and zeros to a Padmé length.

Padmé counts the plaintext (record and zeros): the ciphertext's length follows from it, so observers
learn the bucket and nothing finer, and a broker can check the length without a key. Cobblestone
commits to its key and context: no second key opens the same bytes to another text.
Numbered steps are those of schemas/spec/suite.md sections 4.7 and 4.8.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import KIB, LIMITS

from saphan_protocol.extent import record_extent
from saphan_protocol.kdf import derive
from saphan_protocol.suite import Cobblestone256Decryptor, Cobblestone256Encryptor

CONTENT_KEY_TYPE: Final = "saphan/content/1"
ATTACHMENT_KEY_TYPE: Final = "saphan/attachment/1"
FLOOR_BYTES: Final = 4 * KIB

# Cobblestone (C2SP chunked-encryption): salt 24 || commitment 32, then chunks of 16 KiB, each with
# a tag of 16; the last chunk is always shorter, maybe empty.
_HEAD: Final = 24 + 32
_CHUNK: Final = 16 * KIB
_TAG: Final = 16


def padme(length: int) -> int:
    """The Padmé length for `length` bytes (PoPETs 2019): at most 12 % more."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (length + mask) & ~mask


def padded_length(length: int) -> int:
    """Plaintext bytes after padding: Padmé, and at least 4 KiB."""
    return max(FLOOR_BYTES, padme(length))


def ciphertext_length(length: int) -> int:
    """Ciphertext bytes for `length` bytes of record or attachment before padding."""
    padded = padded_length(length)
    return _HEAD + padded + _TAG * (padded // _CHUNK + 1)


def ciphertext_length_valid(length: int) -> bool:
    """Whether a ciphertext of `length` bytes can be the seal of a padded plaintext.

    A length of zero plaintext bytes, a chunk without its tag, or no Padmé length is none.
    """
    chunks, rest = divmod(length - _HEAD, _CHUNK + _TAG)
    plain = length - _HEAD - _TAG * (chunks + 1)
    return rest >= _TAG and plain >= FLOOR_BYTES and padded_length(plain) == plain


ATTACHMENT_SEALED_BYTES: Final = ciphertext_length(LIMITS.attachment_bytes)
"""The longest sealed attachment."""
ATTACHMENTS_SEALED_BYTES: Final = (
    LIMITS.attachments_bytes * 9 // 8 + LIMITS.attachments * ciphertext_length(0)
)
"""All sealed attachments of a bulletin at their longest: Padmé adds at most 12 %, and the floor."""


def content_cipher_key(content_key: bytes, header_identity: bytes) -> bytes:
    """Cobblestone key of the content, 32 bytes."""
    return derive(content_key, CONTENT_KEY_TYPE, [header_identity])


def attachment_cipher_key(content_key: bytes, header_identity: bytes, index: int) -> bytes:
    """Cobblestone key of attachment `index` (from 0), 32 bytes."""
    return derive(content_key, ATTACHMENT_KEY_TYPE, [header_identity, index])


def seal_content(content_key: bytes, header_identity: bytes, sealed: bytes) -> bytes:
    """Ciphertext of a `Sealed` record's bytes (steps C1-C3); salted, so no two are equal.

    Raises:
        InvalidInput: `too_large` if the ciphertext would exceed `LIMITS.ciphertext_bytes`.
    """
    _check_size(ciphertext_length(len(sealed)))
    if record_extent(sealed) != len(sealed):
        raise RuntimeError("what is sealed is not exactly one record")
    # C1: pad. C2: key of this header. C3: seal, the header identity as context.
    padded = sealed.ljust(padded_length(len(sealed)), b"\x00")
    key = content_cipher_key(content_key, header_identity)
    encryptor = Cobblestone256Encryptor(key, header_identity)
    return encryptor.update(padded) + encryptor.finalize()


def open_content(content_key: bytes, header_identity: bytes, ciphertext: bytes) -> bytes:
    """The exact bytes of the `Sealed` record (steps O1-O4), not parsed yet.

    Raises:
        InvalidInput: `too_large`, `ciphertext_invalid` (length, key, header or bytes are wrong),
            `padding_invalid` (sealed by its maker with other padding than agreed).
    """
    # O1: length before any work.
    _check_size(len(ciphertext))
    if not ciphertext_length_valid(len(ciphertext)):
        raise _invalid(f"{len(ciphertext)} bytes is no length that sealing gives")
    # O2: nothing is used before finalize() has vouched for the end (specs.md section 1.5).
    plain = _decrypt(content_cipher_key(content_key, header_identity), header_identity, ciphertext)
    # O3: the record says itself where it ends. O4: zeros from there to exactly its Padmé length.
    end = record_extent(plain)
    if end is None or padded_length(end) != len(plain) or plain.count(0, end) != len(plain) - end:
        raise InvalidInput(
            "padding_invalid",
            "the content is not one record followed by zeros to its Padmé length",
            field="ciphertext",
            hint="the sender's program seals wrongly: reject the bulletin and tell the sender",
        )
    return plain[:end]


def _decrypt(key: bytes, context: bytes, ciphertext: bytes) -> bytes:
    decryptor = Cobblestone256Decryptor(key, context)
    try:
        return decryptor.update(ciphertext) + decryptor.finalize()
    except InvalidTag:
        raise _invalid("its key, its header or its bytes are not what was sealed") from None


def _check_size(length: int) -> None:
    if length > LIMITS.ciphertext_bytes:
        raise InvalidInput(
            "too_large",
            f"the ciphertext has {length} bytes, at most {LIMITS.ciphertext_bytes} are taken",
            field="ciphertext",
            hint="send large parts as attachments",
        )


def _invalid(why: str) -> InvalidInput:
    return InvalidInput(
        "ciphertext_invalid",
        f"the ciphertext does not open: {why}",
        field="ciphertext",
        hint="fetch it again; if it stays so, report the bulletin to its sender",
    )
