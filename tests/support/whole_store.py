"""The oracle of the store's fault tests: head, leaves, tiles, rows and mailboxes tell one story."""

from __future__ import annotations

from saphan_broker.store.base import LogHead, Store
from saphan_protocol.merkle import leaf_hash
from saphan_protocol.tile_tree import TileTree

PLENTY = 10**9


async def check_whole(store: Store, group: int) -> LogHead:
    """The head, after a look at everything that commits of `group` bulletins should have left."""
    head = (await store.state("evidence")).head
    assert head.size % group == 0
    leaves = await store.leaves("evidence", 0, PLENTY)
    fresh, tiles = TileTree(0, {}, _no_tile).grow([leaf_hash(leaf) for leaf in leaves])
    assert LogHead(fresh.size, fresh.root()) == head
    for (level, n), hashes in tiles.items():
        assert await store.tile("evidence", level, n) == hashes
    rows = await store.feed("kh.gpo", None, PLENTY, PLENTY, PLENTY)
    assert [row.entry.index for row in rows] == list(range(head.size))
    assert [row.entry.number for row in rows] == list(range(1, head.size + 1))
    ids = [row.bulletin.id for row in rows if row.bulletin]
    assert len(ids) == (await store.counts()).bulletins == head.size
    assert len(await store.stanzas([(id_, "kh.gpo") for id_ in ids])) == head.size
    assert len(await store.deliveries([(id_, "kh.gpo") for id_ in ids])) == head.size
    assert sum((await store.open_deliveries()).values()) == head.size
    note = await store.note("evidence")
    assert note is None or note.size <= head.size
    return head


def _no_tile(level: int, n: int) -> bytes:
    raise AssertionError(f"tile {level}/{n} is not needed for growing")
