"""Whether two stores give the same answers: every row that a copy has to bring, read from both.

A copy is written from what one engine reads; that the other engine gives it back is looked at here,
block by block and by the same keys that a broker asks by. Both stores are at rest meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from msgspec.structs import replace
from saphan_protocol.tiles import tile_widths
from saphan_schemas.errors import OperatorError

from saphan_broker.moving.blocks import later_markers, open_entries, statement_keys
from saphan_broker.moving.copying import BLOCK, Copied, Progress, copy_store
from saphan_broker.moving.deliveries import delivery_of
from saphan_broker.moving.outliving import FAR, HELD
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import (
    LOGS,
    Corridor,
    Counts,
    DeliveryKey,
    EntryRow,
    Log,
    Store,
)

T = TypeVar("T")
_FAR: Final = FAR


async def compare_stores(
    original: Store,
    copy: Store,
    keys: DayKeys,
    progress: Progress,
    *,
    block: int = BLOCK,
    signed: bool = True,
) -> None:
    """Ask both stores everything that a broker could, a block at a time.

    Args:
        signed: signed heads and cosignatures too; a copy has them last of all.

    Raises:
        OperatorError: `copy_differs`, naming the first difference; `unwrap_failed`.
    """
    comparing = _Comparing(original, copy, keys)
    for log in LOGS:
        await comparing.heads(log, signed)
        size = (await original.state(log)).head.size
        await comparing.tiles(log, size)
        for start in range(0, size, block):
            stop = min(size, start + block)
            await comparing.leaves(log, start, stop)
            if log == "evidence":
                await comparing.rows(start, stop)
            progress("compared", stop, size)
    await comparing.ends()


async def copy_compared(
    original: Store,
    copy: Store,
    keys: DayKeys,
    progress: Progress,
    leave: Callable[[], None] | None = None,
) -> Copied:
    """Copy a store at rest; only what gives the same answers everywhere becomes a store.

    Args:
        leave: called when it does, before it becomes one; may block.

    Raises:
        OperatorError: what `copy_store` and `compare_stores` raise; the copy stays unfinished then.
    """

    async def check() -> None:
        await compare_stores(original, copy, keys, progress, signed=False)
        if leave is not None:
            await asyncio.to_thread(leave)

    return await copy_store(
        original,
        copy,
        keys,
        progress,
        check=check,
    )


class _Comparing:
    def __init__(self, original: Store, copy: Store, keys: DayKeys) -> None:
        self._original = original
        self._copy = copy
        self._keys = keys
        self._corridors: set[Corridor] = set()

    async def heads(self, log: Log, signed: bool) -> None:
        """Heads signed and unsigned, who cosigned, the edge that the next commit grows from."""
        await self._same(f"the {log} log's head", lambda store: store.state(log))
        await self._same(f"the {log} log's edge", lambda store: store.edge_tiles(log))
        if not signed:
            return
        await self._same(f"the {log} log's signed head", lambda store: store.note(log))
        await self._same(f"cosignatures of the {log} log", lambda store: store.cosignatures(log))

    async def tiles(self, log: Log, size: int) -> None:
        """Every tile, full or not."""
        for level, (full, width) in enumerate(tile_widths(size)):
            for n in range(full + bool(width)):
                at = (level, n)
                await self._same(f"{log} tile {at}", lambda store: store.tile(log, *at))  # noqa: B023

    async def leaves(self, log: Log, start: int, stop: int) -> None:
        """Leaves, and what stands beside leaves that are no entries."""
        where = f"{log} leaves {start} to {stop}"
        await self._same(where, lambda store: store.leaves(log, start, stop))
        if log == "directory":
            await self._same(where, lambda store: store.packages(start, stop))
        else:
            await self._same(where, lambda store: store.anchors(start, stop))

    async def rows(self, start: int, stop: int) -> None:
        """Entries and everything that is found by them."""
        where = f"entries {start} to {stop}"
        entries = await self._same(where, lambda store: store.entries(start, stop))
        self._corridors |= {(row.sender, row.recipient) for row in entries}
        ids = {row.bulletin for row in entries if row.bulletin is not None}
        deliveries = list({key for row in entries if (key := delivery_of(row)) is not None})
        await self._same(f"bulletins of {where}", lambda store: store.bodies(ids))
        facts = await self._same(f"facts of {where}", lambda store: store.bulletins(ids))
        nonces = {(row.sender, row.nonce) for row in facts.values()}
        await self._same(f"nonces of {where}", lambda store: store.by_nonce(nonces))
        await self._same(f"deliveries of {where}", lambda store: store.deliveries(deliveries))
        await self._same(f"stanzas of {where}", lambda store: store.stanzas(deliveries))
        await self._same(f"holds of {where}", lambda store: store.holds_of(ids))
        await self._same(f"recipients of {where}", lambda store: store.deliveries_of(ids))
        await self._sealed(where, entries)

    async def _sealed(self, where: str, entries: list[EntryRow]) -> None:
        """What is found by keys that are inside the records."""
        opened, _destroyed = open_entries(self._keys, entries)
        said = {key for one in opened for key in (*statement_keys(one), *later_markers(one))}
        signed = {one.signature: one.row.index for one in opened if one.signature is not None}
        await self._same(f"statements of {where}", lambda store: store.statements(said))
        await self._same(f"signatures of {where}", lambda store: store.signatures(signed))

    async def ends(self) -> None:
        """What is found without a place in the log: mailboxes, corridors, deadlines, numbers."""
        for agency in sorted({agency for corridor in self._corridors for agency in corridor}):
            await self._same(f"the last entry of {agency}", lambda s: s.last_entry(agency))  # noqa: B023
            await self._mailbox(agency)
        await self._same("the corridors' ends", lambda store: store.corridors(self._corridors))
        await self._same("the newest anchor", lambda store: store.anchor(_FAR))
        await self._same("what is due", lambda store: store.due(_FAR, 256))
        await self._same("the numbers", _numbers)
        await self._same("open deliveries", lambda store: store.open_deliveries())
        await self._same("what may be destroyed", lambda store: store.destroyable(_FAR, 256))
        await self._same("what is to be destroyed", lambda store: store.due_counts(_FAR))
        await self._same("days with a key", lambda store: store.first_undestroyed())
        held = {bulletin for bulletin, _recipient in await self._same("what is held", _held)}
        await self._same("recipients of what is held", lambda store: store.deliveries_of(held))
        await self._same("holds", lambda store: store.holds_of(held))
        await self._same("facts of what is held", lambda store: store.bulletins(held))

    async def _mailbox(self, agency: str) -> None:
        after: int | None = None
        while True:
            rows = await self._same(
                f"the mailbox of {agency}",
                lambda store: store.feed(agency, after, _FAR, 256, 1 << 24),  # noqa: B023
            )
            if not rows:
                return
            after = rows[-1].entry.index

    async def _same(self, what: str, ask: Callable[[Store], Awaitable[T]]) -> T:
        original, copy = await ask(self._original), await ask(self._copy)
        if original != copy:
            raise OperatorError(
                "copy_differs",
                f"the copy gives another answer than the original: {what}",
                field="data",
                hint="do not use the copy; keep the original, and report this line",
            )
        return original


async def _numbers(store: Store) -> Counts:
    """Without bulletins: how many there have been is not known where some are forgotten."""
    return replace(await store.counts(), bulletins=0)


async def _held(store: Store) -> set[DeliveryKey]:
    """Some of it, in no order: several may be due on one day."""
    rows = await store.stanzas_due(_FAR, HELD)
    return {(row.bulletin, row.recipient) for row in rows}
