"""One of the two logs as the broker holds it: committed tree, newest durable signed head."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from saphan_protocol.checkpoint import Head, KeyPair, verify_head
from saphan_protocol.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    history_path,
    leaf_hash,
    verify_consistency,
)
from saphan_protocol.tile_tree import TileTree
from saphan_protocol.tiles import edge_tiles
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import HeadRef

from saphan_broker.logs.log_tree import TileSource
from saphan_broker.store.base import Log, LogHead, Store, TileKey

REMEMBERED_HEADS = 1024
"""Signed heads whose cosignatures are still taken: minutes of full load, weeks of an idle log."""

LEAVES_AT_ONCE = 1024
"""Leaves that a follower reads at a time."""

COSIGNED_HEADS = 64
"""Newest heads kept whole, 4 KB each: a witness signs about the newest of each second."""


@dataclass(frozen=True, slots=True)
class Published:
    """A durable signed head; `time` is the log's own, in POSIX seconds.

    `tree` has at least `size` leaves: more while something committed waits for its signature.
    """

    origin: str
    size: int
    root: bytes
    time: int
    note: bytes
    tree: TileTree

    @property
    def ref(self) -> HeadRef:
        """The head by its value."""
        return HeadRef(self.origin, self.size, self.root)

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """Path of a leaf under this head; may want a tile (`TileSource.prove`)."""
        return self.tree.inclusion(index, self.size)

    def consistency(self, old: int) -> tuple[bytes, ...]:
        """Path from an earlier head to this one, empty from none; may want a tile."""
        return self.tree.consistency(old, self.size) if old else ()

    def history(self, old: int) -> tuple[bytes, ...]:
        """History path from an earlier size, 0 < old < size; may want a tile."""
        root = b"" if old & (old - 1) else self.tree.node(old.bit_length() - 1, 0)
        return history_path(old, root, self.consistency(old))


@dataclass(frozen=True, slots=True)
class Ahead:
    """What another process has signed since: its head, and the tree that has its leaves."""

    head: Head
    tree: TileTree
    root: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A published head and the lines of the agencies that have cosigned it."""

    head: Published
    lines: dict[str, bytes]


