"""What every commit must satisfy: a violation is a bug of the sequencer and raises RuntimeError.

`check_shape` costs nothing and runs in every engine; the others re-derive what the sequencer has
derived and run in the memory engine, which polices illegal calls (design section 9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from saphan_protocol.merkle import HASH_BYTES, leaf_hash
from saphan_protocol.tile_tree import TileTree
from saphan_protocol.tiles import TILE_HEIGHT, TILE_WIDTH, edge_tiles

from saphan_broker.store.base import (
    Commit,
    Corridor,
    DeliveryKey,
    DeliveryRow,
    HoldKey,
    HoldRow,
    LogHead,
    LogState,
    SignedHead,
    TileKey,
)


def check_shape(commit: Commit, state: LogState) -> None:
    """Sizes, order and time of a commit against the committed head it expects."""
    if commit.head.size != commit.expected.size + len(commit.leaves):
        raise RuntimeError("commit: the new size is not the old one and the leaves")
    if not commit.leaves and commit.head != commit.expected:
        raise RuntimeError("commit: another root without a new leaf")
    if commit.time < state.time:
        raise RuntimeError(f"commit: time {commit.time} falls below {state.time}")
    evidence_only = (
        *(commit.entries, commit.bulletins, commit.deliveries, commit.stanzas, commit.anchors),
        *(commit.holds, commit.destroyed, commit.bodiless),
    )
    if commit.log == "directory" and any(evidence_only):
        raise RuntimeError("commit: entries, bulletins and anchors belong to the evidence log")
    if commit.log == "evidence" and commit.packages:
        raise RuntimeError("commit: agreement packages belong to the directory log")
    # Copied by itself is what a hold has kept longer than its entries.
    copied = {row.id for row in commit.bulletins}
    holds = [row for row in commit.holds if row.bulletin not in copied]
    if not commit.leaves and (holds or commit.destroyed or commit.bodiless):
        raise RuntimeError("commit: a hold or a destruction without its entry")
    _check_indices(commit)


def _check_indices(commit: Commit) -> None:
    new = range(commit.expected.size, commit.head.size)
    indices = [row.index for row in commit.entries]
    if any(index not in new for index in indices):
        raise RuntimeError("commit: an entry's index is not one of the new leaves")
    if indices != sorted(set(indices)):
        raise RuntimeError("commit: entries are not in index order")
    anchors = [row.index for row in commit.anchors]
    if any(index not in new for index in [*anchors, *commit.statements.values()]):
        raise RuntimeError("commit: an anchor or statement outside the new leaves")
    # A text may come later than its leaf: a log that follows a lost one has the leaves alone.
    if any(not 0 <= index < commit.head.size for index in commit.packages):
        raise RuntimeError("commit: a package beside no leaf")
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


def check_destruction(
    commit: Commit,
    deliveries: Mapping[DeliveryKey, DeliveryRow],
    holds: Mapping[HoldKey, HoldRow],
) -> None:
    """What is removed is what the rows say is destroyed, for ever; held things are not.

    Args:
        deliveries, holds: what was stored before this commit.
    """
    after = {**deliveries, **{(row.bulletin, row.recipient): row for row in commit.deliveries}}
    for row in commit.deliveries:
        _check_destroyed(row, deliveries.get((row.bulletin, row.recipient)), commit)
    if any((row.bulletin, row.recipient) not in after for row in commit.holds):
        raise RuntimeError("commit: a hold on an unknown delivery")
    _check_hold_counts(commit, deliveries, holds)
    gone = {key for key in commit.destroyed if key in after and after[key].destroyed is not None}
    if gone != set(commit.destroyed):
        raise RuntimeError("commit: a delivery is removed that its row does not call destroyed")
    if any(after[s.bulletin, s.recipient].destroyed is not None for s in commit.stanzas):
        raise RuntimeError("commit: a stanza of a destroyed delivery")
    left = {row.bulletin for row in after.values() if row.destroyed is None}
    known = {id_ for id_, _recipient in after}
    if any(id_ in left or id_ not in known for id_ in commit.bodiless):
        raise RuntimeError("commit: a ciphertext is removed that a delivery still needs")


def _check_destroyed(row: DeliveryRow, before: DeliveryRow | None, commit: Commit) -> None:
    if before is None and row.destroyed in range(commit.expected.size):
        return  # a copy: another recipient's is held
    was = None if before is None else before.destroyed
    if was is not None and row.destroyed != was:
        raise RuntimeError("commit: a destroyed delivery comes back")
    if row.destroyed is None:
        return
    if row.holds or row.deadline is not None:
        raise RuntimeError("commit: a delivery is destroyed that a hold or a deadline keeps")
    if was is None and row.destroyed not in range(commit.expected.size, commit.head.size):
        raise RuntimeError("commit: a destruction names an index that is not of this commit")
    if was is None and (row.bulletin, row.recipient) not in commit.destroyed:
        raise RuntimeError("commit: a destroyed delivery keeps its stanza")


def _check_hold_counts(
    commit: Commit,
    deliveries: Mapping[DeliveryKey, DeliveryRow],
    holds: Mapping[HoldKey, HoldRow],
) -> None:
    """A delivery's number of holds changes by what its hold rows say, and by nothing else."""
    change: dict[DeliveryKey, int] = {}
    for row in {(row.target, row.order): row for row in commit.holds}.values():
        before = holds.get((row.target, row.order))
        stood = before is not None and before.released is None
        key = (row.bulletin, row.recipient)
        change[key] = change.get(key, 0) + (row.released is None) - stood
    rows = {(row.bulletin, row.recipient): row for row in commit.deliveries}
    for key in rows.keys() | change.keys():
        stored = deliveries.get(key)
        stands = (stored.holds if stored is not None else 0) + change.get(key, 0)
        if _holds_of(rows.get(key) or stored) != stands:
            raise RuntimeError("commit: a delivery's number of holds is not that of its hold rows")


def _holds_of(row: DeliveryRow | None) -> int:
    return 0 if row is None else row.holds
