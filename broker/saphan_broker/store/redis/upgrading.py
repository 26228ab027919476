"""Format 2: what stands in the server learns its day.

Until now nothing was ever destroyed, held or forgotten. So each delivery is destroyable on its day;
it is found where it is: those of unfinished and of finished bulletins in the server, and those in
packs by their packs, which also learn what leads to their bodies, and until when they are kept.

A crash in the middle leaves format 1, and the next opening does it all again. While somebody holds
the lease nothing is begun: a process of the older version would go on without the new rows.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from saphan_schemas.errors import OperatorError, Unavailable

from saphan_broker.store.base import Log
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import index
from saphan_broker.store.redis.archive.entering import age_of
from saphan_broker.store.redis.archive.envelope import UNREADABLE
from saphan_broker.store.redis.archive.finished_row import object_of
from saphan_broker.store.redis.archive.reader import ArchiveReader, Ask
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Command
from saphan_broker.store.redis.scripts import UPGRADE
from saphan_broker.store.redis.words import Words, add

_log = logging.getLogger("saphan.broker")

OLD: Final = 1
NEW: Final = 2
PAGE: Final = 256
"""Bulletins or packs that one script brings up to it."""


async def upgrade(ask: Ask, keys: dict[Log, Keys], reader: ArchiveReader | None) -> None:
    """Bring a store of format 1 to format 2; one of format 2 is left as it is.

    Raises:
        OperatorError, Unavailable: of the server and of the objects.
    """
    form, holder = await ask(
        [("HGET", keys["evidence"].head, "format"), ("GET", keys["evidence"].lease)]
    )
    if int(form) != OLD:
        return
    if holder is not None:
        raise Unavailable(
            "store_busy",
            "a broker of an older version still runs on the store",
            hint="stop all its processes, then start the new version; two seconds are enough",
        )
    _log.warning("the store in the Redis server is brought from format %d to %d", OLD, NEW)
    upgrading = _Upgrading(ask, keys)
    await upgrading.waiting()
    await upgrading.finished()
    if reader is not None:
        await upgrading.packs(reader)
    # A crash before this line: all of it is done again; after it, never.
    await upgrading.write([], str(NEW))


class _Upgrading:
    def __init__(self, ask: Ask, keys: dict[Log, Keys]) -> None:
        self._ask = ask
        self._heads = (keys["evidence"].head, keys["directory"].head)
        self._keys = keys["evidence"]

    async def waiting(self) -> None:
        """Bulletins with a deadline."""
        at = 0
        while True:
            (members,) = await self._ask([("ZRANGE", self._keys.due, at, at + PAGE - 1)])
            if not members:
                return
            ids = dict.fromkeys(packing.read_due_member(member)[0] for member in members)
            await self._bulletins(list(ids))
            at += PAGE

    async def finished(self) -> None:
        """Bulletins without one that are not in packs yet."""
        at = 0
        while True:
            (ids,) = await self._ask([("ZRANGE", self._keys.done, at, at + PAGE - 1)])
            if not ids:
                return
            await self._bulletins(ids)
            at += PAGE

    async def _bulletins(self, ids: Sequence[bytes]) -> None:
        names = await self._ask([("HKEYS", self._keys.bulletin(id_)) for id_ in ids])
        places = [
            (id_, name)
            for id_, all_names in zip(ids, names, strict=True)
            if packing.FACTS in all_names  # else it is in a pack
            for name in all_names
            if name[:1] == b"d"
        ]
        values = await self._ask([("HGET", self._keys.bulletin(id_), name) for id_, name in places])
        commands: list[Command] = []
        for (id_, name), value in zip(places, values, strict=True):
            if value is not None:
                row = packing.read_delivery(id_, name[1:].decode(), value)
                member = packing.due_member(row)
                commands.append(("ZADD", self._keys.destroyable, row.due_day, member))
        await self.write(commands)

    async def packs(self, reader: ArchiveReader) -> None:
        """Packs of finished bulletins."""
        (count,) = await self._ask([("HGET", index.moved(self._keys), "packs")])
        for number in range(int(count or 0)):
            try:
                await self._pack(reader, number)
            except OperatorError as error:
                if error.code not in UNREADABLE:
                    raise
                _log.warning("nothing of a pack will be destroyed before it is back: %s", error)
                (said,) = await self._ask([("HGET", index.packs(self._keys, number), number)])
                day = int.from_bytes(said[:4])
                await self.write([("ZADD", self._keys.days, day, number)])

    async def _pack(self, reader: ArchiveReader, number: int) -> None:
        found = await reader.pack(number)
        if found is None:
            return
        pack, facts = found
        commands: list[Command] = [
            ("SADD", self._keys.refs(name), number)
            for name in {object_of(pack, row) for row in facts.bulletins.values()}
            if name
        ]
        ages, age = age_of(self._keys, list(facts.bulletins.values()))
        commands.append(("ZADD", ages, age, number))
        if ages == self._keys.ages:
            commands.append(("ZADD", self._keys.days, pack.due_day, number))
        await self.write(commands)

    async def write(self, commands: Sequence[Command], form: str = "") -> None:
        words: Words = []
        for command in commands:
            add(words, *command)
        await self._ask([UPGRADE.call(self._heads, OLD, form, *words)])
