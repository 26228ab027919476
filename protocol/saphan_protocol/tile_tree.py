"""The growing edge of a log in memory: appends, changed tiles, roots and paths from tiles.

`grow` gives a new tree and the tiles to store and leaves the old one as it was. Adopt the new one
by assignment once the commit is durable, drop it if the commit failed. Trees grown from each other
share one cache, keyed by a tile's own root hash, so a dropped growth leaves nothing false behind.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS

from saphan_protocol.merkle import (
    HASH_BYTES,
    Frontier,
    consistency_path,
    inclusion_path,
    node_hash,
    sibling_path,
)
from saphan_protocol.tiles import TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, edge_tiles, tile_path

Fetch = Callable[[int, int], bytes]
"""fetch(level, n): the 8,192 bytes of a full tile; it raises its own error if there is none."""

Tiles = dict[tuple[int, int], bytes]
"""(level, n) -> the tile's complete present bytes, 32 per hash; under 8,192 it is partial."""

_Rows = list[list[bytes]]
"""A tile with its inner nodes: row k holds the complete subtrees of 2**k of the tile's hashes."""

_MASK: Final = TILE_WIDTH - 1
_sha256 = hashlib.sha256


class TileTree:
    """A log's tree at one size, held as its partial tiles; other tiles come through `fetch`.

    Args:
        size: leaves, at least 0.
        edge: the partial tiles of that size (`tiles.edge_tiles`), 32 bytes per hash.
        fetch: reads a full tile; each is checked against the hash its parent tile holds of it.
        cache_tiles: full tiles kept with their inner nodes, about 37 KB each.

    Raises:
        OperatorError: `tile_missing`, `tile_damaged` for an edge that does not fit the size.
    """

    __slots__ = ("_above", "_cache", "_capacity", "_edge", "_fetch", "_right", "size")

    def __init__(
        self,
        size: int,
        edge: Mapping[tuple[int, int], bytes],
        fetch: Fetch,
        *,
        cache_tiles: int = LIMITS.tile_cache,
    ) -> None:
        self.size = size
        self._fetch = fetch
        self._capacity = cache_tiles
        self._cache: OrderedDict[bytes, _Rows] = OrderedDict()
        self._edge = _load_edge(size, edge)
        # Computed when first asked for, for this size only: siblings above the tile last proven
        # from, and the cut-off subtrees of the partial level-0 tile.
        self._above: dict[int, tuple[bytes, ...]] = {}
        self._right: list[bytes] = []

    def grow(self, leaf_hashes: Sequence[bytes]) -> tuple[TileTree, Tiles]:
        """A new tree with these leaves appended, and every tile that is new or changed by them."""
        grown = self.copy()
        changed: Tiles = {}
        grown.size = self.size + len(leaf_hashes)
        rising: Sequence[bytes] = leaf_hashes
        level = 0
        while rising:
            if level == len(grown._edge):
                grown._edge.append(_empty_rows())
            first = self.size >> (TILE_HEIGHT * (level + 1))
            rising = grown._fill(level, first, rising, changed)
            level += 1
        grown._forget()
        return grown, changed

    def append(self, leaf_hashes: Sequence[bytes]) -> Tiles:
        """`grow` and adopt at once: for who has no commit that could fail."""
        grown, changed = self.grow(leaf_hashes)
        self.size, self._edge = grown.size, grown._edge
        self._forget()
        return changed

    def copy(self) -> TileTree:
        """An independent tree of the same size that shares the cache of full tiles."""
        made = TileTree.__new__(TileTree)
        made.size = self.size
        made._fetch = self._fetch
        made._capacity = self._capacity
        made._cache = self._cache
        made._edge = [[row.copy() for row in rows] for rows in self._edge]
        made._above = self._above
        made._right = self._right
        return made

    def root(self) -> bytes:
        """Root of all leaves, 32 bytes; never fetches a tile."""
        return self.frontier().root()

    def frontier(self) -> Frontier:
        """The compact range of all leaves; never fetches a tile."""
        held = [row[-1] for rows in reversed(self._edge) for row in reversed(rows) if len(row) & 1]
        return Frontier.from_hashes(self.size, held)

    def node(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree of leaves [index << level, (index+1) << level).

        Raises:
            OperatorError: `tile_damaged`, or whatever `fetch` raises.
        """
        tile_level, height = divmod(level, TILE_HEIGHT)
        position = index & (_MASK >> height)
        return self._rows(tile_level, index >> (TILE_HEIGHT - height))[height][position]

    def newest_hashes(self, start: int, stop: int) -> bytes | None:
        """Hashes of leaves start <= index < stop, 32 bytes each; None if a tile would be fetched.

        For the newest leaves, which are in memory: whoever has the tree of `start` leaves grows it.
        """
        found: list[bytes] = []
        for tile in range(start >> TILE_HEIGHT, -(-stop >> TILE_HEIGHT)):
            first = tile << TILE_HEIGHT
            rows = self._held(tile)
            if rows is None:
                return None
            found += rows[0][max(0, start - first) : stop - first]
        return b"".join(found)

    def _held(self, tile: int) -> _Rows | None:
        """A level-0 tile that is in memory."""
        if tile == self.size >> TILE_HEIGHT:
            return self._edge[0] if self._edge else None
        above = self._edge[1][0] if len(self._edge) > 1 else []
        place = tile & _MASK
        beside = tile >> TILE_HEIGHT == self.size >> (2 * TILE_HEIGHT)
        return self._cache.get(above[place]) if beside and place < len(above) else None

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """Inclusion path of a leaf, in this tree or in an earlier one of `size` leaves.

        Raises:
            InvalidInput: `proof_inclusion` if there is no such leaf.
            OperatorError: `tile_damaged`, or whatever `fetch` raises.
        """
        size = self.size if size is None else self._known(size)
        if size != self.size or not 0 <= index < size:
            return inclusion_path(index, size, self.node)
        # Leaves of one tile share all siblings above it: fresh leaves are proven a tile at a time.
        tile = index >> TILE_HEIGHT
        above = self._above.get(tile)
        if above is None:
            above = tuple(sibling_path(TILE_HEIGHT, tile, size, self.node))
            self._above = {tile: above}
        path: list[bytes] = []
        last = size - 1
        at = index & _MASK
        for height, row in enumerate(self._rows(0, tile)):
            beside = at ^ 1
            if beside < len(row):
                path.append(row[beside])
            elif index < last:  # the sibling is the tree's right edge, a subtree cut off at `size`
                path.append(self._cut_off()[height])
            at >>= 1
            index >>= 1
            last >>= 1
        return (*path, *above)

    def consistency(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        """Consistency path from `old` leaves to this tree, or to an earlier one of `new` leaves.

        Raises:
            InvalidInput: `proof_consistency` unless old <= new.
            OperatorError: `tile_damaged`, or whatever `fetch` raises.
        """
        return consistency_path(old, self.size if new is None else self._known(new), self.node)

    def _known(self, size: int) -> int:
        if size > self.size:
            raise RuntimeError(f"a tree of {self.size} leaves knows nothing of {size}")
        return size

    def _forget(self) -> None:
        """Drop what was computed for another size."""
        self._above = {}
        self._right = []

    def _cut_off(self) -> list[bytes]:
        """Per height in the partial level-0 tile: its last subtree, cut off at the tree's size."""
        if not self._right:
            rows = self._edge[0]
            last = len(rows[0]) - 1
            cut = rows[0][last]
            for row in rows:
                self._right.append(cut)
                if last & 1:
                    cut = node_hash(row[last - 1], cut)
                last >>= 1
        return self._right

    def _fill(self, level: int, tile: int, hashes: Sequence[bytes], changed: Tiles) -> list[bytes]:
        """Append hashes at one level; gives the roots of the tiles that became full."""
        rows = self._edge[level]
        full: list[bytes] = []
        at = 0
        while at < len(hashes):
            take = TILE_WIDTH - len(rows[0])
            rows[0].extend(hashes[at : at + take])
            at += take
            _complete(rows)
            if len(rows[0]) == TILE_WIDTH:
                changed[level, tile] = b"".join(rows[0])
                full.append(self._remember(rows))
                rows = self._edge[level] = _empty_rows()
                tile += 1
        if rows[0]:
            changed[level, tile] = b"".join(rows[0])
        return full

    def _rows(self, level: int, tile: int) -> _Rows:
        if tile == self.size >> (TILE_HEIGHT * (level + 1)):
            return self._edge[level]
        root = self._rows(level + 1, tile >> TILE_HEIGHT)[0][tile & _MASK]
        rows = self._cache.get(root)
        if rows is not None:
            self._cache.move_to_end(root)
            return rows
        data = self._fetch(level, tile)
        if len(data) != TILE_BYTES:
            raise _damaged(level, tile, TILE_WIDTH, f"has {len(data)} bytes, not {TILE_BYTES}")
        rows = _expand(data)
        if self._remember(rows) != root:
            raise _damaged(level, tile, TILE_WIDTH, "has not the root its parent tile holds")
        return rows

    def _remember(self, rows: _Rows) -> bytes:
        root = node_hash(rows[-1][0], rows[-1][1])
        cache = self._cache
        cache[root] = rows
        while len(cache) > self._capacity:
            cache.popitem(last=False)
        return root


def _empty_rows() -> _Rows:
    return [[] for _ in range(TILE_HEIGHT)]


def _complete(rows: _Rows) -> None:
    """Hash what became complete, from the hashes of the tile upwards."""
    sha256 = _sha256
    for below, above in pairwise(rows):
        above += [
            sha256(b"\x01" + below[i] + below[i + 1]).digest()
            for i in range(2 * len(above), len(below) - 1, 2)
        ]


def _expand(data: bytes) -> _Rows:
    rows = _empty_rows()
    rows[0] = [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]
    _complete(rows)
    return rows


def _load_edge(size: int, edge: Mapping[tuple[int, int], bytes]) -> list[_Rows]:
    levels: list[_Rows] = []
    for level, n, width in edge_tiles(size):
        data = edge.get((level, n))
        if data is None:
            raise OperatorError(
                "tile_missing",
                f"{tile_path(level, n, width)} is missing from a log of {size} leaves",
                hint="restore the log's tiles from a backup or a node's copy",
            )
        if len(data) != width * HASH_BYTES:
            raise _damaged(level, n, width, f"has {len(data)} bytes, not {width * HASH_BYTES}")
        levels += [_empty_rows() for _ in range(level - len(levels))]
        levels.append(_expand(data))
    return levels


def _damaged(level: int, n: int, width: int, what: str) -> OperatorError:
    return OperatorError(
        "tile_damaged",
        f"{tile_path(level, n, width)} {what}",
        hint="restore the tile from a backup or a node's copy",
    )
