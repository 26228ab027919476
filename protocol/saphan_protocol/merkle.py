"""Merkle trees as RFC 9162 section 2.1: roots, compact ranges, paths and their strict verification.

An inclusion path does not bind the size of the tree: the same path verifies under one root for many
sizes. Take size and root from one verified head, and only the index from whoever shows the path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NoReturn

from saphan_schemas.errors import InvalidInput

_sha256 = hashlib.sha256

EMPTY_ROOT: Final = _sha256(b"").digest()
HASH_BYTES: Final = 32

Node = Callable[[int, int], bytes]
"""node(level, index): hash of the complete subtree of leaves [index << level, index+1 << level)."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(00 || data), 32 bytes (RFC 9162 section 2.1.1)."""
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 || left || right), 32 bytes (RFC 9162 section 2.1.1)."""
    return _sha256(b"\x01" + left + right).digest()


class Frontier:
    """A compact range from leaf 0: the roots of the complete subtrees, largest first.

    Holds one hash per bit set in `size`; enough to append and to know the root, not to prove.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self) -> None:
        self.size = 0
        self._hashes: list[bytes] = []

    @classmethod
    def from_hashes(cls, size: int, hashes: Iterable[bytes]) -> Frontier:
        """The frontier of `size` leaves from its subtree roots, largest first.

        Raises:
            InvalidInput: `frontier_malformed` unless there are 32 bytes per bit set in size.
        """
        held = list(hashes)
        if size < 0 or len(held) != size.bit_count() or any(len(h) != HASH_BYTES for h in held):
            raise InvalidInput(
                "frontier_malformed",
                f"a frontier of {size} leaves is one hash of 32 bytes per bit set in its size",
                field="frontier",
            )
        made = cls()
        made.size = size
        made._hashes = held
        return made

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Subtree roots, largest first: what `from_hashes` takes."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash of 32 bytes."""
        held, size = self._hashes, self.size
        self.size = size + 1
        while size & 1:
            leaf = _sha256(b"\x01" + held.pop() + leaf).digest()
            size >>= 1
        held.append(leaf)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        append = self.append
        for leaf in leaves:
            append(leaf)

    def root(self) -> bytes:
        """Root of all leaves so far; `EMPTY_ROOT` for none."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT

    def copy(self) -> Frontier:
        """An independent frontier; costs one list of at most 63 references."""
        made = Frontier()
        made.size = self.size
        made._hashes = self._hashes.copy()
        return made


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root of a whole tree from its leaf hashes; `EMPTY_ROOT` for none."""
    if not leaf_hashes:
        return EMPTY_ROOT
    row: Sequence[bytes] = leaf_hashes
    while len(row) > 1:
        above = [_sha256(b"\x01" + row[i] + row[i + 1]).digest() for i in range(0, len(row) - 1, 2)]
        if len(row) & 1:
            above.append(row[-1])  # an odd last subtree moves up unhashed: RFC 9162's split
        row = above
    return row[0]


def inclusion_path(index: int, size: int, node: Node) -> tuple[bytes, ...]:
    """The path PATH(index, D[size]) of RFC 9162 section 2.1.3.1, from the leaf upwards.

    Raises:
        InvalidInput: `proof_inclusion` if there is no such leaf.
    """
    if not 0 <= index < size:
        _refuse_inclusion(f"there is no leaf {index} in a tree of {size}")
    return tuple(sibling_path(0, index, size, node))


def consistency_path(old: int, new: int, node: Node) -> tuple[bytes, ...]:
    """The path PROOF(old, D[new]) of RFC 9162 section 2.1.4.1; empty for old = 0 and old = new.

    Raises:
        InvalidInput: `proof_consistency` unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        _refuse_consistency(f"a tree of {new} does not extend one of {old}")
    if old in (0, new):
        return ()
    # The last complete subtree of the old tree; it is the whole old tree if its size is 2**k.
    level = (old & -old).bit_length() - 1
    index = (old >> level) - 1
    start = [node(level, index)] if index else []
    return (*start, *sibling_path(level, index, new, node))


def sibling_path(level: int, index: int, size: int, node: Node) -> list[bytes]:
    """Siblings on the way from the complete subtree (level, index) to the root of `size` leaves."""
    path: list[bytes] = []
    last = (size - 1) >> level
    while last:
        if index & 1:
            path.append(node(level, index - 1))
        elif index < last:
            path.append(_subtree(level, index + 1, size, node))
        index >>= 1
        last >>= 1
        level += 1
    return path


def verify_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` (a leaf hash) stands at `index` under `root` of `size` leaves.

    Raises:
        InvalidInput: `proof_inclusion` (RFC 9162 section 2.1.3.2).
    """
    if root_from_path(index, size, leaf, path) != root:
        _refuse_inclusion(f"the path of leaf {index} of {size} leads to another root")


