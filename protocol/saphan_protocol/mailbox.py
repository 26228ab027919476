"""Mailbox keys: HPKE base mode, MLKEM768-X25519 (0x647a) / HKDF-SHA256 / AES-256-GCM.

The private key is the 32-byte X-Wing seed; it expands by SHAKE256 to ML-KEM seed (64) || X25519
scalar (32) (draft-ietf-hpke-pq). The library takes no aad, so everything is bound through `info`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from hashlib import shake_256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import Role

from saphan_protocol.keyid import key_id
from saphan_protocol.suite import (
    AEAD,
    KDF,
    KEM,
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

SEED_BYTES: Final = 32
PUBLIC_BYTES: Final = 1216
MLKEM_PUBLIC_BYTES: Final = 1184
OVERHEAD_BYTES: Final = 1120 + 16
"""Encapsulation (ML-KEM ciphertext 1088, X25519 32) and the AEAD's tag."""


@cache
def _hpke() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class MailboxKey:
    """A mailbox's private key; its repr shows the key id only.

    Args:
        seed: 32 bytes, the X-Wing seed.

    Raises:
        OperatorError: `key_malformed` for another length.
    """

    __slots__ = ("_key", "key_id", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise OperatorError(
                "key_malformed",
                f"the mailbox key's seed has {len(seed)} bytes, not {SEED_BYTES}",
                field="seed",
                hint="restore the key file from its backup, or make a new mailbox key and enrol it",
            )
        expanded = shake_256(seed).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._key: Final = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public: Final = (
            mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )
        self.key_id: Final = key_id(Role.MAILBOX, self.public)

    def __repr__(self) -> str:
        return f"<MailboxKey {self.key_id.hex()}>"

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Plaintext of what was sealed to this key with this `info`; about 65 us, holds the GIL.

        Raises:
            InvalidInput: `stanza_unopenable`, whatever the reason (the library tells none).
        """
        try:
            return _hpke().decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError):
            raise InvalidInput(
                "stanza_unopenable",
                f"nothing sealed to mailbox key {self.key_id.hex()[:16]} opens here",
                field="stanza",
                hint="report it as unopened: the sender's node consigns the bulletin anew",
            ) from None


@lru_cache(maxsize=512)  # loading is a fifth of a seal; errors are not kept
def load_public(public: bytes) -> MLKEM768X25519PublicKey:
    """The two halves of a 1216-byte mailbox key, ML-KEM-768 (1184) || X25519 (32), loaded.

    Raises:
        InvalidInput: `key_malformed`.
    """
    if len(public) != PUBLIC_BYTES:
        raise InvalidInput(
            "key_malformed",
            f"the mailbox key has {len(public)} bytes, not {PUBLIC_BYTES}",
            field="key",
        )
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(public[:MLKEM_PUBLIC_BYTES])
    except ValueError:
        raise InvalidInput(
            "key_malformed",
            "the mailbox key's ML-KEM half is not a key (FIPS 203 check)",
            field="key",
        ) from None
    return MLKEM768X25519PublicKey(
        mlkem, X25519PublicKey.from_public_bytes(public[MLKEM_PUBLIC_BYTES:])
    )


def seal(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """HPKE to a mailbox key: `plaintext` grows by 1136 bytes; about 80 us, holds the GIL.

    Raises:
        InvalidInput: `key_malformed`, `key_weak` (a low-order X25519 half).
    """
    key = load_public(public)
    try:
        return _hpke().encrypt(plaintext, key, info)
    except ValueError:
        # The library refuses an all-zero X25519 result; enrolment should have caught the key.
        raise InvalidInput(
            "key_weak",
            "the mailbox key's X25519 half has low order: anyone could open what is sealed to it",
            field="key",
            hint="its agency must enrol a freshly made mailbox key",
        ) from None
