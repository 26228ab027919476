"""Vectors of batch signatures: five items under one signature, and what must not pass."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec
from saphan_protocol.batch import batch_leaf, sign_batch, signed_bytes
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.records import BatchSignature, Role, SignatureItem
from vector_kit import Cases, Frozen, Vector, case_file, flip

NODE_SEED: Final = bytes(range(64))
KIND: Final = "saphan/accepted/1"


def _batch(frozen: Frozen, name: str, key: SigningKey, count: int) -> tuple[Any, Any, list[bytes]]:
    """A batch of `count` made-up bodies under a frozen signature."""
    bodies = [b"statement %d" % n for n in range(count)]
    salts = [sha256(b"salt %d" % n).digest() for n in range(count)]
    items = list(zip([KIND] * count, bodies, salts, strict=True))
    if count > 1 and key.role is not Role.NODE:
        leaves = [batch_leaf(*item) for item in items]
        root = sha256(b"\x01" + leaves[0] + leaves[1]).digest()
        signature = frozen.get(name, lambda: key.sign(signed_bytes(key.role, count, root)))
        place = SignatureItem(key.key_id, count, 0, (leaves[1],), salts[0])
        return BatchSignature(key.key_id, count, root, signature), (place,), bodies
    batch, places = sign_batch(key, items)
    signature = frozen.get(name, lambda: batch.signature)
    return msgspec.structs.replace(batch, signature=signature), places, bodies


def batch(frozen: Frozen) -> Cases:
    node = SigningKey(Role.NODE, NODE_SEED)
    five, places, bodies = _batch(frozen, "batch/five", node, 5)
    one, alone, _ = _batch(frozen, "batch/one", node, 1)

    def case(
        expect: str, code: str | None, why: str, place: Any, body: bytes, **other: Any
    ) -> Vector:
        signed = other.get("batch", five)
        return case_file(
            expect,
            code,
            why,
            "4.4",
            role=other.get("role", "node"),
            seed=NODE_SEED,
            type=other.get("type", KIND),
            body=body,
            item=place if isinstance(place, bytes) else encode(place),
            batch=None if signed is None else encode(signed),
        )

    def bad(why: str, body: bytes = bodies[3], **change: Any) -> Vector:
        return case("path", "batch_path", why, msgspec.structs.replace(places[3], **change), body)

    def signed(why: str, **change: Any) -> Vector:
        changed = msgspec.structs.replace(five, **change)
        return case("signature", "signature_invalid", why, places[3], bodies[3], batch=changed)

    yield (
        "valid_one",
        case("valid", None, "one item: the leaf is the root", alone[0], bodies[0], batch=one),
    )
    yield "valid_inner", case("valid", None, "item 3 of 5 has a path of 3", places[3], bodies[3])
    yield "valid_border", case("valid", None, "item 4 of 5 has a path of 1", places[4], bodies[4])
    yield "other_body", bad("the body is another item's", bodies[2])
    yield "other_salt", bad("the salt is another's", salt=places[2].salt)
    yield "other_index", bad("the index is its neighbour's", index=2)
    yield "index_beyond", bad("the index is the size", index=5)
    yield "other_size", bad("the size is not the signed one", size=6)
    yield "path_short", bad("the path lacks its last hash", path=places[3].path[:-1])
    yield "path_long", bad("the path has a hash too many", path=(*places[3].path, bytes(32)))
    yield "path_reversed", bad("the path runs from the root", path=places[3].path[::-1])
    yield (
        "other_type",
        case(
            "path",
            "batch_path",
            "accepted shown as rejected",
            places[3],
            bodies[3],
            type="saphan/rejected/1",
        ),
    )
    yield (
        "other_key",
        case(
            "key",
            "key_mismatch",
            "the item names another key",
            msgspec.structs.replace(places[3], key=bytes(32)),
            bodies[3],
        ),
    )
    yield (
        "salt_short",
        case(
            "encoding",
            "malformed",
            "the salt has 31 bytes",
            encode(places[3])[:-34] + b"\xc4\x1f" + places[3].salt[:31],
            bodies[3],
        ),
    )
    yield (
        "size_not_minimal",
        case(
            "encoding",
            "not_canonical",
            "the size 5 is written as uint 8",
            encode(places[3])[:35] + b"\xcc\x05" + encode(places[3])[36:],
            bodies[3],
        ),
    )
    yield (
        "signature_missing",
        case(
            "signature", "signature_missing", "no signature came", places[3], bodies[3], batch=None
        ),
    )
    yield "mldsa_flipped", signed("one bit of the ML-DSA half", signature=flip(five.signature, 0))
    yield (
        "ed25519_flipped",
        signed("one bit of the Ed25519 half", signature=flip(five.signature, 3309)),
    )
    officer = SigningKey(Role.OFFICER, NODE_SEED)
    other = frozen.get(
        "batch/officer_context", lambda: officer.sign(signed_bytes(Role.NODE, 5, five.root))
    )
    yield "other_context", signed("signed in the context of an officer", signature=other)
    bare = frozen.get("batch/root_only", lambda: node.sign(five.root))
    yield "root_only", signed("the root is signed without role and size", signature=bare)
    pair, paired, _ = _batch(frozen, "batch/officer_pair", officer, 2)
    yield (
        "officer_batch",
        case(
            "path",
            "batch_path",
            "an officer signs one at a time",
            paired[0],
            bodies[0],
            batch=pair,
            role="officer",
        ),
    )
