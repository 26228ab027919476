"""id-MLDSA65-Ed25519-SHA512 against the draft's own vectors, without and with a context."""

from __future__ import annotations

from base64 import b64decode
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from saphan_protocol.composite import (
    MLDSA_PUBLIC_BYTES,
    PUBLIC_BYTES,
    SEED_BYTES,
    SIGNATURE_BYTES,
    composite_sign,
    composite_verify,
)
from saphan_protocol.suite import MLDSA65PrivateKey, MLDSA65PublicKey
from saphan_schemas.errors import InvalidInput
from support.vectors import official

FILE = "composite-mldsa65-ed25519-sha512.json"


class Vector(NamedTuple):
    public: bytes
    seed: bytes
    message: bytes
    signatures: dict[bytes, bytes]


@pytest.fixture(scope="module")
def vector() -> Vector:
    file = official(FILE)
    (test,) = file["tests"]
    assert test["tcId"] == "id-MLDSA65-Ed25519-SHA512"
    return Vector(
        public=b64decode(test["pk"]),
        seed=b64decode(test["sk"]),
        message=b64decode(file["m"]),
        signatures={
            b"": b64decode(test["s"]),
            b64decode(file["ctx"]): b64decode(test["sWithContext"]),
        },
    )


def _public(public: bytes) -> tuple[MLDSA65PublicKey, Ed25519PublicKey]:
    return (
        MLDSA65PublicKey.from_public_bytes(public[:MLDSA_PUBLIC_BYTES]),
        Ed25519PublicKey.from_public_bytes(public[MLDSA_PUBLIC_BYTES:]),
    )


def _private(seed: bytes) -> tuple[MLDSA65PrivateKey, Ed25519PrivateKey]:
    return (
        MLDSA65PrivateKey.from_seed_bytes(seed[:32]),
        Ed25519PrivateKey.from_private_bytes(seed[32:]),
    )


def test_the_seed_gives_the_public_key(vector: Vector) -> None:
    mldsa, ed25519 = _private(vector.seed)
    public = mldsa.public_key().public_bytes_raw() + ed25519.public_key().public_bytes_raw()
    assert public == vector.public
    assert (len(vector.seed), len(vector.public)) == (SEED_BYTES, PUBLIC_BYTES)


def test_both_signatures_hold_each_in_its_own_context(vector: Vector) -> None:
    keys = _public(vector.public)
    assert sorted(len(context) for context in vector.signatures) == [0, 71]
    for context, signature in vector.signatures.items():
        assert len(signature) == SIGNATURE_BYTES
        composite_verify(*keys, context, vector.message, signature)
        for other in {*vector.signatures, b"saphan/node/1"} - {context}:
            with pytest.raises(InvalidInput) as refused:
                composite_verify(*keys, other, vector.message, signature)
            assert refused.value.code == "signature_invalid"


def test_the_deterministic_half_is_equal_byte_for_byte(vector: Vector) -> None:
    for context, signature in vector.signatures.items():
        ours = composite_sign(*_private(vector.seed), context, vector.message)
        assert ours[3309:] == signature[3309:]
        composite_verify(*_public(vector.public), context, vector.message, ours)


def test_a_context_longer_than_its_length_byte_is_a_bug(vector: Vector) -> None:
    keys = _private(vector.seed)
    longest = bytes(255)
    signature = composite_sign(*keys, longest, b"m")
    composite_verify(*_public(vector.public), longest, b"m", signature)
    with pytest.raises(RuntimeError, match="context"):
        composite_sign(*keys, bytes(256), b"m")
