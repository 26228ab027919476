"""Composite signature id-MLDSA65-Ed25519-SHA512 (draft-ietf-lamps-pq-composite-sigs-19, OID .48).

M' = prefix || label || len(ctx) || ctx || SHA-512(M). Both halves sign M': ML-DSA-65 with the label
as its FIPS 204 context, Ed25519 plainly. Serialisation is concatenation, ML-DSA first.
EUF-CMA only: two signatures of one message can be mixed, so signature bytes never name anything.
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from saphan_schemas.errors import InvalidInput

from saphan_protocol.suite import MLDSA65PrivateKey, MLDSA65PublicKey

PREFIX: Final = b"CompositeAlgorithmSignatures2025"
LABEL: Final = b"COMPSIG-MLDSA65-Ed25519-SHA512"
SEED_BYTES: Final = 64
MLDSA_SEED_BYTES: Final = 32
PUBLIC_BYTES: Final = 1984
SIGNATURE_BYTES: Final = 3373
MLDSA_PUBLIC_BYTES: Final = 1952
MLDSA_SIGNATURE_BYTES: Final = 3309


class Ed25519Signer(Protocol):
    """The Ed25519 half of a key: the library's private key, or a token that never gives it away."""

    def sign(self, data: bytes, /) -> bytes:
        """64 bytes over `data`, plain Ed25519."""
        ...


def domain(context: bytes) -> bytes:
    """What stands before SHA-512(M) in M'; `context` has at most 255 bytes."""
    if len(context) > 255:
        raise RuntimeError(f"a signature context of {len(context)} bytes, at most 255 are possible")
    return b"%b%b%c%b" % (PREFIX, LABEL, len(context), context)


def composite_sign(
    mldsa: MLDSA65PrivateKey, ed25519: Ed25519Signer, context: bytes, message: bytes
) -> bytes:
    """Sign with both halves: 3373 bytes; hedged, so two calls differ (suite.md step S1-S3)."""
    representative = domain(context) + sha512(message).digest()
    return mldsa.sign(representative, LABEL) + ed25519.sign(representative)


def composite_verify(
    mldsa: MLDSA65PublicKey,
    ed25519: Ed25519PublicKey,
    context: bytes,
    message: bytes,
    signature: bytes,
) -> None:
    """Check both halves; both must hold (suite.md steps V1-V4).

    Raises:
        InvalidInput: `signature_invalid`, for a wrong length too.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise invalid_signature(f"it has {len(signature)} bytes, not {SIGNATURE_BYTES}")
    representative = domain(context) + sha512(message).digest()
    try:
        # Ed25519 first: half the price, so a forger's cheapest attempt costs the least.
        ed25519.verify(signature[MLDSA_SIGNATURE_BYTES:], representative)
        mldsa.verify(signature[:MLDSA_SIGNATURE_BYTES], representative, LABEL)
    except InvalidSignature:
        raise invalid_signature("it is not this key's over these bytes") from None


def invalid_signature(why: str) -> InvalidInput:
    """The one error for a signature that does not hold."""
    return InvalidInput(
        "signature_invalid",
        f"the signature does not hold: {why}",
        field="signature",
        hint="the sender signs the exact bytes it sends, with the key that the directory lists",
    )
