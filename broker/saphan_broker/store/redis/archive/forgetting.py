"""Packs and blocks of which every record is forgotten: bare leaves stay, the rest is removed.

Until then what is forgotten in them is passed over by who reads. Its sealed part opens with the key
of its record day, which goes with the day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import index
from saphan_broker.store.redis.archive.formats import (
    Finished,
    bare_name,
    block_body,
    block_name,
    facts_name,
    open_block,
)
from saphan_broker.store.redis.archive.move_bulletins import BulletinMover
from saphan_broker.store.redis.archive.moving import Moving
from saphan_broker.store.redis.archive.reader import BARE, BLOCKS, ArchiveReader
from saphan_broker.store.redis.keys import WIDTH
from saphan_broker.store.redis.line import Command


class Forgetting:
    """Of the archive; nothing is moved into it meanwhile."""

    def __init__(self, moving: Moving, reader: ArchiveReader, mover: BulletinMover) -> None:
        self._moving = moving
        self._reader = reader
        self._mover = mover
        self._keys = moving.keys["evidence"]

    async def forget(self, before_day: int, forgotten: int, limit: int) -> int:
        """Take away what is forgotten; gives how many objects.

        Args:
            before_day: of records; forgotten: entries, from the log's beginning.

        Raises:
            Unavailable: `lease_lost`, `blobs_unreachable`; OperatorError.
        """
        done = await self._blocks(forgotten, limit)
        done += await self._packs(self._keys.ages, before_day, limit - done)
        return done + await self._packs(self._keys.said, forgotten, limit - done)

    # --- blocks ----------------------------------------------------------------------------------

    async def _blocks(self, forgotten: int, limit: int) -> int:
        first = await self._moving.count("evidence", BARE)
        archived = await self._moving.count("evidence", BLOCKS)
        stop = min(archived, forgotten // WIDTH, first + limit)
        for n in range(first, stop):
            await self._moving.move("evidence", BARE, n, n + 1, await self._bare(n))
        return max(stop - first, 0)

    async def _bare(self, n: int) -> list[Command]:
        """Write a block without its entries; what is to be done then."""
        block = self._keys.block(n)
        (rows,) = await self._moving.ask([("HGETALL", block)])
        if rows:  # it is too long for an object
            bare = _bare_rows(dict(zip(rows[::2], rows[1::2], strict=True)))
            pairs = [word for pair in bare.items() for word in pair]
            return [("HSET", block, *pairs), ("UNLINK", self._keys.signatures(n))]
        name = block_name("evidence", n)
        whole = await self._moving.objects.load(name, open_block)
        body = await asyncio.to_thread(block_body, _bare_rows(whole.rows), {}, whole.tile)
        await self._moving.put(bare_name("evidence", n), body)
        return [("SADD", self._keys.gone, self._moving.objects.full_name(name))]

    # --- packs -----------------------------------------------------------------------------------

    async def _packs(self, ages: bytes, below: int, limit: int) -> int:
        """Packs whose last record is forgotten, and whose bulletins are, or are held."""
        command = ("ZRANGEBYSCORE", ages, "-inf", f"({below}")
        (numbers,) = await self._moving.ask([command])
        done = 0
        for number in map(int, numbers):
            if done >= limit:
                break
            done += await self._pack(ages, number)
        return done

    async def _pack(self, ages: bytes, number: int) -> bool:
        found = await self._reader.pack(number)
        members = await self._reader.members(number)
        slots: list[Command] = []
        if ages == self._keys.said:
            slots = [("unindex", self._reader.slots.of_id(row.id), number) for row in members]
        elif members and not await self._take_out(members):
            return False
        packs = index.packs(self._keys, number)
        removals: list[Command] = [("HDEL", packs, number), ("ZREM", ages, number)]
        removals.append(("ZREM", self._keys.days, number))
        if found is not None:
            name = facts_name(found[0].due_day, found[0].digest)
            removals.append(("SADD", self._keys.gone, self._moving.objects.full_name(name)))
        removals.append(("INCR", self._keys.removed))
        await self._moving.write([*slots, *removals])
        return True

    async def _take_out(self, members: Sequence[Finished]) -> bool:
        """What a hold keeps goes into another pack, without its header."""
        ids = [row.id for row in members]
        (kept,) = await self._moving.ask([("ZMSCORE", self._keys.old, *ids)])
        if None in kept:
            return False  # its turn comes with its entry
        while ids:
            if not await self._mover.pack(ids, whole=True):
                return False
            left = await self._reader.rows(ids)
            before = {row.id: row for row in members}
            ids = [id_ for id_, (_pack, row) in left.items() if row is before[id_]]
        return True


def _bare_rows(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {at: packing.pack_leaf(packing.read_leaf(row), None) for at, row in rows.items()}
