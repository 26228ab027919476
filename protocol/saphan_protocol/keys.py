"""Signing keys of roots, order offices, nodes and officers, with the role as signature context."""

from __future__ import annotations

from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import Role

from saphan_protocol.composite import (
    MLDSA_PUBLIC_BYTES,
    MLDSA_SEED_BYTES,
    PUBLIC_BYTES,
    SEED_BYTES,
    SIGNATURE_BYTES,
    Ed25519Signer,
    composite_sign,
    composite_verify,
)
from saphan_protocol.keycheck import check_public_key
from saphan_protocol.keyid import key_id
from saphan_protocol.suite import MLDSA65PrivateKey, MLDSA65PublicKey

__all__ = [
    "PUBLIC_BYTES",
    "SEED_BYTES",
    "SIGNATURE_BYTES",
    "SIGNING_ROLES",
    "Ed25519Signer",
    "SigningKey",
    "VerifyingKey",
    "check_public_key",
    "key_id",
]

SIGNING_ROLES: Final = frozenset({Role.ROOT, Role.ORDER, Role.NODE, Role.OFFICER})


def _context(role: Role) -> bytes:
    if role not in SIGNING_ROLES:
        raise InvalidInput("key_malformed", f"a {role.value} key signs no records", field="role")
    return b"saphan/%b/1" % role.value.encode()


class SigningKey:
    """A composite private key in one role; its repr shows the key id only.

    Args:
        role: root, order, node or officer.
        seed: 64 bytes, ML-DSA-65 seed (32) || Ed25519 seed (32), fresh for this key alone.

    Raises:
        OperatorError: `key_malformed` for another length; the message never holds seed bytes.
    """

    role: Role
    public: bytes
    key_id: bytes
    __slots__ = ("_context", "_ed25519", "_mldsa", "key_id", "public", "role")

    def __init__(self, role: Role, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise _seed_length(role, seed, SEED_BYTES)
        ed25519 = Ed25519PrivateKey.from_private_bytes(seed[32:])
        self._hold(role, seed[:32], ed25519, ed25519.public_key().public_bytes_raw())

    @classmethod
    def with_signer(
        cls, role: Role, mldsa_seed: bytes, ed25519: Ed25519Signer, ed25519_public: bytes
    ) -> Self:
        """The same key with its Ed25519 half held elsewhere, such as on a token.

        Nothing is asked of `ed25519` before the first signature.

        Args:
            mldsa_seed: 32 bytes.
            ed25519_public: 32 bytes, the public half of what `ed25519` signs with.

        Raises:
            OperatorError: `key_malformed` for another length.
        """
        if len(mldsa_seed) != MLDSA_SEED_BYTES:
            raise _seed_length(role, mldsa_seed, MLDSA_SEED_BYTES)
        key = cls.__new__(cls)
        key._hold(role, mldsa_seed, ed25519, ed25519_public)
        return key

    def _hold(self, role: Role, mldsa_seed: bytes, ed25519: Ed25519Signer, public: bytes) -> None:
        self.role = role
        self._context = _context(role)
        self._mldsa = MLDSA65PrivateKey.from_seed_bytes(mldsa_seed)
        self._ed25519 = ed25519
        self.public = self._mldsa.public_key().public_bytes_raw() + public
        self.key_id = key_id(role, self.public)

    def __repr__(self) -> str:
        return f"<SigningKey {self.role.value} {self.key_id.hex()}>"

    def sign(self, message: bytes) -> bytes:
        """3373 bytes over `message` in this key's role; about 0.9 ms, releases the GIL."""
        return composite_sign(self._mldsa, self._ed25519, self._context, message)

    def verifying(self) -> VerifyingKey:
        """The public half, loaded."""
        return VerifyingKey(self.role, self.public)


def _seed_length(role: Role, seed: bytes, wanted: int) -> OperatorError:
    return OperatorError(
        "key_malformed",
        f"the {role.value} key's seed has {len(seed)} bytes, not {wanted}",
        field="seed",
        hint="restore the key file from its backup, or make a new key and enrol it",
    )


class VerifyingKey:
    """A composite public key in one role, loaded once and kept.

    It checks lengths only: whoever enrols a key calls `check_public_key` first.

    Args:
        role: root, order, node or officer.
        public: 1984 bytes, ML-DSA-65 (1952) || Ed25519 (32).

    Raises:
        InvalidInput: `key_malformed`.
    """

    __slots__ = ("_context", "_ed25519", "_mldsa", "key_id", "public", "role")

    def __init__(self, role: Role, public: bytes) -> None:
        if len(public) != PUBLIC_BYTES:
            raise InvalidInput(
                "key_malformed",
                f"the {role.value} key has {len(public)} bytes, not {PUBLIC_BYTES}",
                field="key",
            )
        self.role: Final = role
        self.public: Final = public
        self._context: Final = _context(role)
        self._mldsa: Final = MLDSA65PublicKey.from_public_bytes(public[:MLDSA_PUBLIC_BYTES])
        self._ed25519: Final = Ed25519PublicKey.from_public_bytes(public[MLDSA_PUBLIC_BYTES:])
        self.key_id: Final = key_id(role, public)

    def __repr__(self) -> str:
        return f"<VerifyingKey {self.role.value} {self.key_id.hex()}>"

    def verify(self, message: bytes, signature: bytes) -> None:
        """Both halves must hold over `message` in this key's role; about 0.22 ms.

        Raises:
            InvalidInput: `signature_invalid`.
        """
        composite_verify(self._mldsa, self._ed25519, self._context, message, signature)
