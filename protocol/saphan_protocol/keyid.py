"""Key identity: a key has exactly one role, and the role is part of its name (design section 1)."""

from __future__ import annotations

from hashlib import sha256

from saphan_schemas.records import Role


def key_id(role: Role, public: bytes) -> bytes:
    """SHA-256(role, 00, public key), 32 bytes."""
    return sha256(b"%b\x00%b" % (role.value.encode(), public)).digest()
