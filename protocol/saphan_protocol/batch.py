"""Batch signatures: one signature over the Merkle root of many items (design section 2).

Leaf = SHA-256(0x00, salt, PAE(type, bytes)); node = SHA-256(0x01, left, right), split as RFC 9162.
Signed is PAE("saphan/batch/1", [role, size, root]). Nodes batch; everyone else signs one at a time.
Numbered steps are those of schemas/spec/suite.md sections 4.3 and 4.4.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BatchSignature, Role, Signature, SignatureItem

from saphan_protocol.identity import pae, pae_array
from saphan_protocol.keys import SigningKey, VerifyingKey
from saphan_protocol.merkle import root_from_path

BATCH_TYPE: Final = "saphan/batch/1"
SALT_BYTES: Final = 32

BatchItem: TypeAlias = tuple[str, bytes, bytes]
"""(PAE type, exact bytes, 32 random bytes of salt)."""
RootRef: TypeAlias = tuple[bytes, int, bytes]
"""(key id, size, root): how an item finds its signature."""
Batches: TypeAlias = BatchSignature | Mapping[RootRef, BatchSignature] | None


class VerifiedRoots:
    """Signatures that held and need not be computed again; bounded, the longest unused goes first.

    It saves arithmetic only: whether the key may sign is judged for every item, outside. The whole
    signature is part of the entry: another signature of the same root is checked on its own, so a
    verdict never depends on what happened to be in here.

    Args:
        capacity: roots kept; one takes about 3.6 KiB.
    """

    __slots__ = ("_capacity", "_seen")

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity: Final = capacity
        self._seen: Final[OrderedDict[tuple[bytes, int, bytes, bytes], None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def holds(self, batch: BatchSignature) -> bool:
        """Whether exactly this signature was verified; counts as a use."""
        try:
            # One call that tests and touches, so that threads cannot come between.
            self._seen.move_to_end((batch.key, batch.size, batch.root, batch.signature))
        except KeyError:
            return False
        return True

    def add(self, batch: BatchSignature) -> None:
        """Remember a signature that has just been verified."""
        self._seen[batch.key, batch.size, batch.root, batch.signature] = None
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)


def batch_leaf(kind: str, body: bytes, salt: bytes) -> bytes:
    """SHA-256(0x00, salt, PAE(kind, body)), 32 bytes."""
    return sha256(b"\x00" + salt + pae(kind, body)).digest()


def signed_bytes(role: Role, size: int, root: bytes) -> bytes:
    """What a batch signature signs: PAE("saphan/batch/1", [role, size, root])."""
    return pae_array(BATCH_TYPE, [role.value, size, root])


def sign_batch(
    key: SigningKey, items: Sequence[BatchItem]
) -> tuple[BatchSignature, tuple[SignatureItem, ...]]:
    """Sign many items at once (steps B1-B4), in their order.

    Args:
        key: a node's, or any signing key for one item.
        items: 1 to 65,536, each (PAE type, exact bytes, 32-byte salt).
    """
    size = len(items)
    if not 1 <= size <= LIMITS.batch_items or (size > 1 and key.role is not Role.NODE):
        raise RuntimeError(f"a {key.role.value} key cannot sign a batch of {size}")
    if any(len(salt) != SALT_BYTES for _, _, salt in items):
        raise RuntimeError(f"a batch salt has {SALT_BYTES} bytes")
    # B1, B2: all levels once; the last one holds the root alone.
    levels = _levels([batch_leaf(kind, body, salt) for kind, body, salt in items])
    root = levels[-1][0]
    # B3: one signature. B4: each item's way to the root.
    batch = BatchSignature(key.key_id, size, root, key.sign(signed_bytes(key.role, size, root)))
    own, paths = key.key_id, _paths(levels)
    return batch, tuple(
        SignatureItem(own, size, index, path, item[2])
        for index, (path, item) in enumerate(zip(paths, items, strict=True))
    )


def sign_one(key: SigningKey, kind: str, body: bytes, salt: bytes) -> Signature:
    """A batch of one, complete by itself."""
    batch, (item,) = sign_batch(key, ((kind, body, salt),))
    return Signature(item, batch.signature)


def index_batches(batches: Iterable[BatchSignature]) -> dict[RootRef, BatchSignature]:
    """Signatures of a message by (key id, size, root), for `verify_item`."""
    return {(batch.key, batch.size, batch.root): batch for batch in batches}


def verify_item(
    item: SignatureItem,
    batches: Batches,
    key: VerifyingKey,
    kind: str,
    body: bytes,
    verified: VerifiedRoots | None = None,
) -> BatchSignature:
    """Check one item of a batch (steps I1-I4); returns the signature that vouches for it.

    Args:
        item: the item's place, as received.
        batches: its signature, or those at hand by `index_batches`, or None.
        key: the key that `item.key` names in the directory; the caller judges whether it may sign.
        kind: PAE type of the record.
        body: its exact bytes.
        verified: signatures known to hold.

    Raises:
        InvalidInput: `key_mismatch`, `batch_path`, `signature_missing`, `signature_invalid`.
    """
    _check_named(item, key)  # I1
    # I2: the way to the root.
    root = item_root(item, kind, body)
    # I3: the signature of that root.
    if batches is None or isinstance(batches, BatchSignature):
        batch = batches
    else:
        batch = batches.get((item.key, item.size, root))
    if batch is None:
        raise InvalidInput(
            "signature_missing",
            f"no signature came with batch root {root.hex()[:16]} of {item.size}",
            field="signatures",
            hint="send the batch's signature in the same message, or before",
        )
    if batch.root != root or batch.size != item.size:
        raise _bad_path("it leads to another root than the one signed")
    if batch.key != item.key:
        raise _key_mismatch(item, key)
    _check_signed(batch, key, verified)  # I4
    return batch


def verify_one(
    signature: Signature,
    key: VerifyingKey,
    kind: str,
    body: bytes,
    verified: VerifiedRoots | None = None,
) -> None:
    """Check an item that carries its own signature (an item of a node's batch may too).

    Raises:
        InvalidInput: `key_mismatch`, `batch_path`, `signature_invalid`.
    """
    item = signature.item
    _check_named(item, key)  # I1
    root = item_root(item, kind, body)  # I2; I3 is given: the signature stands beside the item
    _check_signed(BatchSignature(item.key, item.size, root, signature.signature), key, verified)


def _check_named(item: SignatureItem, key: VerifyingKey) -> None:
    """Step I1: the key is the one the item names, and may sign a batch of this size."""
    if item.key != key.key_id:
        raise _key_mismatch(item, key)
    if item.size != 1 and key.role is not Role.NODE:
        raise _bad_path(f"a {key.role.value} signs one at a time, not {item.size}")


def _check_signed(batch: BatchSignature, key: VerifyingKey, verified: VerifiedRoots | None) -> None:
    """Step I4, once for each signature."""
    if verified is None or not verified.holds(batch):
        key.verify(signed_bytes(key.role, batch.size, batch.root), batch.signature)
        if verified is not None:
            verified.add(batch)


def item_root(item: SignatureItem, kind: str, body: bytes) -> bytes:
    """The root that an item's path leads to, by RFC 9162's strict walk (step I2).

    Raises:
        InvalidInput: `batch_path` for an index outside the batch, a path too short or too long.
    """
    leaf = sha256(b"\x00" + item.salt + pae(kind, body)).digest()
    try:
        return root_from_path(item.index, item.size, leaf, item.path)
    except InvalidInput as error:
        raise _bad_path(error.message) from None


def _levels(level: list[bytes]) -> list[list[bytes]]:
    """All levels from the leaves up; an odd last node moves up unchanged (RFC 9162's split)."""
    levels = [level]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        if len(level) & 1:
            above.append(level[-1])
        levels.append(above)
        level = above
    return levels


def _paths(levels: list[list[bytes]]) -> list[tuple[bytes, ...]]:
    """Every leaf's path, made from the root down so that each is one step from its parent's."""
    paths: list[tuple[bytes, ...]] = [()]
    for level in reversed(levels[:-1]):
        below: list[tuple[bytes, ...]] = []
        for parent, left, right in zip(paths, level[::2], level[1::2], strict=False):
            below += ((right, *parent), (left, *parent))
        if len(level) & 1:
            below.append(paths[-1])
        paths = below
    return paths


def _key_mismatch(item: SignatureItem, key: VerifyingKey) -> InvalidInput:
    return InvalidInput(
        "key_mismatch",
        f"the item is signed by key {item.key.hex()[:16]}, not by {key.key_id.hex()[:16]}",
        field="signature.key",
    )


def _bad_path(why: str) -> InvalidInput:
    return InvalidInput(
        "batch_path",
        f"the batch path does not hold: {why}",
        field="signature.path",
        hint="the sender rebuilds the batch from the exact bytes it sends",
    )
