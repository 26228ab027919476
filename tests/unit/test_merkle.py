"""RFC 9162 trees: every small size against the definition, and proofs that must not hold."""

from __future__ import annotations

import hashlib

import pytest
from saphan_protocol import merkle
from saphan_schemas.errors import InvalidInput

SIZES = 40
LEAVES = [merkle.leaf_hash(b"leaf %d" % i) for i in range(2 * SIZES)]


def definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, from leaf hashes, literally."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + definition(leaves[:k]) + definition(leaves[k:])).digest()


def path_definition(index: int, leaves: list[bytes]) -> tuple[bytes, ...]:
    """PATH of RFC 9162 section 2.1.3.1, literally."""
    if len(leaves) == 1:
        return ()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if index < k:
        return (*path_definition(index, leaves[:k]), definition(leaves[k:]))
    return (*path_definition(index - k, leaves[k:]), definition(leaves[:k]))


def subproof(old: int, leaves: list[bytes], whole: bool) -> tuple[bytes, ...]:
    """SUBPROOF of RFC 9162 section 2.1.4.1, literally."""
    if old == len(leaves):
        return () if whole else (definition(leaves),)
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if old <= k:
        return (*subproof(old, leaves[:k], whole), definition(leaves[k:]))
    return (*subproof(old - k, leaves[k:], False), definition(leaves[:k]))


def node(level: int, index: int) -> bytes:
    end = (index + 1) << level
    assert end <= len(LEAVES)
    return definition(LEAVES[index << level : end])


def strictly(size: int) -> merkle.Node:
    """A node source that refuses what is not complete in a tree of `size` leaves."""

    def read(level: int, index: int) -> bytes:
        assert (index + 1) << level <= size
        return node(level, index)

    return read


ROOTS = [definition(LEAVES[:size]) for size in range(SIZES + 1)]


def refused(code: str, call: object, *args: object) -> None:
    assert callable(call)
    with pytest.raises(InvalidInput) as caught:
        call(*args)
    assert caught.value.code == code


def test_empty_root_and_domain_separation() -> None:
    assert merkle.EMPTY_ROOT.hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert merkle.leaf_hash(b"") == hashlib.sha256(b"\x00").digest()
    assert merkle.node_hash(LEAVES[0], LEAVES[1]) == definition(LEAVES[:2])


@pytest.mark.parametrize("size", range(SIZES + 1))
def test_roots_agree_with_the_definition(size: int) -> None:
    frontier = merkle.Frontier()
    frontier.extend(LEAVES[:size])
    assert frontier.size == size
    assert frontier.root() == merkle.root_of(LEAVES[:size]) == ROOTS[size]
    again = merkle.Frontier.from_hashes(size, frontier.hashes)
    copied = again.copy()
    again.append(LEAVES[size])
    assert copied.root() == ROOTS[size]
    assert again.root() == definition(LEAVES[: size + 1])


def test_frontier_takes_only_hashes_that_fit_its_size() -> None:
    refused("frontier_malformed", merkle.Frontier.from_hashes, 3, [LEAVES[0]])
    refused("frontier_malformed", merkle.Frontier.from_hashes, 1, [b"short"])
    refused("frontier_malformed", merkle.Frontier.from_hashes, -1, [LEAVES[0]])


@pytest.mark.parametrize("size", range(1, SIZES + 1))
def test_inclusion_of_every_leaf(size: int) -> None:
    for index in range(size):
        path = merkle.inclusion_path(index, size, strictly(size))
        assert path == path_definition(index, LEAVES[:size])
        assert merkle.root_from_path(index, size, LEAVES[index], path) == ROOTS[size]
        merkle.verify_inclusion(index, size, LEAVES[index], path, ROOTS[size])


@pytest.mark.parametrize("size", range(1, 20))
def test_mutated_inclusion_proofs_are_refused(size: int) -> None:
    for index in range(size):
        path = merkle.inclusion_path(index, size, node)
        leaf, root, check = LEAVES[index], ROOTS[size], merkle.verify_inclusion
        refused("proof_inclusion", check, index, size, LEAVES[index + 1], path, root)
        refused("proof_inclusion", check, index, size, leaf, path, ROOTS[size + 1])
        refused("proof_inclusion", check, index, size, leaf, (*path, leaf), root)
        refused("proof_inclusion", check, index, size, leaf[:-1], path, root)
        for other in range(-1, size + 1):
            if other != index:
                refused("proof_inclusion", check, other, size, leaf, path, root)
        for at in range(len(path)):
            flipped = bytes([path[at][0] ^ 1]) + path[at][1:]
            for bad in (flipped, path[at][:-1], path[at] + b"\x00", b""):
                mutated = (*path[:at], bad, *path[at + 1 :])
                refused("proof_inclusion", check, index, size, leaf, mutated, root)
            refused("proof_inclusion", check, index, size, leaf, path[:at] + path[at + 1 :], root)


