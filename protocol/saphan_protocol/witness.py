"""Witness keys: an Ed25519 and an ML-DSA-44 half that cosign log heads (C2SP tlog-cosignature)."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import Role

from saphan_protocol.composite import invalid_signature
from saphan_protocol.keycheck import WITNESS_PUBLIC_BYTES
from saphan_protocol.keyid import key_id
from saphan_protocol.suite import MLDSA44PrivateKey, MLDSA44PublicKey

SEED_BYTES: Final = 64
PUBLIC_BYTES: Final = WITNESS_PUBLIC_BYTES
PROOF_BYTES: Final = 64 + 2420
PROOF_CONTEXT: Final = b"saphan/witness/1"
"""ML-DSA context of a proof of possession; cosignatures use the empty one."""

# Cosigned Ed25519 texts start with "cosignature/v1": a proof over PAE can never be one of them.
_PAE_START: Final = b"DSSEv1 "


class WitnessKey:
    """A witness's private key; its repr shows the key id only.

    Args:
        seed: 64 bytes, Ed25519 seed (32) || ML-DSA-44 seed (32).

    Attributes:
        ed25519, mldsa44: the private halves, for cosigning heads only.

    Raises:
        OperatorError: `key_malformed` for another length.
    """

    __slots__ = ("ed25519", "key_id", "mldsa44", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise OperatorError(
                "key_malformed",
                f"the witness key's seed has {len(seed)} bytes, not {SEED_BYTES}",
                field="seed",
                hint="make a new witness key and enrol it; none is restored from a backup",
            )
        self.ed25519: Final = Ed25519PrivateKey.from_private_bytes(seed[:32])
        self.mldsa44: Final = MLDSA44PrivateKey.from_seed_bytes(seed[32:])
        self.public: Final = (
            self.ed25519.public_key().public_bytes_raw()
            + self.mldsa44.public_key().public_bytes_raw()
        )
        self.key_id: Final = key_id(Role.WITNESS, self.public)

    def __repr__(self) -> str:
        return f"<WitnessKey {self.key_id.hex()}>"

    def sign_proof(self, message: bytes) -> bytes:
        """Proof of possession over a PAE (of the directory operation): 64 + 2420 bytes."""
        _require_pae(message)
        return self.ed25519.sign(message) + self.mldsa44.sign(message, PROOF_CONTEXT)


def load_witness(public: bytes) -> tuple[Ed25519PublicKey, MLDSA44PublicKey]:
    """Both halves of a 1344-byte witness key, loaded for checking cosignatures.

    Raises:
        InvalidInput: `key_malformed`.
    """
    if len(public) != PUBLIC_BYTES:
        raise InvalidInput(
            "key_malformed",
            f"the witness key has {len(public)} bytes, not {PUBLIC_BYTES}",
            field="key",
        )
    return (
        Ed25519PublicKey.from_public_bytes(public[:32]),
        MLDSA44PublicKey.from_public_bytes(public[32:]),
    )


def verify_proof(public: bytes, message: bytes, proof: bytes) -> None:
    """Both halves of a proof of possession must hold over `message` (a PAE).

    Raises:
        InvalidInput: `key_malformed`, `signature_invalid`.
    """
    _require_pae(message)
    if len(proof) != PROOF_BYTES:
        raise invalid_signature(f"it has {len(proof)} bytes, not {PROOF_BYTES}")
    ed25519, mldsa44 = load_witness(public)
    try:
        ed25519.verify(proof[:64], message)
        mldsa44.verify(proof[64:], message, PROOF_CONTEXT)
    except InvalidSignature:
        raise invalid_signature("it is not this witness key's over these bytes") from None


def _require_pae(message: bytes) -> None:
    if not message.startswith(_PAE_START):
        raise RuntimeError("a witness key proves possession over a PAE only")
