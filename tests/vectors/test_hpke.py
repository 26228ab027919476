"""HPKE 0x647a against the draft's vectors: seed expansion, public key, decapsulation, open.

The published vectors use ChaCha20-Poly1305 and an aad; the library opens with an aad through a
private function only, which is called here and nowhere else.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from saphan_protocol.mailbox import MLKEM_PUBLIC_BYTES, MailboxKey, seal
from saphan_protocol.suite import AEAD, KDF, KEM, MLKEM768PrivateKey, Suite
from support.vectors import official

FILE = "hpke-pq-0x647a.json"
ENC_BYTES = 1120


@pytest.fixture(scope="module")
def vectors() -> list[dict[str, Any]]:
    chosen = [v for v in official(FILE)["vectors"] if v["kdf_id"] == 1 and v["mode"] == 0]
    assert chosen, "no vector with HKDF-SHA256 in base mode"
    return chosen


def _hex(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


def _shared_secret(seed: bytes, enc: bytes) -> bytes:
    """X-Wing decapsulation by hand (draft-ietf-hpke-pq)."""
    expanded = hashlib.shake_256(seed).digest(96)
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    mlkem_secret = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(enc[:1088])
    x25519_secret = x25519.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    public = x25519.public_key().public_bytes_raw()
    label = bytes.fromhex("5c2e2f2f5e5c")
    return hashlib.sha3_256(mlkem_secret + x25519_secret + enc[1088:] + public + label).digest()


def _labeled(suite_id: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + secret, "sha256")


def _schedule(
    suite_id: bytes, secret: bytes, info: bytes, key_bytes: int
) -> tuple[bytes, bytes, bytes]:
    """Key, base nonce and exporter secret (RFC 9180 section 5.1, base mode)."""
    context = (
        b"\x00"
        + _labeled(suite_id, b"", b"psk_id_hash", b"")
        + _labeled(suite_id, b"", b"info_hash", info)
    )
    extracted = _labeled(suite_id, secret, b"secret", b"")

    def expand(label: bytes, length: int) -> bytes:
        text = length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + context
        return hmac.digest(extracted, text + b"\x01", "sha256")[:length]

    return expand(b"key", key_bytes), expand(b"base_nonce", 12), expand(b"exp", 32)


def test_the_seed_expands_to_the_public_key(vectors: list[dict[str, Any]]) -> None:
    for vector in vectors:
        public = MailboxKey(_hex(vector, "skRm")).public
        assert public == _hex(vector, "pkRm")
        assert len(public) == MLKEM_PUBLIC_BYTES + 32


def test_decapsulation_and_key_schedule_are_the_drafts(vectors: list[dict[str, Any]]) -> None:
    for vector in vectors:
        secret = _shared_secret(_hex(vector, "skRm"), _hex(vector, "enc"))
        assert secret == _hex(vector, "shared_secret")
        suite_id, info = _hex(vector, "suite_id"), _hex(vector, "info")
        assert suite_id[4:8] == bytes.fromhex("647a0001")
        key_bytes = len(_hex(vector, "key"))
        key, nonce, exporter = _schedule(suite_id, secret, info, key_bytes)
        assert (key, nonce) == (_hex(vector, "key"), _hex(vector, "base_nonce"))
        assert exporter == _hex(vector, "exporter_secret")


def test_the_library_opens_the_published_ciphertexts(vectors: list[dict[str, Any]]) -> None:
    aeads = {1: AEAD.AES_128_GCM, 2: AEAD.AES_256_GCM, 3: AEAD.CHACHA20_POLY1305}
    opened = 0
    for vector in vectors:
        if vector["aead_id"] not in aeads:
            continue  # export-only
        hpke = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, aeads[vector["aead_id"]])
        key = MailboxKey(_hex(vector, "skRm"))._key
        first = vector["encryptions"][0]
        sealed = _hex(vector, "enc") + bytes.fromhex(first["ct"])
        info, aad = _hex(vector, "info"), bytes.fromhex(first["aad"])
        plain = openssl.hpke._decrypt_with_aad(hpke, sealed, key, info, aad)
        assert plain == bytes.fromhex(first["pt"])
        with pytest.raises(InvalidTag):
            openssl.hpke._decrypt_with_aad(hpke, sealed, key, info, aad + b"x")
        opened += 1
    assert opened


def test_our_own_seal_opens_by_hand_with_the_vectors_key(vectors: list[dict[str, Any]]) -> None:
    # The published vectors have AEAD 3; this ties AEAD 2, which Saphan uses, to that schedule.
    key = MailboxKey(_hex(vectors[0], "skRm"))
    sealed = seal(key.public, b"content key", b"info")
    suite_id = b"HPKE" + bytes.fromhex("647a00010002")
    secret = _shared_secret(_hex(vectors[0], "skRm"), sealed[:ENC_BYTES])
    aead_key, nonce, _ = _schedule(suite_id, secret, b"info", 32)
    assert AESGCM(aead_key).decrypt(nonce, sealed[ENC_BYTES:], b"") == b"content key"
