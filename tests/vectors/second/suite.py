"""Suite 1, from suite.md and bulletin.md: what a reader of sealed and signed bytes does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import combinations
from typing import Any

import msgpack
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mp import Refuse, array, number, octets, one_of, or_nil, read_record, record, refuse, words

Vector = dict[str, Any]
LABEL = b"COMPSIG-MLDSA65-Ed25519-SHA512"
AGENCY = words(r"[a-z]{2}\.[a-z0-9-]{1,32}")
MILLIS = number(0, 253_402_300_799_999)
BLOB = record(number(), octets(32))
ITEM = (octets(32), number(1, 65_536), number(), array(octets(32)), octets(32))
BATCH = (octets(32), number(1, 65_536), octets(32), octets(3373))
HEADER = (
    one_of(1),
    octets(16),
    AGENCY,
    array(AGENCY, 1),
    words(r"[a-z][a-z0-9.-]{0,33}/[a-z][a-z0-9_]{0,40}/[0-9]{1,3}"),
    octets(32),
    record(
        one_of("clear", "green", "amber", "amber+strict", "red"),
        array(one_of("H0", "H1", "H2", "H3"), 0, 4),
    ),
    one_of("routine", "priority", "immediate"),
    one_of(True, False),
    MILLIS,
    MILLIS,
    or_nil(MILLIS),
    number(0, 2_932_896),
)
BULLETIN = (octets(32), BLOB, array(BLOB, 0, 32))


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def pae(kind: str, body: bytes) -> bytes:
    """4.1"""
    return b"DSSEv1 %d %b %d %b" % (len(kind.encode()), kind.encode(), len(body), body)


def pae_of(kind: str, *fields: object) -> bytes:
    return pae(kind, msgpack.packb(list(fields)))


def hkdf(secret: bytes, kind: str, *fields: object) -> bytes:
    return HKDF(SHA256(), 32, b"", pae_of(kind, *fields)).derive(secret)


def from_hex(vector: Vector, name: str) -> bytes:
    return bytes.fromhex(vector[name])


def same(computed: bytes, claimed: str) -> None:
    if computed.hex() != claimed:
        refuse("differs")


def read_dsse(vector: Vector) -> None:
    encoded = pae(vector["type"], from_hex(vector, "body"))
    same(encoded, vector["pae"])
    same(sha256(encoded), vector["identity"])


def read_bulletin_id(vector: Vector) -> None:
    header, bulletin = from_hex(vector, "header"), from_hex(vector, "bulletin")
    read_record(header, *HEADER)
    named = read_record(bulletin, *BULLETIN)[0]
    same(sha256(pae("saphan/header/1", header)), vector["header_identity"])
    same(named, vector["header_identity"])
    same(sha256(pae("saphan/bulletin/1", bulletin)), vector["bulletin_id"])


def climb(index: int, size: int, node: bytes, path: list[bytes]) -> bytes | None:
    """RFC 9162 section 2.1.3.2, strictly; None where index, size and path do not fit."""
    fn, sn = index, size - 1
    if fn > sn:
        return None
    for step in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            node = sha256(b"\x01", step, node)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha256(b"\x01", node, step)
        fn, sn = fn >> 1, sn >> 1
    return node if sn == 0 else None


def read_batch(vector: Vector) -> None:
    """4.4, I1 to I4 and V1 to V4."""
    role, seed = vector["role"], from_hex(vector, "seed")
    mldsa = MLDSA65PrivateKey.from_seed_bytes(seed[:32]).public_key()
    ed25519 = Ed25519PrivateKey.from_private_bytes(seed[32:]).public_key()
    key = sha256(role.encode(), b"\x00", mldsa.public_bytes_raw() + ed25519.public_bytes_raw())
    named, size, index, path, salt = read_record(from_hex(vector, "item"), *ITEM)
    if named != key:
        refuse("key_mismatch")
    if size > 1 and role != "node":
        refuse("batch_path")
    leaf = sha256(b"\x00", salt, pae(vector["type"], from_hex(vector, "body")))
    root = climb(index, size, leaf, path)
    if root is None:
        refuse("batch_path")
    if vector["batch"] is None:
        refuse("signature_missing")
    signer, signed_size, signed_root, made = read_record(from_hex(vector, "batch"), *BATCH)
    if (signed_size, signed_root) != (size, root):
        refuse("batch_path")
    if signer != key:
        refuse("key_mismatch")
    context = b"saphan/%b/1" % role.encode()
    message = pae_of("saphan/batch/1", role, size, root)
    whole = b"CompositeAlgorithmSignatures2025" + LABEL + bytes([len(context)]) + context
    whole += hashlib.sha512(message).digest()
    try:
        ed25519.verify(made[3309:], whole)
        mldsa.verify(made[:3309], whole, LABEL)
    except InvalidSignature:
        refuse("signature_invalid")


class Mailbox:
    """3.1: an X-Wing seed, and what was sealed to it."""

    def __init__(self, seed: bytes) -> None:
        expanded = hashlib.shake_256(seed).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._key = hpke.MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        self.id = sha256(b"mailbox\x00", self.public)

    def open(self, sealed: bytes, info: bytes, code: str = "stanza_unopenable") -> bytes:
        suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
        try:
            return suite.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError):
            refuse(code)


def read_stanza(vector: Vector) -> None:
    """4.6, T2."""
    stanza, key = from_hex(vector, "stanza"), Mailbox(from_hex(vector, "seed"))
    if len(stanza) != 1168:
        refuse("stanza_unopenable")
    info = pae_of("saphan/stanza/1", from_hex(vector, "bulletin"), vector["agency"], key.id)
    same(key.open(stanza, info), vector["content_key"])


def read_detail(vector: Vector) -> None:
    """3.5"""
    key = Mailbox(from_hex(vector, "seed"))
    named, sealed = read_record(from_hex(vector, "detail"), octets(32), octets(2160))
    if named != key.id:
        refuse("key_mismatch")
    info = pae_of("saphan/detail/1", from_hex(vector, "bulletin"), vector["agency"], key.id)
    plain = key.open(sealed, info)
    length = int.from_bytes(plain[:2], "big")
    if length > 1022 or any(plain[2 + length :]):
        refuse("padding_invalid")
    try:
        text = plain[2 : 2 + length].decode()
    except UnicodeDecodeError:
        refuse("malformed")
    same(text.encode(), vector["text"].encode().hex())


def padme(length: int) -> int:
    """3.6"""
    exponent = length.bit_length() - 1
    step = 1 << exponent - exponent.bit_length()
    return max(4096, -(-length // step) * step)


def plain_length(length: int) -> int | None:
    """The plaintext behind a ciphertext of this length (4.8, O1); None where there is none."""
    chunks, rest = divmod(length - 56, 16_400)
    plain = length - 56 - 16 * (chunks + 1)
    return plain if rest >= 16 and plain >= 4096 and padme(plain) == plain else None


def opened(key: bytes, context: bytes, sealed: bytes, code: str) -> bytes:
    cipher = Cobblestone256Decryptor(key, context)
    try:
        return cipher.update(sealed) + cipher.finalize()
    except InvalidTag:
        refuse(code)


def read_content(vector: Vector) -> None:
    """4.8"""
    sealed, header = from_hex(vector, "ciphertext"), from_hex(vector, "header")
    if plain_length(len(sealed)) is None:
        refuse("ciphertext_invalid")
    key = hkdf(from_hex(vector, "content_key"), "saphan/content/1", header)
    plain = opened(key, header, sealed, "ciphertext_invalid")
    unpacker = msgpack.Unpacker()
    unpacker.feed(plain)
    try:
        first = unpacker.unpack()
    except (ValueError, msgpack.exceptions.UnpackException):
        refuse("padding_invalid")
    end = unpacker.tell()
    if not isinstance(first, list) or padme(end) != len(plain) or any(plain[end:]):
        refuse("padding_invalid")
    same(plain[:end], vector["sealed"])


def read_attachment(vector: Vector) -> None:
    """4.12"""
    sealed, header = from_hex(vector, "ciphertext"), from_hex(vector, "header")
    length = vector["length"]
    place = plain_length(len(sealed))
    if place is None:
        refuse("attachment_invalid")
    key = hkdf(from_hex(vector, "content_key"), "saphan/attachment/1", header, vector["place"])
    plain = opened(key, header, sealed, "attachment_invalid")
    if padme(length) != len(plain) or any(plain[length:]):
        refuse("padding_invalid")
    if sha256(plain[:length]).hex() != vector["sha256"]:
        refuse("attachment_mismatch")
    same(plain[:length], vector["plain"])


def read_custody(vector: Vector) -> None:
    """3.8, and backup.md K1 to K5."""
    keys = [Mailbox(bytes.fromhex(seed)) for seed in vector["seeds"]]
    names = [sha256(b"custodian\x00", key.public) for key in keys]
    shares, context = [bytes.fromhex(one) for one in vector["shares"]], from_hex(vector, "context")
    quorum = vector["quorum"]
    groups = list(combinations(range(len(keys)), quorum))
    if len(shares) != len(groups) * quorum:
        refuse("custody_malformed")
    found: dict[tuple[int, int], bytes] = {}
    for number_of, group in enumerate(groups):
        for at, member in enumerate(group):
            if member in vector["openers"]:
                info = pae_of("saphan/custody/1", context, quorum, names, list(group), member)
                sealed = shares[number_of * quorum + at]
                found[number_of, at] = keys[member].open(sealed, info, "custody_malformed")
    for number_of in range(len(groups)):
        parts = [found.get((number_of, at)) for at in range(quorum)]
        whole = [part for part in parts if part is not None]
        if len(whole) == quorum:
            secret = bytes(32)
            for part in whole:
                secret = bytes(a ^ b for a, b in zip(secret, part, strict=True))
            same(secret, vector["secret"])
            return
    refuse("custodians_too_few")


READERS: dict[str, Callable[[Vector], None]] = {
    "attachment": read_attachment,
    "batch": read_batch,
    "bulletin_id": read_bulletin_id,
    "content": read_content,
    "custody": read_custody,
    "detail": read_detail,
    "dsse": read_dsse,
    "stanza": read_stanza,
}
__all__ = ["READERS", "Refuse"]