def test_bytes_moved_between_neighbouring_hashes_are_refused() -> None:
    path = merkle.inclusion_path(6, 8, node)
    leaf, beside = LEAVES[6][:-1], LEAVES[6][-1:] + path[0]
    assert hashlib.sha256(b"\x01" + leaf + beside).digest() == node(1, 3)
    refused("proof_inclusion", merkle.verify_inclusion, 6, 8, leaf, (beside, *path[1:]), ROOTS[8])
    # Implied roots are refused too: a batch signature compares them with nothing else.
    refused("proof_inclusion", merkle.root_from_path, 6, 8, LEAVES[6], (beside, *path[1:]))
    refused("proof_inclusion", merkle.root_from_path, 6, 8, leaf, path)
    with pytest.raises(InvalidInput, match="does not have 32 bytes"):
        merkle.verify_consistency(4, 8, ROOTS[4], ROOTS[8], (node(2, 1) + b"\x00",))


def test_consistency_paths_of_other_lengths_are_refused() -> None:
    """Roots that a path does lead to, under sizes that it was not made for."""
    check = merkle.verify_consistency
    check(4, 8, ROOTS[4], ROOTS[8], (node(2, 1),))
    refused("proof_consistency", check, 4, 16, ROOTS[4], ROOTS[8], (node(2, 1),))
    longer = merkle.consistency_path(4, 16, node)
    check(4, 16, ROOTS[4], ROOTS[16], longer)
    refused("proof_consistency", check, 4, 8, ROOTS[4], ROOTS[16], longer)
    refused("proof_consistency", check, 3, 4, ROOTS[3], ROOTS[4], ())
    refused("proof_consistency", check, 2, 4, ROOTS[2], ROOTS[4], ())


def test_no_path_outside_the_tree() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        refused("proof_inclusion", merkle.inclusion_path, index, size, node)
        refused("proof_inclusion", merkle.root_from_path, index, size, LEAVES[0], ())
    refused("proof_consistency", merkle.consistency_path, 4, 3, node)
    refused("proof_consistency", merkle.consistency_path, -1, 3, node)


@pytest.mark.parametrize("new", range(SIZES + 1))
def test_consistency_of_every_pair(new: int) -> None:
    for old in range(new + 1):
        path = merkle.consistency_path(old, new, strictly(new))
        assert path == (subproof(old, LEAVES[:new], True) if old else ())
        merkle.verify_consistency(old, new, ROOTS[old], ROOTS[new], path)


@pytest.mark.parametrize("new", range(1, 18))
def test_mutated_consistency_proofs_are_refused(new: int) -> None:
    check, wrong = merkle.verify_consistency, b"\x07" * 32
    for old in range(new + 1):
        path = merkle.consistency_path(old, new, node)
        first, last = ROOTS[old], ROOTS[new]
        refused("proof_consistency", check, old, new, wrong, last, path)
        refused("proof_consistency", check, old, new, first, last, (*path, wrong))
        if old:
            refused("proof_consistency", check, old, new, first, wrong, path)
        for at in range(len(path)):
            for bad in (wrong, path[at][:-1], path[at] + b"\x00"):
                mutated = (*path[:at], bad, *path[at + 1 :])
                refused("proof_consistency", check, old, new, first, last, mutated)
            shorter = path[:at] + path[at + 1 :]
            refused("proof_consistency", check, old, new, first, last, shorter)
    refused("proof_consistency", check, new, new - 1, ROOTS[new], ROOTS[new - 1], ())
    refused("proof_consistency", check, -1, new, ROOTS[0], ROOTS[new], ())


def test_trivial_consistency_takes_an_empty_path_only() -> None:
    check = merkle.verify_consistency
    check(0, 9, merkle.EMPTY_ROOT, ROOTS[9], ())
    refused("proof_consistency", check, 0, 9, merkle.EMPTY_ROOT, ROOTS[9], (LEAVES[0],))
    refused("proof_consistency", check, 0, 9, ROOTS[1], ROOTS[9], ())
    refused("proof_consistency", check, 9, 9, ROOTS[9], ROOTS[8], ())
