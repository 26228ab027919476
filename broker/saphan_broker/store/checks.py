"""What every commit must satisfy: a violation is a bug of the sequencer and raises RuntimeError.

`check_shape` costs nothing and runs in every engine; `check_tiles` and `check_facts` re-derive what
the sequencer derived and run in the memory engine, which polices illegal calls (design section 9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from saphan_protocol.merkle import HASH_BYTES, leaf_hash
from saphan_protocol.tile_tree import TileTree
from saphan_protocol.tiles import TILE_HEIGHT, TILE_WIDTH, edge_tiles

from saphan_broker.store.base import Commit, Corridor, LogHead, LogState, SignedHead, TileKey


def check_shape(commit: Commit, state: LogState) -> None:
    """Sizes, order and time of a commit against the committed head it expects."""
    if commit.head.size != commit.expected.size + len(commit.leaves):
        raise RuntimeError("commit: the new size is not the old one and the leaves")
    if not commit.leaves and commit.head != commit.expected:
        raise RuntimeError("commit: another root without a new leaf")
    if commit.time < state.time:
        raise RuntimeError(f"commit: time {commit.time} falls below {state.time}")
    evidence_only = (commit.entries, commit.bulletins, commit.deliveries, commit.anchors)
    if commit.log == "directory" and any(evidence_only):
        raise RuntimeError("commit: entries, bulletins and anchors belong to the evidence log")
    if commit.log == "evidence" and commit.packages:
        raise RuntimeError("commit: agreement packages belong to the directory log")
    _check_indices(commit)


def _check_indices(commit: Commit) -> None:
    new = range(commit.expected.size, commit.head.size)
    indices = [row.index for row in commit.entries]
    if any(index not in new for index in indices):
        raise RuntimeError("commit: an entry's index is not one of the new leaves")
    if indices != sorted(set(indices)):
        raise RuntimeError("commit: entries are not in index order")
    anchors = [row.index for row in commit.anchors]
    if any(index not in new for index in [*anchors, *commit.packages, *commit.statements.values()]):
        raise RuntimeError("commit: an anchor, package or statement outside the new leaves")
    if set(anchors) & set(indices):
        raise RuntimeError("commit: a leaf is an anchor or an entry, not both")


def check_note(size: int, state: LogState, stored: SignedHead | None) -> None:
    """A signed head is never ahead of what is committed, and never goes back."""
    if size > state.head.size:
        raise RuntimeError(f"note of size {size} beyond the committed head {state.head.size}")
    if stored is not None and size < stored.size:
        raise RuntimeError(f"note of size {size} below the stored note of {stored.size}")


def check_tiles(commit: Commit, stored: Mapping[TileKey, bytes]) -> None:
    """Exactly the tiles that the new leaves change, whole, without touching what stood there."""
    if set(commit.tiles) != _changed(commit.expected, commit.head):
        raise RuntimeError("commit: not exactly the tiles that the new leaves change")
    for (level, n), hashes in commit.tiles.items():
        width = min(TILE_WIDTH, (commit.head.size >> (TILE_HEIGHT * level)) - n * TILE_WIDTH)
        if len(hashes) != width * HASH_BYTES:
            raise RuntimeError(f"commit: tile {level}/{n} has not {width} hashes")
        if not hashes.startswith(stored.get((level, n), b"")):
            raise RuntimeError(f"commit: tile {level}/{n} rewrites hashes that are committed")
    for index, leaf in enumerate(commit.leaves, commit.expected.size):
        at = (index % TILE_WIDTH) * HASH_BYTES
        if commit.tiles[0, index // TILE_WIDTH][at : at + HASH_BYTES] != leaf_hash(leaf):
            raise RuntimeError(f"commit: the tile's hash of leaf {index} is another leaf's")
    _check_root(commit.head, lambda key: commit.tiles.get(key) or stored[key])


def _changed(old: LogHead, new: LogHead) -> set[TileKey]:
    changed: set[TileKey] = set()
    level = 0
    while new.size >> (TILE_HEIGHT * level):
        first, stop = (size >> (TILE_HEIGHT * level) for size in (old.size, new.size))
        changed |= {(level, at // TILE_WIDTH) for at in range(first, stop)}
        level += 1
    return changed


def _check_root(head: LogHead, tile: Callable[[TileKey], bytes]) -> None:
    edge = {(level, n): tile((level, n)) for level, n, _width in edge_tiles(head.size)}
    tree = TileTree(head.size, edge, lambda level, n: tile((level, n)))
    if tree.root() != head.root:
        raise RuntimeError("commit: the root is not the root of the tiles")


def check_corridors(commit: Commit, stored: Mapping[Corridor, tuple[int, int]]) -> None:
    """Numbers run without a gap, and the commit names the new end of each corridor it touches."""
    ends: dict[Corridor, tuple[int, int]] = {}
    for row in commit.entries:
        corridor = (row.sender, row.recipient)
        before = ends.get(corridor) or stored.get(corridor) or (0, 0)
        if row.number != before[0] + 1:
            raise RuntimeError(f"commit: entry {row.index} leaves a gap in its corridor")
        ends[corridor] = (row.number, row.index)
    if ends != commit.corridors:
        raise RuntimeError("commit: corridor ends are not those of the entries")
