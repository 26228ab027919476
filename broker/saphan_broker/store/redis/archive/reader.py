"""Reads what has left the server's memory (`archived.Archive`): the server first says where it is.

Whoever reads asks the server for the thing itself before, so nothing is missed when it moves in
between: it is indexed by the same script that removes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from saphan_broker.store.base import Log
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import index, scripts
from saphan_broker.store.redis.archive.bodies import BodyReader
from saphan_broker.store.redis.archive.cache import Cache
from saphan_broker.store.redis.archive.formats import (
    Block,
    BodyRef,
    Facts,
    Fields,
    Finished,
    bare_name,
    block_name,
    box_name,
    facts_name,
    is_pack,
    open_block,
    open_box,
    open_facts,
    open_tile,
    pack_name,
    tile_name,
)
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Command
from saphan_broker.store.redis.refusals import Reply

T = TypeVar("T")

Ask = Callable[[Sequence[Command]], Awaitable[Sequence[Reply]]]
"""Sends commands to the server in one piece; raises what a refused one means."""

PACKS_AT_ONCE: Final = 16
STRETCHES: Final = 16
"""Of a mailbox that are asked for at once."""
BLOCKS: Final = "blocks"
BARE: Final = "bare"
"""Blocks whose entries are forgotten."""


def tiles_moved(level: int) -> str:
    """Field of `index.moved` that counts full tiles of a level."""
    return f"tiles/{level}"


class ArchiveReader:
    """The archive of one store; owned by one event loop."""

    def __init__(
        self, ask: Ask, keys: Mapping[Log, Keys], cache: Cache, slots: index.Slots
    ) -> None:
        self._ask = ask
        self._keys = keys
        self.cache = cache
        self.slots = slots
        self._evidence = keys["evidence"]
        self._counted: dict[tuple[Log, str], int] = {}
        self._bodies = BodyReader(cache)
        self._looks = asyncio.Semaphore(PACKS_AT_ONCE)

    # --- logs ------------------------------------------------------------------------------------

    async def block(self, log: Log, n: int) -> Fields | None:
        """See `Archive.block`."""
        block = await self._block(log, n)
        return None if block is None else block.rows

    async def signatures(self, n: int) -> Fields | None:
        """See `Archive.signatures`."""
        block = await self._block("evidence", n)
        return None if block is None else block.signatures

    async def tile(self, log: Log, level: int, n: int) -> bytes | None:
        """See `Archive.tile`."""
        if level == 0:
            block = await self._block(log, n)
            return None if block is None else block.tile
        if not await self._is_moved(log, tiles_moved(level), n):
            return None
        return await self.cache.load(tile_name(log, level, n), open_tile)

    async def _block(self, log: Log, n: int) -> Block | None:
        if not await self._is_moved(log, BLOCKS, n):
            return None
        name = block_name(log, n)
        if name not in self.cache and log == "evidence" and await self._is_moved(log, BARE, n):
            name = bare_name(log, n)
        return await self.cache.load(name, open_block)

    async def _is_moved(self, log: Log, field: str, n: int) -> bool:
        """Whether `n` was counted: what has once moved never comes back."""
        if n >= self._counted.get((log, field), 0):
            (said,) = await self._ask([("HGET", index.moved(self._keys[log]), field)])
            self._counted[log, field] = int(said or 0)
        return n < self._counted[log, field]

    # --- mailboxes -------------------------------------------------------------------------------

    async def box(self, agency: str, after: int, below: int, limit: int) -> list[int]:
        """See `Archive.box`."""
        found: list[int] = []
        key = index.boxes(self._evidence, agency)
        while len(found) < limit and after + 1 < below:
            (names,) = await self._ask(
                [("ZRANGEBYSCORE", key, f"({after}", "+inf", "LIMIT", 0, STRETCHES)]
            )
            for name in names:
                stretch = await self.cache.load(box_name(agency, name.decode()), open_box)
                found += [at for at in stretch if after < at < below]
                after = max(after, stretch[-1])
                if len(found) >= limit or after + 1 >= below:
                    break
            if len(names) < STRETCHES:
                break
        return found[:limit]

    # --- bulletins -------------------------------------------------------------------------------

    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, Fields]:
        """See `Archive.bulletins`."""
        return {id_: row.fields for id_, (_pack, row) in (await self.rows(ids)).items()}

    async def bodies(self, ids: Iterable[bytes], *, lost_too: bool = False) -> dict[bytes, Fields]:
        """See `Archive.bodies`."""
        rows = await self.rows(ids)
        places = _places(rows)
        found = await self._bodies.read(places, lost_too=True)
        if lost := [id_ for id_ in places if id_ not in found]:
            # Cleansed meanwhile: what lives is in another pack, and the rest is not asked for.
            again = _places(await self.rows(await self._with_body(lost)))
            found |= await self._bodies.read(again, lost_too=lost_too)
        return found | {id_: {} for id_ in rows if id_ not in places}

    async def _with_body(self, ids: Sequence[bytes]) -> list[bytes]:
        """Those of archived bulletins that were not destroyed since."""
        asked: list[Command] = [
            ("HEXISTS", self._evidence.bulletin(id_), packing.BODILESS) for id_ in ids
        ]
        return [id_ for id_, gone in zip(ids, await self._ask(asked), strict=True) if not gone]

    def take_lost(self) -> list[str]:
        """See `Cache.take_lost`."""
        return self.cache.take_lost()

    async def is_whole(self, name: str) -> bool:
        """Whether an object that was lost is there again, or nothing leads to it any more."""
        if is_pack(name):
            (led,) = await self._ask([("EXISTS", self._evidence.refs(name))])
            if not led:
                return True
        return await self.cache.is_whole(name)

    async def nonces(self, keys: Iterable[tuple[str, bytes]]) -> dict[tuple[str, bytes], bytes]:
        """See `Archive.nonces`."""
        wanted = list(dict.fromkeys(keys))
        packs = await self._find([self.slots.of_nonce(*key) for key in wanted])
        found = await self._pick(packs, lambda facts, at: facts.nonces.get(wanted[at]))
        return {wanted[at]: id_ for at, id_ in found.items()}

    async def rows(self, ids: Iterable[bytes]) -> dict[bytes, tuple[index.Pack, Finished]]:
        """Archived bulletins, each with the pack that it is in.

        Raises:
            OperatorError: `object_missing`, `object_damaged`.
        """
        wanted = list(dict.fromkeys(ids))
        packs = await self._find([self.slots.of_id(id_) for id_ in wanted])
        # Whose slot only is that of an archived one is not in its pack.
        found = await self._pick(packs, lambda facts, at: facts.bulletins.get(wanted[at]))
        return {wanted[at]: (packs[at], row) for at, row in found.items()}

    def box_object(self, agency: str, stretch: str) -> str:
        """Name of the object of a mailbox's stretch, in the store of objects."""
        return self.cache.full_name(box_name(agency, stretch))

    async def pack(self, number: int) -> tuple[index.Pack, Facts] | None:
        """A facts pack by its number; None: it is gone."""
        asked = ("HGET", index.packs(self._evidence, number), number)
        (said,) = await self._ask([asked])
        if said is None:
            return None
        pack = index.Pack(number, int.from_bytes(said[:4]), said[4:])
        name = facts_name(pack.due_day, pack.digest)
        return pack, await self.cache.load(name, open_facts)

    async def members(self, number: int) -> list[Finished]:
        """Bulletins of a pack to which the index still leads; others were archived anew since."""
        found = await self.pack(number)
        if found is None:
            return []
        ids = list(found[1].bulletins)
        at = await self._find([self.slots.of_id(id_) for id_ in ids])
        return [
            found[1].bulletins[id_]
            for n, id_ in enumerate(ids)
            if n in at and at[n].number == number
        ]

    async def body(self, pack: index.Pack, row: Finished) -> Fields:
        """The body of an archived bulletin; as `rows`."""
        if row.body is None:
            return {}
        place = (pack_name(pack.due_day, row.body.pack), row.body)
        return (await self._bodies.read({row.id: place}))[row.id]

    async def _find(self, slots: Collection[bytes]) -> dict[int, index.Pack]:
        if not slots:
            return {}
        keys = (self._evidence.head, index.moved(self._evidence))
        call = scripts.find(keys, self._evidence.prefix, b"".join(slots))
        (found,) = await self._ask([call])
        return index.places(found)

    async def _pick(
        self, packs: Mapping[int, index.Pack], pick: Callable[[Facts, int], T | None]
    ) -> dict[int, T]:
        """What `pick` finds for each place in its pack; a few packs in memory at one time."""
        places: dict[index.Pack, list[int]] = {}
        for at, pack in packs.items():
            places.setdefault(pack, []).append(at)
        found: dict[int, T] = {}

        async def look(pack: index.Pack, wanted: list[int]) -> None:
            async with self._looks:
                facts = await self.cache.load(facts_name(pack.due_day, pack.digest), open_facts)
            for at in wanted:
                value = pick(facts, at)
                if value is not None:
                    found[at] = value

        await asyncio.gather(*(look(pack, wanted) for pack, wanted in places.items()))
        return found


def _places(
    rows: Mapping[bytes, tuple[index.Pack, Finished]],
) -> dict[bytes, tuple[str, BodyRef]]:
    """Where the bodies of archived bulletins are, of those that have one."""
    return {
        id_: (pack_name(pack.due_day, row.body.pack), row.body)
        for id_, (pack, row) in rows.items()
        if row.body is not None
    }
