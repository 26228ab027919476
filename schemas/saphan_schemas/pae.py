"""Pre-authentication encoding (DSSE v1.0.2): one unambiguous string out of a type and bytes.

It stands at rank 0 because a schema's digest is an identity too; `saphan_protocol.identity`
exports both functions again, next to the identities built on them.
"""

from __future__ import annotations

from saphan_schemas.codec import encode


def pae(kind: str, body: bytes) -> bytes:
    """`DSSEv1 SP len(type) SP type SP len(body) SP body`, lengths in ASCII decimals of bytes."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(body), body)


def pae_array(kind: str, items: list[object]) -> bytes:
    """PAE of an array: its MessagePack bytes are the body (HPKE info, key derivation contexts)."""
    return pae(kind, encode(items))
