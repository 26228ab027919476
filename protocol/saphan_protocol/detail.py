"""Sealed details that only the originator reads, always 1 KiB before sealing: why a bulletin was
rejected (text), and what its eraser knew of it (an `ErasureDetail`; retention.md, section 3).

Plaintext = length (u16, big-endian) || bytes || zeros to 1024 bytes; suite.md section 3.5.
"""

from __future__ import annotations

from typing import Final

from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import ErasureDetail, SealedDetail

from saphan_protocol.identity import pae_array
from saphan_protocol.mailbox import MailboxKey, seal

DETAIL_TYPE: Final = "saphan/detail/1"
ERASURE_DETAIL_TYPE: Final = "saphan/erasure_detail/1"
TEXT_BYTES: Final = LIMITS.detail_bytes - 2


def _info(kind: str, bulletin_id: bytes, agency: str, mailbox_key_id: bytes) -> bytes:
    return pae_array(kind, [bulletin_id, agency, mailbox_key_id])


def seal_detail(
    text: str, bulletin_id: bytes, agency: str, mailbox_key_id: bytes, mailbox_public: bytes
) -> SealedDetail:
    """Seal at most 1022 bytes of text to the originator's mailbox.

    Args:
        text: what the originator should know.
        bulletin_id: the bulletin that is rejected.
        agency: who says it, the statement's issuer, so that no one else can pass it on as theirs.
        mailbox_key_id: the originator's mailbox key.
        mailbox_public: that key, 1216 bytes.

    Raises:
        InvalidInput: `too_large`, `malformed` (a lone surrogate), `key_malformed`, `key_weak`.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("malformed", "the detail is not valid text", field="detail") from None
    return _seal(DETAIL_TYPE, data, bulletin_id, agency, mailbox_key_id, mailbox_public)


def seal_erasure(
    known: ErasureDetail,
    bulletin_id: bytes,
    agency: str,
    mailbox_key_id: bytes,
    mailbox_public: bytes,
) -> SealedDetail:
    """Seal what a holder knew when it erased a bulletin; arguments as of `seal_detail`.

    Raises:
        InvalidInput: `key_malformed`, `key_weak`.
    """
    data = encode(known)
    return _seal(ERASURE_DETAIL_TYPE, data, bulletin_id, agency, mailbox_key_id, mailbox_public)


def open_erasure(
    detail: SealedDetail, key: MailboxKey, bulletin_id: bytes, agency: str
) -> ErasureDetail:
    """What `agency` knew when it erased this bulletin.

    Raises:
        InvalidInput: `key_mismatch`, `stanza_unopenable`, `padding_invalid`, codec codes.
    """
    data = _open(ERASURE_DETAIL_TYPE, detail, key, bulletin_id, agency)
    return decode(ErasureDetail, data, TEXT_BYTES, "detail")


def _seal(
    kind: str,
    data: bytes,
    bulletin_id: bytes,
    agency: str,
    mailbox_key_id: bytes,
    mailbox_public: bytes,
) -> SealedDetail:
    if len(data) > TEXT_BYTES:
        raise InvalidInput(
            "too_large",
            f"the detail has {len(data)} bytes, at most {TEXT_BYTES} are taken",
            field="detail",
            hint="shorten it: it says why, the bulletin itself says what",
        )
    padded = (len(data).to_bytes(2, "big") + data).ljust(LIMITS.detail_bytes, b"\x00")
    info = _info(kind, bulletin_id, agency, mailbox_key_id)
    return SealedDetail(mailbox_key_id, seal(mailbox_public, padded, info))


def open_detail(detail: SealedDetail, key: MailboxKey, bulletin_id: bytes, agency: str) -> str:
    """The text that `agency` sealed about this bulletin.

    Raises:
        InvalidInput: `key_mismatch` (sealed to another mailbox), `stanza_unopenable`,
            `padding_invalid`, `malformed` (not UTF-8).
    """
    try:
        return _open(DETAIL_TYPE, detail, key, bulletin_id, agency).decode()
    except UnicodeDecodeError:
        raise InvalidInput("malformed", "the detail is not valid UTF-8", field="detail") from None


def _open(
    kind: str, detail: SealedDetail, key: MailboxKey, bulletin_id: bytes, agency: str
) -> bytes:
    if detail.mailbox_key != key.key_id:
        raise InvalidInput(
            "key_mismatch",
            f"the detail is sealed to mailbox key {detail.mailbox_key.hex()[:16]}, not to this one",
            field="detail.mailbox_key",
        )
    plain = key.open(detail.sealed, _info(kind, bulletin_id, agency, key.key_id))
    length = int.from_bytes(plain[:2], "big")
    if len(plain) != LIMITS.detail_bytes or length > TEXT_BYTES or any(plain[2 + length :]):
        raise InvalidInput("padding_invalid", "the detail is not padded as agreed", field="detail")
    return plain[2 : 2 + length]