class LogBook:
    """Owned by the sequencer, which alone grows and publishes; everyone may read `published`."""

    def __init__(self, log: Log, origin: str, store: Callable[[], Store]) -> None:
        self.log: Log = log
        self.origin = origin
        self._store = store
        self.source = TileSource(self._read_tile)
        self.tree = TileTree(0, {}, self.source.fetch)
        self.root = self.tree.root()
        self.time = 0
        self.published: Published | None = None
        self.cosigned: OrderedDict[int, Cosigned] = OrderedDict()
        """By size, the newest heads that anybody has cosigned: sessions are told of them."""
        self._newest: OrderedDict[int, Published] = OrderedDict()
        self._heads: OrderedDict[int, tuple[bytes, int]] = OrderedDict()

    @property
    def head(self) -> LogHead:
        """The committed head, signed or not."""
        return LogHead(self.tree.size, self.root)

    @property
    def unsigned(self) -> bool:
        """Whether something committed is not under a published head."""
        signed = 0 if self.published is None else self.published.size
        return self.tree.size > signed

    async def load(self) -> None:
        """Read the committed head and its edge anew; what was grown and not committed is dropped.

        Raises:
            OperatorError: `tile_damaged`, `tile_missing`, `store_damaged`.
        """
        store = self._store()
        state = await store.state(self.log)
        edge = await self._edge(state.head.size)
        tree = TileTree(state.head.size, edge, self.source.fetch)
        root = await self.source.prove(tree.root)
        if root != state.head.root:
            raise _damaged(f"the {self.log} log's tiles do not have the root of its committed head")
        self.tree, self.root, self.time = tree, root, state.time

    async def _edge(self, size: int) -> dict[TileKey, bytes]:
        """The partial tiles at `size`; the log may have grown since, by another process."""
        found = await self._store().edge_tiles(self.log)
        edge: dict[TileKey, bytes] = {}
        for level, n, width in edge_tiles(size):
            tile = found.get((level, n)) or await self._store().tile(self.log, level, n)
            if tile is not None:
                edge[level, n] = tile[: width * HASH_BYTES]
        return edge

    async def ahead(self, keys: KeyPair) -> Ahead | None:
        """What the store's newest signed head adds to this one; None: nothing.

        The leaves are read and hashed anew: their root is the signed one, or nothing is believed.

        Raises:
            OperatorError: `store_went_back`, `store_damaged`, and what reads raise.
        """
        stored, published = await self._store().note(self.log), self.published
        if stored is not None and published is not None and stored.note == published.note:
            return None
        if stored is None or (published is not None and stored.size < published.size):
            if stored is None and published is None:
                return None
            raise OperatorError(
                "store_went_back",
                f"{self.origin}: {0 if published is None else published.size} leaves were signed, "
                f"the store now shows {0 if stored is None else stored.size}",
                field="data",
                hint="the server has lost data, or is another one: stop every process and look",
            )
        head = self._verified(stored.note, keys)
        tree, root = self.tree, self.root
        while tree.size < head.size:
            stop = min(head.size, tree.size + LEAVES_AT_ONCE)
            leaves = await self._store().leaves(self.log, tree.size, stop)
            if not leaves:
                raise _damaged(f"{self.log} leaf {tree.size} is missing under its signed head")
            tree, _tiles, root = await self.grow(tree, leaves)
        fits = root == head.root
        if tree.size > head.size:
            fits = await self.holds(head.size, head.root)
        if not fits:
            raise _damaged(f"the {self.log} log's leaves do not have the root of its signed head")
        return Ahead(head, tree, root)

    def go(self, ahead: Ahead) -> None:
        """Show what `ahead` found; the time of the last entry is read by who takes over."""
        self.tree, self.root = ahead.tree, ahead.root
        self.publish(ahead.head)

    async def load_note(self, keys: KeyPair) -> None:
        """Publish the newest signed head that the store holds, if there is one.

        Raises:
            OperatorError: `store_damaged` for a note that is not this log's, or beyond its leaves.
        """
        stored = await self._store().note(self.log)
        if stored is None:
            return
        head = self._verified(stored.note, keys)
        if head.size > self.tree.size:
            await self.load()  # another process has committed and signed since it was read
        if head.size > self.tree.size:
            raise _damaged(f"the stored head of {self.origin} is beyond its leaves")
        self.publish(head)
        for row in await self._store().cosignatures(self.log):
            self.add_cosignature(row.agency, row.size, row.lines)

    def _verified(self, note: bytes, keys: KeyPair) -> Head:
        try:
            return verify_head(note, keys)
        except InvalidInput as error:
            raise _damaged(f"the stored head of {self.origin} does not verify: {error}") from None

    async def holds(self, size: int, root: bytes) -> bool:
        """Whether the committed log had this root at `size` leaves."""
        tree = self.tree
        if size > tree.size:
            return False
        if size in (0, tree.size):
            return root == (self.root if size else EMPTY_ROOT)
        path = await self.source.prove(lambda: tree.consistency(size))
        try:
            verify_consistency(size, tree.size, root, self.root, path)
        except InvalidInput:
            return False
        return True

    async def showed(self, ref: HeadRef) -> bool:
        """Whether anybody can have been shown this head: published, or what a published one grew
        from."""
        root, _time = self._heads.get(ref.size, (None, 0))
        if root is not None:
            return root == ref.root
        published = self.published
        if published is None or ref.size > published.size:
            return False
        return await self.holds(ref.size, ref.root)

    async def grow(
        self, tree: TileTree, leaves: list[bytes]
    ) -> tuple[TileTree, dict[TileKey, bytes], bytes]:
        """(tree, changed tiles, root) with these leaves; adopt it once the commit is durable.

        Args:
            tree: the committed tree, or what it will be after the commit that is under way.
        """
        grown, tiles = tree.grow([leaf_hash(leaf) for leaf in leaves])
        return grown, tiles, await self.source.prove(grown.root)

    def adopt(self, tree: TileTree, root: bytes, time: int) -> None:
        """The commit is durable."""
        self.tree, self.root, self.time = tree, root, time

    def publish(self, head: Head) -> None:
        """The signature of the committed head is durable: from here on it may be shown."""
        self.published = self._remember(head)

    def _remember(self, head: Head) -> Published:
        made = Published(self.origin, head.size, head.root, head.time, head.note, self.tree)
        self._newest[head.size] = made
        while len(self._newest) > COSIGNED_HEADS:
            self._newest.popitem(last=False)
        self._heads[head.size] = (head.root, head.time)
        self._heads.move_to_end(head.size)
        while len(self._heads) > REMEMBERED_HEADS:
            self._heads.popitem(last=False)
        return made

    def shown_elsewhere(self, note: bytes, keys: KeyPair) -> None:
        """A head that another process has published, and that this one may have passed over.

        Raises:
            OperatorError: `store_damaged`.
        """
        head = self._verified(note, keys)
        if head.size <= self.tree.size and head.size not in self._newest:
            self._remember(head)

    def newest(self, size: int) -> Published | None:
        """The newest head of that size, if it is one of the newest."""
        return self._newest.get(size)

    def add_cosignature(self, agency: str, size: int, lines: bytes) -> None:
        """Checked lines of an agency on the head of that size, if it is one of the newest."""
        head = self._newest.get(size)
        if head is None:
            return
        before = self.cosigned.pop(size, None)
        known = {} if before is None else before.lines
        self.cosigned[size] = Cosigned(head, known | {agency: lines})
        while len(self.cosigned) > COSIGNED_HEADS:
            self.cosigned.popitem(last=False)

    def signed_time(self, ref: HeadRef) -> int | None:
        """Newest time (POSIX seconds) signed for exactly this head; None when it is forgotten.

        Raises:
            InvalidInput: `head_unknown` for a root this log never signed at that size.
        """
        root, time = self._heads.get(ref.size, (ref.root, None))
        if root != ref.root or ref.origin != self.origin:
            raise InvalidInput(
                "head_unknown", f"{self.origin} never signed this head of {ref.size}", field="head"
            )
        return time

    async def _read_tile(self, level: int, n: int) -> bytes:
        data = await self._store().tile(self.log, level, n)
        if data is None:
            raise OperatorError(
                "tile_missing",
                f"tile {level}/{n} of the {self.log} log is missing",
                field="data",
                hint="restore the tile from a node's copy of the log",
            )
        return data


def _damaged(why: str) -> OperatorError:
    return OperatorError(
        "store_damaged",
        why,
        field="data",
        hint="keep the store as it is; restore it from a copy that is not older than the signer",
    )
