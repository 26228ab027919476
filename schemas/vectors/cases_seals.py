"""Vectors of what is sealed to a mailbox: stanzas and details."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from saphan_protocol.identity import pae_array
from saphan_protocol.mailbox import MailboxKey, seal
from saphan_schemas.codec import encode
from saphan_schemas.records import SealedDetail
from vector_kit import Cases, Frozen, Vector, case_file, flip

MAILBOX_SEED: Final = bytes(range(32))
BULLETIN: Final = sha256(b"bulletin").digest()
CONTENT_KEY: Final = sha256(b"content key").digest()


def stanza(frozen: Frozen) -> Cases:
    key = MailboxKey(MAILBOX_SEED)
    info = pae_array("saphan/stanza/1", [BULLETIN, "la.ospp", key.key_id])

    def made(name: str, plain: bytes, bound: bytes) -> bytes:
        return frozen.get("stanza/" + name, lambda: seal(key.public, plain, bound))

    good = made("valid", CONTENT_KEY, info)

    def case(expect: str, why: str, sealed: bytes = good, **other: Any) -> Vector:
        return case_file(
            expect,
            None if expect == "valid" else "stanza_unopenable",
            why,
            "4.6",
            seed=other.get("seed", MAILBOX_SEED),
            bulletin=other.get("bulletin", BULLETIN),
            agency=other.get("agency", "la.ospp"),
            content_key=CONTENT_KEY,
            stanza=sealed,
        )

    yield "valid", case("valid", "opens for its key, bulletin and agency")
    yield "other_bulletin", case("hpke", "sealed for another bulletin", bulletin=bytes(32))
    yield "other_agency", case("hpke", "sealed for another agency", agency="kh.gpo")
    yield "other_key", case("hpke", "sealed to another mailbox", seed=bytes(32))
    yield "mlkem_flipped", case("hpke", "one bit of the ML-KEM ciphertext", flip(good, 0))
    yield "x25519_flipped", case("hpke", "one bit of the X25519 share", flip(good, 1088))
    yield (
        "x25519_zero",
        case("hpke", "the X25519 share has low order", good[:1088] + bytes(32) + good[1120:]),
    )
    yield "tag_flipped", case("hpke", "one bit of the tag", flip(good, 1167))
    yield "short", case("length", "the last byte is missing", good[:-1])
    yield "long", case("length", "a byte follows", good + b"\x00")
    yield (
        "secret_33",
        case("length", "33 bytes are sealed", made("secret_33", CONTENT_KEY + b"\x00", info)),
    )
    bare = BULLETIN + b"la.ospp" + key.key_id
    yield "bare_info", case("hpke", "the info runs together", made("bare_info", CONTENT_KEY, bare))


def detail(frozen: Frozen) -> Cases:
    key = MailboxKey(MAILBOX_SEED)
    info = pae_array("saphan/detail/1", [BULLETIN, "kh.gpo", key.key_id])
    text = "ເອກະສານຂາດ: no such case"
    padded = (len(text.encode()).to_bytes(2, "big") + text.encode()).ljust(1024, b"\x00")

    def case(
        name: str, expect: str, code: str | None, why: str, plain: bytes, **other: Any
    ) -> Vector:
        sealed = frozen.get("detail/" + name, lambda: seal(key.public, plain, info))
        return case_file(
            expect,
            code,
            why,
            "3.5",
            seed=MAILBOX_SEED,
            bulletin=BULLETIN,
            agency=other.get("agency", "kh.gpo"),
            text=text,
            detail=encode(SealedDetail(other.get("key", key.key_id), sealed)),
        )

    yield "valid", case("valid", "valid", None, "text of 44 bytes in 1 KiB", padded)
    yield (
        "other_issuer",
        case(
            "valid", "hpke", "stanza_unopenable", "passed on as another's", padded, agency="la.ospp"
        ),
    )
    yield (
        "other_mailbox",
        case("valid", "key", "key_mismatch", "names another mailbox key", padded, key=bytes(32)),
    )
    dirty = padded[:-1] + b"\x01"
    yield "dirty", case("dirty", "padding", "padding_invalid", "the last byte is not zero", dirty)
    beyond = b"\x03\xff" + padded[2:]
    yield "beyond", case("beyond", "padding", "padding_invalid", "the length is 1023", beyond)
    torn = b"\x00\x01\xe0".ljust(1024, b"\x00")
    yield "not_utf8", case("not_utf8", "text", "malformed", "the text is not UTF-8", torn)
