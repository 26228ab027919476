"""One store copied into another, empty one, through the store's protocols only: no engine is named.

Order of effects, each durable before the next:
1. The evidence log, 256 leaves at a time, each block one commit with all its rows.
2. What a hold has kept longer than its entries, without a leaf.
3. The directory log in the same way as the other.
4. What the caller wants to look at before the copy counts (`check`).
5. Cosignatures; the evidence log's signed head; the directory log's signed head.

What a crash means: before the last effect the target is unfinished (`store.unfinished`), no broker
serves it, and the same copy given again goes on behind what is there, once that is proven to be the
beginning of the source's log. The source may grow while it is read: what is copied is the log up to
the head that it had at the beginning, or as far as what the copy lacks was destroyed meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

from saphan_protocol.merkle import HASH_BYTES, leaf_hash
from saphan_protocol.tile_tree import TileTree
from saphan_protocol.tiles import TILE_WIDTH, edge_tiles
from saphan_schemas.errors import OperatorError

from saphan_broker.logs.log_export import head_missing
from saphan_broker.moving.blocks import Block, EvidenceBlocks, directory_block
from saphan_broker.moving.damage import damaged
from saphan_broker.moving.outliving import outliving
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import LOGS, Commit, Log, LogHead, LogState, SignedHead, Store
from saphan_broker.store.unfinished import check_whole

BLOCK: Final = TILE_WIDTH
"""Leaves in one commit: one tile, and with bodies of 64 KiB 16 MiB in memory."""

RELIEVED: Final = 8 * BLOCK
"""Leaves after which a server's memory is relieved of what can leave it."""

Progress = Callable[[str, int, int], None]
"""(what, done, of how many), told again and again."""
Check = Callable[[], Awaitable[None]]


