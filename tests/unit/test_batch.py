"""Batch signatures: one signature, many items, and every item judged by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_protocol.batch import (
    BatchItem,
    VerifiedRoots,
    batch_leaf,
    index_batches,
    item_root,
    sign_batch,
    sign_one,
    signed_bytes,
    verify_item,
    verify_one,
)
from saphan_protocol.identity import pae
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BatchSignature, Role, SignatureItem

NODE = SigningKey(Role.NODE, bytes(range(64)))
OTHER = SigningKey(Role.NODE, bytes(64))
VERIFYING = NODE.verifying()
KIND = "saphan/accepted/1"


def _items(count: int) -> list[BatchItem]:
    return [(KIND, b"body %d" % n, hashlib.sha256(b"%d" % n).digest()) for n in range(count)]


def _sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _reference_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1 as it is written there."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return _sha(b"\x01" + _reference_root(leaves[:k]) + _reference_root(leaves[k:]))


def _code(item: SignatureItem, batch: BatchSignature | None, body: bytes, **other: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        verify_item(item, batch, VERIFYING, str(other.get("kind", KIND)), body)
    return refused.value.code


@pytest.mark.parametrize("count", (*range(1, 18), 31, 33, 64, 65, 100))
def test_every_item_of_a_batch_leads_to_the_signed_root(count: int) -> None:
    items = _items(count)
    batch, places = sign_batch(NODE, items)
    leaves = [_sha(b"\x00" + salt + pae(kind, body)) for kind, body, salt in items]
    assert leaves[0] == batch_leaf(*items[0])
    assert (batch.key, batch.size, batch.root) == (NODE.key_id, count, _reference_root(leaves))
    NODE.verifying().verify(signed_bytes(Role.NODE, count, batch.root), batch.signature)
    verified = VerifiedRoots()
    for place, (kind, body, salt) in zip(places, items, strict=True):
        assert place.salt == salt
        assert decode(SignatureItem, encode(place), 4096, "item") == place
        assert verify_item(place, batch, VERIFYING, kind, body, verified) is batch
    assert len(verified) == 1
    assert decode(BatchSignature, encode(batch), 4096, "batch") == batch


def test_what_is_signed_is_the_pae_of_role_size_and_root() -> None:
    body = b"\x93\xa4node\xcd\x01\x00\xc4\x20" + bytes(32)
    assert signed_bytes(Role.NODE, 256, bytes(32)) == pae("saphan/batch/1", body)


def test_the_signature_is_found_by_key_size_and_root() -> None:
    batch, places = sign_batch(NODE, _items(3))
    other, _ = sign_batch(NODE, _items(2))
    index = index_batches([other, batch])
    assert verify_item(places[2], index, VERIFYING, KIND, b"body 2") is batch
    with pytest.raises(InvalidInput) as refused:
        verify_item(places[2], index_batches([other]), VERIFYING, KIND, b"body 2")
    assert refused.value.code == "signature_missing"
    assert _code(places[2], None, b"body 2") == "signature_missing"


def test_another_body_type_salt_index_or_size_is_another_root() -> None:
    batch, places = sign_batch(NODE, _items(8))
    place = places[3]
    assert _code(place, batch, b"body 4") == "batch_path"
    assert _code(place, batch, b"body 3", kind="saphan/rejected/1") == "batch_path"
    for change in ({"salt": bytes(32)}, {"index": 2}, {"index": 4}, {"size": 7}, {"size": 16}):
        assert _code(msgspec.structs.replace(place, **change), batch, b"body 3") == "batch_path"


@pytest.mark.parametrize("cut", (slice(0, 2), slice(1, 3), slice(0, 0)))
def test_a_shortened_path_is_refused(cut: slice) -> None:
    batch, places = sign_batch(NODE, _items(8))
    short = msgspec.structs.replace(places[5], path=places[5].path[cut])
    assert _code(short, batch, b"body 5") == "batch_path"
    longer = msgspec.structs.replace(places[5], path=(*places[5].path, bytes(32)))
    assert _code(longer, batch, b"body 5") == "batch_path"


def test_an_inner_node_cannot_pass_as_an_item() -> None:
    # Leaves start with 00, nodes with 01: the tree cannot be read one level higher.
    batch, places = sign_batch(NODE, _items(4))
    higher = msgspec.structs.replace(places[0], size=2, index=0, path=places[0].path[1:])
    forged = BatchSignature(batch.key, 2, batch.root, batch.signature)
    assert _code(higher, forged, b"body 0") == "batch_path"
    # And the size is signed: the same root under another size is another message.
    two, placed = sign_batch(NODE, _items(2))
    grown = msgspec.structs.replace(two, size=3)
    with pytest.raises(InvalidInput) as refused:
        VERIFYING.verify(signed_bytes(Role.NODE, grown.size, grown.root), grown.signature)
    assert refused.value.code == "signature_invalid"
    assert _code(placed[0], grown, b"body 0") == "batch_path"


def test_another_key_is_a_mismatch_before_any_arithmetic() -> None:
    batch, places = sign_batch(OTHER, _items(2))
    assert _code(places[0], batch, b"body 0") == "key_mismatch"
    claimed = msgspec.structs.replace(places[0], key=NODE.key_id)
    assert _code(claimed, batch, b"body 0") == "key_mismatch"
    stolen = msgspec.structs.replace(batch, key=NODE.key_id)
    assert _code(claimed, stolen, b"body 0") == "signature_invalid"


def test_a_verified_root_does_not_vouch_for_another_signature_of_it() -> None:
    items = _items(2)
    batch, places = sign_batch(NODE, items)
    verified = VerifiedRoots()
    verify_item(places[0], batch, VERIFYING, KIND, b"body 0", verified)
    broken = msgspec.structs.replace(batch, signature=bytes(3373))
    with pytest.raises(InvalidInput) as refused:
        verify_item(places[1], broken, VERIFYING, KIND, b"body 1", verified)
    assert refused.value.code == "signature_invalid"
    with pytest.raises(InvalidInput) as refused:
        verify_item(places[1], None, VERIFYING, KIND, b"body 1", verified)
    assert refused.value.code == "signature_missing"


def test_verified_roots_are_bounded_and_forget_the_longest_unused() -> None:
    batches = [BatchSignature(NODE.key_id, 1, bytes([n]) * 32, bytes(3373)) for n in range(4)]
    verified = VerifiedRoots(capacity=3)
    for batch in batches[:3]:
        verified.add(batch)
    assert verified.holds(batches[0])
    verified.add(batches[3])
    assert len(verified) == 3
    assert [verified.holds(batch) for batch in batches] == [True, False, True, True]


def test_a_failed_signature_is_not_remembered() -> None:
    batch, places = sign_batch(NODE, _items(1))
    verified = VerifiedRoots()
    broken = msgspec.structs.replace(batch, signature=bytes(3373))
    for _ in range(2):
        with pytest.raises(InvalidInput):
            verify_item(places[0], broken, VERIFYING, KIND, b"body 0", verified)
    assert len(verified) == 0


@pytest.mark.parametrize("role", (Role.ROOT, Role.ORDER, Role.OFFICER))
def test_only_nodes_batch(role: Role) -> None:
    key = SigningKey(role, bytes(range(64)))
    with pytest.raises(RuntimeError, match="batch of 2"):
        sign_batch(key, _items(2))
    # Signed all the same by a program that is not ours: the reader refuses it.
    items = _items(2)
    leaves = [batch_leaf(*item) for item in items]
    root = _reference_root(leaves)
    batch = BatchSignature(key.key_id, 2, root, key.sign(signed_bytes(role, 2, root)))
    place = SignatureItem(key.key_id, 2, 0, (leaves[1],), items[0][2])
    with pytest.raises(InvalidInput) as refused:
        verify_item(place, batch, key.verifying(), KIND, b"body 0")
    assert refused.value.code == "batch_path"


@pytest.mark.parametrize("count", (0, LIMITS.batch_items + 1))
def test_a_batch_of_nothing_or_too_much_is_a_bug(count: int) -> None:
    with pytest.raises(RuntimeError, match="batch of"):
        sign_batch(NODE, [(KIND, b"", bytes(32))] * count)


def test_a_short_salt_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="salt"):
        sign_batch(NODE, [(KIND, b"", bytes(31))])


def test_the_largest_batch_fits_its_records() -> None:
    batch, places = sign_batch(NODE, [(KIND, b"", bytes(32))] * LIMITS.batch_items)
    assert len(places[-1].path) == 16
    assert decode(SignatureItem, encode(places[-1]), 4096, "item") == places[-1]
    verify_item(places[-1], batch, VERIFYING, KIND, b"")


@pytest.mark.parametrize("role", (Role.ROOT, Role.ORDER, Role.NODE, Role.OFFICER))
def test_an_item_with_its_own_signature_is_complete(role: Role) -> None:
    key = SigningKey(role, bytes(range(64)))
    signature = sign_one(key, KIND, b"body", b"s" * 32)
    verify_one(signature, key.verifying(), KIND, b"body")
    assert (signature.item.size, signature.item.index, signature.item.path) == (1, 0, ())
    for other, kind, body, code in (
        (OTHER.verifying(), KIND, b"body", "key_mismatch"),
        (key.verifying(), KIND, b"BODY", "signature_invalid"),
        (key.verifying(), "saphan/read/1", b"body", "signature_invalid"),
    ):
        with pytest.raises(InvalidInput) as refused:
            verify_one(signature, other, kind, body)
        assert refused.value.code == code


@given(count=st.integers(1, 40), data=st.data())
def test_any_path_reaches_the_root_and_no_other_index_does(count: int, data: st.DataObject) -> None:
    items = _items(count)
    batch, places = BATCHES[count]
    index = data.draw(st.integers(0, count - 1))
    kind, body, _ = items[index]
    assert item_root(places[index], kind, body) == batch.root
    other = data.draw(st.integers(0, count - 1).filter(lambda n: count == 1 or n != index))
    if other != index:
        moved = msgspec.structs.replace(places[index], index=other)
        assert _code(moved, batch, body) == "batch_path"


BATCHES = {count: sign_batch(NODE, _items(count)) for count in range(1, 41)}
