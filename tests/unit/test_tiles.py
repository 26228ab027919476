"""Tile arithmetic, entry bundles, and the growing edge against a naive tree."""

from __future__ import annotations

import pytest
from saphan_protocol import merkle, tiles
from saphan_protocol.tile_tree import TileTree
from saphan_schemas.errors import InvalidInput, OperatorError

TOTAL = 66_000
LEAVES = [merkle.leaf_hash(i.to_bytes(4, "big")) for i in range(TOTAL)]


class Shelf:
    """Stored tiles, as a store would keep them."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.reads = 0

    def fetch(self, level: int, n: int) -> bytes:
        self.reads += 1
        return self.tiles[level, n]

    def tree(self, size: int) -> TileTree:
        return TileTree(size, self.tiles, self.fetch)


@pytest.fixture(scope="module")
def full() -> tuple[Shelf, TileTree]:
    """A log of all leaves, written in commits of uneven sizes. Read-only."""
    shelf = Shelf()
    tree = shelf.tree(0)
    at = 0
    for step in (1, 1, 3, 251, 256, 7, 64, 1000, 65_536):
        shelf.tiles |= tree.append(LEAVES[at : at + step])
        at = min(at + step, TOTAL)
    return shelf, tree


def test_seventy_thousand_leaves() -> None:
    assert tiles.tile_widths(70_000) == ((273, 112), (1, 17), (0, 1))
    assert tiles.edge_tiles(70_000) == ((0, 273, 112), (1, 1, 17), (2, 0, 1))
    assert tiles.tile_widths(256) == ((1, 0), (0, 1))
    assert tiles.edge_tiles(256) == ((1, 0, 1),)
    assert tiles.tile_widths(0) == ()
    assert tiles.edge_tiles(0) == ()


@pytest.mark.parametrize(
    ("coordinates", "path"),
    (
        ((0, 1234067, 256), "tile/0/x001/x234/067"),
        ((1, 0, 17), "tile/1/000.p/17"),
        ((63, 999, 255), "tile/63/999.p/255"),
        ((7, 1000, 1), "tile/7/x001/000.p/1"),
        ((0, 2**63 - 1, 256), "tile/0/x009/x223/x372/x036/x854/x775/807"),
    ),
)
def test_tile_paths_round_trip(coordinates: tuple[int, int, int], path: str) -> None:
    assert tiles.tile_path(*coordinates) == path
    assert tiles.parse_tile_path(path) == coordinates


def test_entry_bundle_paths_round_trip() -> None:
    for n in (0, 7, 999, 1000, 1_000_000, 123_456_789):
        for width in (1, 99, 255, 256):
            path = tiles.entries_path(n, width)
            assert tiles.parse_entries_path(path) == (n, width)
    assert tiles.entries_path(1234067) == "tile/entries/x001/x234/067"


@pytest.mark.parametrize(
    "path",
    (
        "",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/000",
        "tile/0/x000/x001/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/X001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/007",
        "tile/0/000.p/",
        "tile/0/000.p/1_0",
        "tile/0/1_0",
        "tile/0/+01",
        "tile/0/ 01",
        "tile/0/\u0661\u0662\u0663",
        "tile/0/000\n",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/../000",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x001/x009/x223/x372/x036/x854/x775/807",
    ),
)
def test_other_spellings_of_paths_are_refused(path: str) -> None:
    for text, parse in (
        (path, tiles.parse_tile_path),
        (path.replace("tile/0", "tile/entries"), tiles.parse_entries_path),
    ):
        with pytest.raises(InvalidInput) as caught:
            parse(text)
        assert caught.value.code == "tile_path"


@pytest.mark.parametrize("bad", ((64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 2**63, 256)))
def test_no_path_for_coordinates_that_no_tile_has(bad: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput):
        tiles.tile_path(*bad)


def test_entry_bundles_round_trip() -> None:
    for entries in ((b"",), (b"a", b"", b"ccc"), (b"\xff" * 65_535, b"x"), (b"e",) * 256):
        data = tiles.encode_bundle(entries)
        assert tiles.decode_bundle(data, len(entries)) == entries


@pytest.mark.parametrize(
    ("data", "width"),
    (
        (b"", 0),
        (b"", 1),
        (b"\x00", 1),
        (b"\x00\x02a", 1),
        (b"\x00\x01a", 2),
        (b"\x00\x01a\x00\x01b", 1),
        (b"\x00\x01a\x00", 1),
        (b"\x00\x00" * 257, 257),
    ),
)
def test_bundles_with_another_number_of_entries_are_refused(data: bytes, width: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        tiles.decode_bundle(data, width)
    assert caught.value.code == "bundle_malformed"


def test_bundles_hold_one_to_256_entries_of_limited_length() -> None:
    for bad, code in (
        ([], "bundle_malformed"),
        ([b""] * 257, "bundle_malformed"),
        ([bytes(65_536)], "too_large"),
    ):
        with pytest.raises(InvalidInput) as caught:
            tiles.encode_bundle(bad)
        assert caught.value.code == code


def test_every_small_size_against_a_naive_tree() -> None:
    shelf = Shelf()
    tree = shelf.tree(0)
    assert tree.root() == merkle.EMPTY_ROOT
    for size in range(1, 600):
        shelf.tiles |= tree.append(LEAVES[size - 1 : size])
        assert tree.size == size
        if size % 7 == 0 or size in (1, 2, 255, 256, 257, 511, 512, 513):
            root = merkle.root_of(LEAVES[:size])
            assert tree.root() == shelf.tree(size).root() == root
            for index in range(0, size, 5):
                merkle.verify_inclusion(index, size, LEAVES[index], tree.inclusion(index), root)
                assert tree.inclusion(index) == merkle.inclusion_path(index, size, tree.node)


def test_the_tiles_written_are_the_tiles_of_the_format(full: tuple[Shelf, TileTree]) -> None:
    shelf, _ = full
    row = LEAVES
    for level, (count, width) in enumerate(tiles.tile_widths(TOTAL)):
        for n in range(count + bool(width)):
            expected = b"".join(row[256 * n : 256 * n + 256])
            assert shelf.tiles[level, n] == expected
        row = [merkle.root_of(row[i : i + 256]) for i in range(0, len(row) - 255, 256)]
    assert len(shelf.tiles) == sum(c + bool(w) for c, w in tiles.tile_widths(TOTAL))


def test_large_log_reopened_from_its_edge(full: tuple[Shelf, TileTree]) -> None:
    shelf, tree = full
    root = merkle.root_of(LEAVES)
    edge = {(t.level, t.n): shelf.tiles[t.level, t.n] for t in tiles.edge_tiles(TOTAL)}
    again = TileTree(TOTAL, edge, shelf.fetch)
    assert again.root() == tree.root() == root
    for index in (0, 255, 256, 40_000, 65_535, 65_536, TOTAL - 1):
        path = again.inclusion(index)
        merkle.verify_inclusion(index, TOTAL, LEAVES[index], path, root)
        assert path == merkle.inclusion_path(index, TOTAL, tree.node)


@pytest.mark.parametrize("old", (0, 1, 255, 256, 257, 5_000, 65_535, 65_536, 65_999, TOTAL))
def test_consistency_and_inclusion_in_earlier_sizes(full: tuple[Shelf, TileTree], old: int) -> None:
    _, tree = full
    root = merkle.root_of(LEAVES[:old])
    merkle.verify_consistency(old, TOTAL, root, tree.root(), tree.consistency(old))
    if old:
        path = tree.inclusion(old - 1, old)
        merkle.verify_inclusion(old - 1, old, LEAVES[old - 1], path, root)
    earlier = old // 2
    merkle.verify_consistency(
        earlier, old, merkle.root_of(LEAVES[:earlier]), root, tree.consistency(earlier, old)
    )


@pytest.mark.parametrize("start", (0, 200, 255, 256, 65_530))
def test_discarded_growth_leaves_nothing_behind(start: int) -> None:
    shelf = Shelf()
    tree = shelf.tree(0)
    shelf.tiles |= tree.append(LEAVES[:start])
    root = tree.root()
    dropped, _ = tree.grow([merkle.leaf_hash(b"never committed %d" % i) for i in range(300)])
    assert dropped.size == start + 300
    assert (tree.size, tree.root()) == (start, root)
    grown, changed = tree.grow(LEAVES[start : start + 300])
    assert (tree.size, tree.root()) == (start, root)
    shelf.tiles |= changed
    assert grown.root() == merkle.root_of(LEAVES[: start + 300])
    for index in range(start, start + 300, 9):
        merkle.verify_inclusion(
            index, grown.size, LEAVES[index], grown.inclusion(index), grown.root()
        )


def test_what_was_computed_for_a_size_is_not_used_for_the_next() -> None:
    shelf = Shelf()
    tree, _ = shelf.tree(0).grow(LEAVES[:300])
    for size in (301, 302, 511, 512, 513, 600):
        tree.inclusion(tree.size - 2)
        before, path = tree, tree.inclusion(256)
        tree, changed = tree.grow(LEAVES[tree.size : size])
        shelf.tiles |= changed
        merkle.verify_inclusion(256, size, LEAVES[256], tree.inclusion(256), tree.root())
        assert before.inclusion(256) == path
        merkle.verify_inclusion(256, before.size, LEAVES[256], path, before.root())


def test_growing_by_nothing_changes_nothing(full: tuple[Shelf, TileTree]) -> None:
    _, tree = full
    grown, changed = tree.grow([])
    assert changed == {}
    assert grown.root() == tree.root()


def test_one_fetch_serves_a_whole_tile(full: tuple[Shelf, TileTree]) -> None:
    shelf, _ = full
    tree = shelf.tree(TOTAL)
    before = shelf.reads
    for index in range(256, 512):
        tree.inclusion(index)
    # The tile itself and its parent, once each.
    assert shelf.reads - before == 2


def test_cache_is_bounded(full: tuple[Shelf, TileTree]) -> None:
    shelf, _ = full
    tree = TileTree(TOTAL, shelf.tiles, shelf.fetch, cache_tiles=3)
    for index in range(0, 256 * 20, 256):
        tree.inclusion(index)
    assert len(tree._cache) == 3


def test_the_tile_used_last_stays_in_the_cache(full: tuple[Shelf, TileTree]) -> None:
    shelf, _ = full
    tree = TileTree(TOTAL, shelf.tiles, shelf.fetch, cache_tiles=3)
    for n in (1, 2, 1, 3):  # beside their parent, which every proof uses
        tree.inclusion(256 * n)
    before = shelf.reads
    tree.inclusion(256)
    assert shelf.reads == before
    tree.inclusion(512)
    assert shelf.reads == before + 1


@pytest.mark.parametrize("bad", (b"\x00" * 8_192, b"", b"\x00" * 32))
def test_a_damaged_tile_is_named(full: tuple[Shelf, TileTree], bad: bytes) -> None:
    shelf, _ = full

    def fetch(level: int, n: int) -> bytes:
        return shelf.fetch(level, n) if level else bad

    tree = TileTree(TOTAL, shelf.tiles, fetch)
    with pytest.raises(OperatorError) as caught:
        tree.inclusion(300)
    assert caught.value.code == "tile_damaged"
    assert "tile/0/001" in caught.value.message


def test_an_edge_that_does_not_fit_the_size_is_refused(full: tuple[Shelf, TileTree]) -> None:
    shelf, _ = full
    with pytest.raises(OperatorError) as caught:
        TileTree(TOTAL + 256 * 256, shelf.tiles, shelf.fetch)
    assert caught.value.code == "tile_missing"
    with pytest.raises(OperatorError) as caught:
        TileTree(TOTAL + 1, shelf.tiles, shelf.fetch)
    assert caught.value.code == "tile_damaged"


def test_a_tree_refuses_sizes_it_does_not_have(full: tuple[Shelf, TileTree]) -> None:
    _, tree = full
    with pytest.raises(RuntimeError):
        tree.consistency(0, TOTAL + 1)
    with pytest.raises(InvalidInput):
        tree.inclusion(TOTAL)


def test_replaying_level_zero_tiles_gives_the_root(full: tuple[Shelf, TileTree]) -> None:
    shelf, tree = full
    level = b"".join(shelf.tiles[0, n] for n in range(258))
    hashes = [level[place : place + 32] for place in range(0, len(level), 32)]
    frontier = merkle.Frontier()
    frontier.extend(hashes)
    assert (frontier.size, frontier.root()) == (TOTAL, tree.root())


def test_the_root_is_known_without_reading_a_tile(full: tuple[Shelf, TileTree]) -> None:
    shelf, _ = full
    for size in (256, 65_536):
        smaller = Shelf()
        tree = smaller.tree(0)
        smaller.tiles |= tree.append(LEAVES[:size])
        again = smaller.tree(size)
        assert again.root() == tree.frontier().root() == merkle.root_of(LEAVES[:size])
        assert smaller.reads == 0
        leaf = LEAVES[size - 1]
        merkle.verify_inclusion(size - 1, size, leaf, again.inclusion(size - 1), again.root())
    assert shelf.tree(TOTAL).frontier().hashes == tuple(full[1].frontier().hashes)