class Moment(NamedTuple):
    """A log as it is copied: a committed head, and the newest signed one not beyond it."""

    state: LogState
    note: SignedHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What is in the target now: leaves of both logs; how many of them were there before."""

    directory: int
    evidence: int
    resumed: int
    destroyed: int
    """Entries whose record nobody can open any more: their day is over."""


async def copy_store(
    source: Store,
    target: Store,
    keys: DayKeys,
    progress: Progress,
    *,
    block: int = BLOCK,
    check: Check | None = None,
) -> Copied:
    """Copy everything that `source` holds up to its present heads.

    Args:
        target: empty, or what a copy of the same store that was cut off has left.
        block: leaves in a commit; a divisor of 256.
        check: called when all rows are there and the copy is still unfinished; what it raises is
            raised.

    Raises:
        OperatorError: `copy_unfinished` (the source is itself half a copy), `head_missing`,
            `target_not_empty`, `store_damaged`, `unwrap_failed`; what the stores raise.
    """
    await check_whole(source)
    # The evidence log first: its anchors name directory heads, and the later a head is the more of
    # the directory it has.
    moments = {log: await _moment(source, log) for log in reversed(LOGS)}
    await check_target(source, target)
    blocks = EvidenceBlocks(source, target, keys)
    copying = _Copying(source, target, progress, block, blocks)
    resumed = sum([(await target.state(log)).head.size for log in LOGS])
    await copying.copy_log("evidence", moments["evidence"].state)
    while copying.waits >= moments["evidence"].state.head.size:  # destroyed since it was looked at
        moments = {log: await _moment(source, log) for log in reversed(LOGS)}
        await copying.copy_log("evidence", moments["evidence"].state)
    await copying.copy_outliving(moments["evidence"].state)
    await copying.copy_log("directory", moments["directory"].state)
    if check is not None:
        await check()
    await copying.finish(moments)
    return Copied(
        directory=moments["directory"].state.head.size,
        evidence=moments["evidence"].state.head.size,
        resumed=resumed,
        destroyed=copying.closed,
    )


async def _moment(source: Store, log: Log) -> Moment:
    note = await source.note(log)
    if note is None:
        if log == "evidence":
            note = SignedHead(0, b"")
        else:
            raise head_missing(log)
    return Moment(await source.state(log), note)


async def check_target(source: Store, target: Store) -> None:
    """Refuse what is neither empty nor the beginning of the same logs without the end of a copy.

    Raises:
        OperatorError: `target_not_empty`.
    """
    if await target.note("directory") is not None:
        _not_empty("a broker's store is there already")
    for log in LOGS:
        found = (await target.state(log)).head
        if found.size > (await source.state(log)).head.size:
            _not_empty(f"it has {found.size} leaves of a {log} log, more than what is copied")
        if found.size and found.root != await _root_at(source, log, found.size):
            _not_empty(f"it has {found.size} leaves of another {log} log")


def _not_empty(why: str) -> NoReturn:
    raise OperatorError(
        "target_not_empty",
        f"the store that is written is not empty: {why}",
        field="data",
        hint="name an empty directory or server; what is there is moved away by hand",
    )


async def _root_at(store: Store, log: Log, size: int) -> bytes:
    """Root of the first `size` leaves, from the tiles that hold them."""
    edge = {}
    for level, n, width in edge_tiles(size):
        tile = await store.tile(log, level, n)
        if tile is None or len(tile) < width * HASH_BYTES:
            raise damaged(f"tile {level}/{n} of the {log} log is not there")
        edge[level, n] = tile[: width * HASH_BYTES]
    return TileTree(size, edge, _no_tile).root()


class _Copying:
    """The effects on the target, in their order."""

    def __init__(
        self, source: Store, target: Store, progress: Progress, block: int, blocks: EvidenceBlocks
    ) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._block = block
        self._blocks = blocks
        self.closed = 0
        self.waits = 0
        """Index of an entry that must be copied, too: it destroyed what the copy lacks."""

    async def copy_log(self, log: Log, end: LogState) -> None:
        """Commit what the target lacks of a log.

        Raises:
            OperatorError: `store_damaged`: its leaves do not have the root of its head, before the
                commit that would reach it.
        """
        at = await self._target.state(log)
        edge = await self._target.edge_tiles(log)
        tree = TileTree(at.head.size, edge, _no_tile)
        while tree.size < end.head.size:
            stop = min(end.head.size, (tree.size // self._block + 1) * self._block)
            block = await self._read(log, tree.size, stop)
            grown, tiles = tree.grow([leaf_hash(leaf) for leaf in block.leaves])
            head = LogHead(stop, grown.root())
            if stop == end.head.size and head != end.head:
                raise damaged(f"the leaves of the {log} log do not have the root of its head")
            time = end.time if head == end.head else max(at.time, block.time)
            at = LogState(head, time)
            expected = LogHead(tree.size, tree.root())
            # A crash in here: the block is there whole or not at all; the next copy goes on.
            await self._target.commit(_commit(block, expected, at, tiles))
            tree = grown
            if stop % RELIEVED == 0:
                await self._relieve()
            self._progress(log, stop, end.head.size)
        if at != end:  # its last commit brought no leaf, only a later time
            await self._target.commit(_commit(Block(log=log, leaves=[]), end.head, end, {}))
        if await self._target.state(log) != end:
            raise damaged(f"the {log} log was copied, and has another head than it had")

    async def copy_outliving(self, end: LogState) -> None:
        """Commit what is held and has no entry any more; a crash here leaves some of it."""
        first = await self._blocks.first_kept()
        async for some in outliving(self._source, self._target, first, end.head.size):
            block = Block(
                log="evidence",
                leaves=[],
                bulletins=some.bulletins,
                deliveries=some.deliveries,
                stanzas=some.stanzas,
                holds=some.holds,
            )
            await self._target.commit(_commit(block, end.head, end, {}))

    async def _relieve(self) -> None:
        """Let what is finished leave the memory of a server, as the process that sequences does."""
        move: Callable[[], Awaitable[int]] | None
        move = getattr(self._target, "archive_some", None)
        while move is not None and await move():
            pass

    async def _read(self, log: Log, start: int, stop: int) -> Block:
        if log == "directory":
            return await directory_block(self._source, start, stop)
        block = await self._blocks.read(start, stop)
        self.closed += block.closed
        self.waits = max(self.waits, block.waits)
        return block

    async def finish(self, moments: dict[Log, Moment]) -> None:
        """Cosignatures and signed heads; after the last of them the copy is a store."""
        for log, moment in moments.items():
            for row in await self._source.cosignatures(log):
                if row.size <= moment.note.size:
                    await self._target.put_cosignature(log, row)
        for log in reversed(LOGS):
            note = moments[log].note
            if note.note:
                await self._target.put_note(log, note.size, note.note)


def _commit(
    block: Block, expected: LogHead, after: LogState, tiles: dict[tuple[int, int], bytes]
) -> Commit:
    return Commit(
        log=block.log,
        expected=expected,
        head=after.head,
        time=after.time,
        leaves=block.leaves,
        tiles=tiles,
        entries=block.entries,
        bulletins=block.bulletins,
        deliveries=block.deliveries,
        stanzas=block.stanzas,
        signatures=block.signatures,
        statements=block.statements,
        corridors=block.corridors,
        anchors=block.anchors,
        packages=block.packages,
        holds=block.holds,
        destroyed=block.destroyed,
        bodiless=block.bodiless,
    )


def _no_tile(level: int, n: int) -> bytes:
    raise RuntimeError(f"tile {level}/{n} is not needed for growing")
