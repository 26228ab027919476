"""Paths under a later head come from the consistency path alone: the same as the tree's own."""

from __future__ import annotations

from functools import cache

import pytest
from saphan_protocol.extension import Extension
from saphan_protocol.merkle import (
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_of,
)
from saphan_schemas.errors import InvalidInput

LEAVES = [leaf_hash(b"%d" % number) for number in range(70)]
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 21, 31, 32, 33, 48, 63, 64, 65, 70]


@cache
def node(level: int, index: int) -> bytes:
    if level == 0:
        return LEAVES[index]
    return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))


@cache
def root(size: int) -> bytes:
    return root_of(LEAVES[:size])


def extension(old: int, new: int) -> Extension:
    return Extension(old, new, root(old), root(new), consistency_path(old, new, node))


PAIRS = [(old, new) for old in SIZES for new in SIZES if old <= new]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_every_leafs_path_is_the_later_trees_own(old: int, new: int) -> None:
    step = extension(old, new)
    for index in range(old):
        path = step.inclusion(index, inclusion_path(index, old, node))
        assert path == inclusion_path(index, new, node)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_way_back_is_the_earlier_trees_own_path(old: int, new: int) -> None:
    step = extension(old, new)
    for index in range(old):
        path = step.earlier(index, inclusion_path(index, new, node))
        assert path == inclusion_path(index, old, node)
        for later in (size for size in SIZES if size > new > old):
            path = step.earlier(index, inclusion_path(index, later, node), later)
            assert path == inclusion_path(index, old, node)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_every_older_heads_path_is_the_later_trees_own(old: int, new: int) -> None:
    step = extension(old, new)
    for oldest in range(old + 1):
        path = step.consistency(oldest, consistency_path(oldest, old, node))
        # Nothing is to be proven between equal sizes; elsewhere it is the path itself.
        assert path == consistency_path(oldest, new, node)


def test_a_path_of_another_length_is_refused() -> None:
    step = extension(13, 33)
    path = inclusion_path(12, 13, node)
    for wrong in (path[:-1], (*path, bytes(32))):
        with pytest.raises(InvalidInput) as caught:
            step.inclusion(12, wrong)
        assert caught.value.code == "proof_inclusion"


def test_a_step_that_does_not_hold_is_none() -> None:
    path = consistency_path(13, 33, node)
    for old, new, given in ((13, 32, path), (12, 33, path), (13, 33, path[:-1]), (0, 33, ())):
        with pytest.raises(InvalidInput) as caught:
            Extension(old, new, root(old or 1), root(new), given)
        assert caught.value.code == "proof_consistency"
    with pytest.raises(InvalidInput):
        extension(13, 33).inclusion(13, ())
    with pytest.raises(InvalidInput):
        extension(13, 33).consistency(14, ())