def root_from_path(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that a leaf hash and its path imply; the caller compares it with a signed one.

    The path's length is fixed by index and size, so RFC 9162's walk splits in two loops: below the
    level where the way to the leaf leaves the tree's right edge, bits of the index choose the side;
    above it every sibling stands on the left.

    Raises:
        InvalidInput: `proof_inclusion` if there is no such leaf or a length is wrong.
    """
    if not 0 <= index < size:
        _refuse_inclusion(f"there is no leaf {index} in a tree of {size}")
    inner = (index ^ (size - 1)).bit_length()
    if len(path) != inner + (index >> inner).bit_count():
        _refuse_inclusion(f"{len(path)} hashes are not a path of leaf {index} of {size}")
    if len(leaf) != HASH_BYTES:
        _refuse_inclusion("the leaf hash does not have 32 bytes")
    sha256 = _sha256
    for sibling in path:
        if len(sibling) != HASH_BYTES:
            _refuse_inclusion("a hash of the path does not have 32 bytes")
        if inner > 0 and not index & 1:
            leaf = sha256(b"\x01" + leaf + sibling).digest()
        else:
            leaf = sha256(b"\x01" + sibling + leaf).digest()
        index >>= 1
        inner -= 1
    return leaf


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree of `new_size` leaves extends the one of `old_size` leaves.

    Raises:
        InvalidInput: `proof_consistency` (RFC 9162 section 2.1.4.2).
    """
    if not 0 <= old_size <= new_size:
        _refuse_consistency(f"a tree of {new_size} does not extend one of {old_size}")
    if old_size in (0, new_size):
        if path:
            _refuse_consistency("nothing is to be proven, and the path is not empty")
        if old_root != (EMPTY_ROOT if old_size == 0 else new_root):
            _refuse_consistency(f"two roots for {old_size} leaves")
        return
    if any(len(item) != HASH_BYTES for item in path):
        _refuse_consistency("a hash of the path does not have 32 bytes")
    steps = history_path(old_size, old_root, path)  # 2
    old_seen, new_seen = _walk_consistency(old_size, new_size, steps)
    if old_seen != old_root:
        _refuse_consistency(f"the path leads to another root of {old_size} leaves")
    if new_seen != new_root:
        _refuse_consistency(f"the path leads to another root of {new_size} leaves")


def history_path(size: int, root: bytes, path: Sequence[bytes]) -> tuple[bytes, ...]:
    """A consistency path from `size` leaves as one that says by itself what their root was.

    RFC 9162's path leaves that root out where it is one of the tree's own hashes: for a power of 2.
    """
    return tuple(path) if size & (size - 1) else (root, *path)


def roots_of_history(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of `old` and of `new` leaves that a history path leads to.

    Every hash of the path is part of both walks' order and of the second root: if that is the root
    of a tree, the first is the root of its first `old` leaves, whoever made the path.

    Raises:
        InvalidInput: `proof_consistency` for sizes or a length that cannot be.
    """
    if not 0 < old < new:
        _refuse_consistency(f"a tree of {new} leaves has no history of {old}")
    if any(len(item) != HASH_BYTES for item in path):
        _refuse_consistency("a hash of the path does not have 32 bytes")
    return _walk_consistency(old, new, path)


def _walk_consistency(old_size: int, new_size: int, steps: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Both roots as the path implies them; step numbers of RFC 9162 section 2.1.4.2."""
    if not steps:
        _refuse_consistency("the path is empty")  # 1
    fn, sn = old_size - 1, new_size - 1  # 3
    while fn & 1:  # 4
        fn >>= 1
        sn >>= 1
    old_seen = new_seen = steps[0]  # 5
    for step in steps[1:]:  # 6
        if sn == 0:
            _refuse_consistency("the path is too long")  # 6.1
        if fn & 1 or fn == sn:  # 6.2
            old_seen = node_hash(step, old_seen)
            new_seen = node_hash(step, new_seen)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            new_seen = node_hash(new_seen, step)
        fn >>= 1  # 6.3
        sn >>= 1
    if sn:
        _refuse_consistency("the path is too short")  # 7
    return old_seen, new_seen


def _subtree(level: int, index: int, size: int, node: Node) -> bytes:
    """Hash of leaves [index << level, (index+1) << level), cut off at `size`."""
    if (index + 1) << level <= size:
        return node(level, index)
    parts: list[bytes] = []
    start = index << level
    while start < size:
        part = (size - start).bit_length() - 1
        parts.append(node(part, start >> part))
        start += 1 << part
    return _fold(parts)


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Root over complete subtrees, largest first; at least one."""
    root = hashes[-1]
    for left in hashes[-2::-1]:
        root = _sha256(b"\x01" + left + root).digest()
    return root


def _refuse_inclusion(message: str) -> NoReturn:
    raise InvalidInput("proof_inclusion", message, field="path")


def _refuse_consistency(message: str) -> NoReturn:
    raise InvalidInput("proof_consistency", message, field="path")
