"""Log and witness keys from fixed seeds: the signer's side of tests about heads."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from saphan_protocol.checkpoint import KeyPair, cosign_lines, log_lines
from saphan_protocol.notes import KeyType, verifier_key

SignerPair = tuple[Ed25519PrivateKey, MLDSA44PrivateKey]


def signer(name: str) -> SignerPair:
    """Private keys derived from a name, the same in every run."""
    seeds = [hashlib.sha256(f"{name}/{half}".encode()).digest() for half in ("ed", "mldsa")]
    return (
        Ed25519PrivateKey.from_private_bytes(seeds[0]),
        MLDSA44PrivateKey.from_seed_bytes(seeds[1]),
    )


def log_pair(origin: str) -> KeyPair:
    """Verifier keys, types 01 and 06, of the log whose keys come from its origin."""
    return _pair(origin, KeyType.ED25519)


def witness_pair(name: str) -> KeyPair:
    """Verifier keys, types 04 and 06, of the witness whose keys come from its name."""
    return _pair(name, KeyType.COSIGNATURE_ED25519)


def log_note(origin: str, text: bytes, time: int) -> bytes:
    """A head signed by both keys of the log."""
    return log_lines(*signer(origin), origin, text, time)


def witness_lines(name: str, text: bytes, time: int) -> bytes:
    """Both lines of a witness."""
    return cosign_lines(*signer(name), name, text, time)


def _pair(name: str, first: KeyType) -> KeyPair:
    ed25519, mldsa44 = signer(name)
    return (
        verifier_key(name, first, ed25519.public_key().public_bytes_raw()),
        verifier_key(name, KeyType.COSIGNATURE_MLDSA44, mldsa44.public_key().public_bytes_raw()),
    )
