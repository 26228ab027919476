"""Vectors of batch signatures: five items under one signature, and what must not pass."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from msgspec.structs import replace
from saphan_protocol.batch import batch_leaf, sign_batch, signed_bytes
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.records import BatchSignature, Role, SignatureItem
from vector_kit import Cases, Frozen, Vector, case_file, flip

SEED: Final = bytes(range(64))
KIND: Final = "saphan/accepted/1"
ITEMS: Final = [(KIND, b"statement %d" % n, sha256(b"salt %d" % n).digest()) for n in range(5)]


@dataclass(frozen=True)
class Batch:
    """A signed batch whose signature was frozen, and its items."""

    signed: BatchSignature
    places: tuple[SignatureItem, ...]

    def case(self, expect: str, code: str | None, why: str, index: int, **other: Any) -> Vector:
        """One file about item `index`; a field given by name replaces its own."""
        item = other.get("item", self.places[index])
        signed = other.get("batch", self.signed)
        return case_file(
            expect,
            code,
            why,
            "4.4",
            role=other.get("role", "node"),
            seed=SEED,
            type=other.get("type", KIND),
            body=other.get("body", ITEMS[index][1]),
            item=item if isinstance(item, bytes) else encode(item),
            batch=None if signed is None else encode(signed),
        )

    def bad_path(self, why: str, **change: Any) -> Vector:
        return self.case("path", "batch_path", why, 3, item=replace(self.places[3], **change))

    def bad_signature(self, why: str, signature: bytes) -> Vector:
        changed = replace(self.signed, signature=signature)
        return self.case("signature", "signature_invalid", why, 3, batch=changed)


def _node_batch(frozen: Frozen, name: str, key: SigningKey, count: int) -> Batch:
    signed, places = sign_batch(key, ITEMS[:count])
    return Batch(replace(signed, signature=frozen.get(name, lambda: signed.signature)), places)


def _officer_pair(frozen: Frozen) -> Batch:
    """Two items under an officer's key, which only a program that is not ours would sign."""
    key = SigningKey(Role.OFFICER, SEED)
    leaves = [batch_leaf(*item) for item in ITEMS[:2]]
    root = sha256(b"\x01" + leaves[0] + leaves[1]).digest()
    text = signed_bytes(key.role, 2, root)
    signature = frozen.get("batch/officer_pair", lambda: key.sign(text))
    place = SignatureItem(key.key_id, 2, 0, (leaves[1],), ITEMS[0][2])
    return Batch(BatchSignature(key.key_id, 2, root, signature), (place,))


def batch(frozen: Frozen) -> Cases:
    node = SigningKey(Role.NODE, SEED)
    five = _node_batch(frozen, "batch/five", node, 5)
    one = _node_batch(frozen, "batch/one", node, 1)
    yield "valid_one", one.case("valid", None, "one item: the leaf is the root", 0)
    yield "valid_inner", five.case("valid", None, "item 3 of 5 has a path of 3", 3)
    yield "valid_border", five.case("valid", None, "item 4 of 5 has a path of 1", 4)
    yield from _paths(five)
    yield from _encodings(five)
    yield from _signatures(frozen, five, node)
    pair = _officer_pair(frozen)
    why = "an officer signs one at a time"
    yield "officer_batch", pair.case("path", "batch_path", why, 0, role="officer")


def _paths(five: Batch) -> Cases:
    place = five.places[3]
    why = "the body is another item's"
    yield "other_body", five.case("path", "batch_path", why, 3, body=ITEMS[2][1])
    why = "accepted shown as rejected"
    yield "other_type", five.case("path", "batch_path", why, 3, type="saphan/rejected/1")
    yield "other_salt", five.bad_path("the salt is another's", salt=ITEMS[2][2])
    yield "other_index", five.bad_path("the index is its neighbour's", index=2)
    yield "index_beyond", five.bad_path("the index is the size", index=5)
    yield "other_size", five.bad_path("the size is not the signed one", size=6)
    yield "path_short", five.bad_path("the path lacks its last hash", path=place.path[:-1])
    yield "path_long", five.bad_path("the path has a hash too many", path=(*place.path, bytes(32)))
    yield "path_reversed", five.bad_path("the path runs from the root", path=place.path[::-1])


def _encodings(five: Batch) -> Cases:
    place, coded = five.places[3], encode(five.places[3])
    other = replace(place, key=bytes(32))
    why = "the item names another key"
    yield "other_key", five.case("key", "key_mismatch", why, 3, item=other)
    short = coded[:-34] + b"\xc4\x1f" + place.salt[:31]
    why = "the salt has 31 bytes"
    yield "salt_short", five.case("encoding", "malformed", why, 3, item=short)
    longer = coded[:35] + b"\xcc\x05" + coded[36:]
    why = "the size 5 is written as uint 8"
    yield "size_not_minimal", five.case("encoding", "not_canonical", why, 3, item=longer)


def _signatures(frozen: Frozen, five: Batch, node: SigningKey) -> Cases:
    good, root = five.signed.signature, five.signed.root
    why = "no signature came"
    yield "signature_missing", five.case("signature", "signature_missing", why, 3, batch=None)
    yield "mldsa_flipped", five.bad_signature("one bit of the ML-DSA half", flip(good, 0))
    yield "ed25519_flipped", five.bad_signature("one bit of the Ed25519 half", flip(good, 3309))
    officer, text = SigningKey(Role.OFFICER, SEED), signed_bytes(Role.NODE, 5, root)
    other = frozen.get("batch/officer_context", lambda: officer.sign(text))
    yield "other_context", five.bad_signature("signed in the context of an officer", other)
    bare = frozen.get("batch/root_only", lambda: node.sign(root))
    yield "root_only", five.bad_signature("the root is signed without role and size", bare)
