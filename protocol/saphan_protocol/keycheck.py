"""What a public key must pass when it is enrolled (design section 2): lengths, weak points, use.

Numbered steps are those of schemas/spec/suite.md section 4.5. Proof of possession is the caller's:
the new key's signature over its directory operation.
"""

from __future__ import annotations

from typing import Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Role

from saphan_protocol import composite, mailbox
from saphan_protocol.suite import MLDSA44PublicKey, MLDSA65PublicKey

WITNESS_PUBLIC_BYTES: Final = 32 + 1312

_P: Final = 2**255 - 19
_D: Final = (-121665 * pow(121666, -1, _P)) % _P
_SIGN: Final = 1 << 255

# Edwards y of the eight points whose order divides 8: order 1, 2, 4 (twice), 8 (four times). The
# sign of x is no part of y, so five values name all eight, and reduction mod p adds the
# non-canonical encodings. A forged signature verifies on any message under such a key.
_WEAK_Y: Final = frozenset(
    {
        1,
        _P - 1,
        0,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            "little",
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            "little",
        ),
    }
)
# Montgomery u of the points of low order on the curve and its twist (RFC 7748 section 7, cr.yp.to
# /ecdh.html): with them the shared secret is zero whatever the sender's key.
_WEAK_U: Final = frozenset(
    {
        0,
        1,
        _P - 1,
        int.from_bytes(
            bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            "little",
        ),
        int.from_bytes(
            bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
            "little",
        ),
    }
)
_LENGTHS: Final = {
    Role.ROOT: composite.PUBLIC_BYTES,
    Role.ORDER: composite.PUBLIC_BYTES,
    Role.NODE: composite.PUBLIC_BYTES,
    Role.OFFICER: composite.PUBLIC_BYTES,
    Role.MAILBOX: mailbox.PUBLIC_BYTES,
    Role.WITNESS: WITNESS_PUBLIC_BYTES,
}


def check_public_key(role: Role, public: bytes) -> None:
    """Refuse a key that must not enter a directory; under 1 ms, so once at enrolment.

    Raises:
        InvalidInput: `key_malformed` (length, encoding), `key_weak` (small order, all-zero half).
    """
    # K1: length of the role.
    if len(public) != _LENGTHS[role]:
        raise _malformed(role, f"has {len(public)} bytes, not {_LENGTHS[role]}")
    if role is Role.MAILBOX:
        _check_x25519(public[mailbox.MLKEM_PUBLIC_BYTES :])
        # K5: the key is used once; what cannot be sealed to would break a send to many.
        mailbox.seal(public, bytes(32), b"")
    elif role is Role.WITNESS:
        _check_ed25519(role, public[:32])
        _check_mldsa(role, public[32:])
    else:
        _check_mldsa(role, public[: composite.MLDSA_PUBLIC_BYTES])
        _check_ed25519(role, public[composite.MLDSA_PUBLIC_BYTES :])


def _check_ed25519(role: Role, point: bytes) -> None:
    """K2, K3: not of small order, y below p, on the curve."""
    y = int.from_bytes(point, "little") & (_SIGN - 1)
    if y % _P in _WEAK_Y:
        raise _weak(role, "its Ed25519 half has small order: anyone could sign for it")
    if y >= _P:
        raise _malformed(role, "has an Ed25519 half that is not canonical")
    # x^2 = (y^2 - 1) / (d y^2 + 1); a / b is a square exactly if a * b is (Euler's criterion).
    square = (y * y - 1) * (_D * y * y + 1) % _P
    if pow(square, (_P - 1) // 2, _P) != 1:
        raise _malformed(role, "has an Ed25519 half that is no point of the curve")


def _check_mldsa(role: Role, public: bytes) -> None:
    """K2: t1 is not all zero, or signatures could be forged. Every other string is a key."""
    if not any(public[32:]):
        raise _weak(role, "its ML-DSA half is all zero: anyone could sign for it")
    # K4: the library takes it; a ValueError here would be a bug, the length was checked in K1.
    loader = MLDSA44PublicKey if role is Role.WITNESS else MLDSA65PublicKey
    loader.from_public_bytes(public)


def _check_x25519(point: bytes) -> None:
    """K2, K3 for X25519: not of low order, u below p with its unused top bit clear."""
    u = int.from_bytes(point, "little")
    if (u & (_SIGN - 1)) % _P in _WEAK_U:
        raise _weak(Role.MAILBOX, "its X25519 half has low order: anyone could open what is sealed")
    if u >= _P:
        raise _malformed(Role.MAILBOX, "has an X25519 half that is not canonical")


def _malformed(role: Role, what: str) -> InvalidInput:
    return InvalidInput(
        "key_malformed",
        f"the {role.value} key {what}",
        field="key",
        hint="make the key with the ceremony program and enrol what it prints",
    )


def _weak(role: Role, what: str) -> InvalidInput:
    return InvalidInput(
        "key_weak",
        f"the {role.value} key is weak: {what}",
        field="key",
        hint="make a fresh key; if this one was made properly, suspect the machine that made it",
    )
