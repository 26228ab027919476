"""Takes what is destroyed out of the objects: long ciphertexts, and packs in which it stood.

1. Objects that a crash left without a name in any index go. Their names are never used again, so
   those of this process that nobody works on, and those of past epochs, are nobody's.
2. Packs in which something was destroyed are looked at. While one of their bulletins is still open,
   they wait: it is due on the same day. What a hold keeps is written into another pack.
3. What nothing leads to any more is removed.

A crash anywhere leaves the object's name in the server, and the next call goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from saphan_schemas.errors import OperatorError

from saphan_broker.objects.base import Objects
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import scripts
from saphan_broker.store.redis.archive.envelope import UNREADABLE
from saphan_broker.store.redis.archive.finished_row import object_of
from saphan_broker.store.redis.archive.move_bulletins import BulletinMover
from saphan_broker.store.redis.archive.moving import Moving
from saphan_broker.store.redis.archive.reader import ArchiveReader
from saphan_broker.store.redis.line import Command

_log = logging.getLogger("saphan.broker")

WIPED: Final = 1_024
"""Archived bulletins with something destroyed that are looked at together."""
NAMES: Final = 256
"""Objects in one answer."""


class Cleansing:
    """At whoever holds the lease; nothing is moved into packs meanwhile (`Mover`)."""

    def __init__(
        self, objects: Objects, moving: Moving, reader: ArchiveReader, mover: BulletinMover
    ) -> None:
        self._objects = objects
        self._moving = moving
        self._reader = reader
        self._mover = mover
        self._keys = moving.keys["evidence"]

    async def clean(self) -> bool:
        """Remove what can be; False: some of it waits for a bulletin that is still open.

        Raises:
            Unavailable: `lease_lost`, `blobs_unreachable`, ...; OperatorError: `blobs_unusable`,
                ...
        """
        await self._unnamed()
        await self._gone()
        clean = await self._wiped()
        return await self._dirty() and clean

    # --- 1: what a crash left --------------------------------------------------------------------

    async def _unnamed(self) -> None:
        await self._drop(self._moving.abandoned())
        command = ("ZRANGE", self._keys.notes, "-inf", f"({self._moving.epoch()}", "BYSCORE")
        while True:
            (past,) = await self._moving.ask([(*command, "LIMIT", 0, NAMES)])
            if not past:
                return
            await self._drop([name.decode() for name in past])

    async def _drop(self, names: Sequence[str]) -> None:
        words = [word for name in names for word in (name, self._moving.objects.full_name(name))]
        if words:
            await self._moving.ask([scripts.drop((self._keys.notes, self._keys.gone), *words)])

    # --- long ciphertexts, and what was forgotten ------------------------------------------------

    async def _gone(self) -> None:
        while True:
            names = await self._some(self._keys.gone, NAMES)
            if not names:
                return
            await self._moving.settled()
            for name in names:
                await self._objects.delete(name.decode())
            await self._moving.write([("SREM", self._keys.gone, *names)])

    # --- 2: packs --------------------------------------------------------------------------------

    async def _wiped(self) -> bool:
        """Packs of bulletins that are destroyed in the server's memory, and not archived anew.

        A commit may destroy the rest of a bulletin while its pack is looked at: then it stands
        among the wiped again. What has to wait goes back there with the next call.
        """
        wiped, looked = self._keys.wiped, self._keys.looked
        while ids := await self._some(looked, WIPED):
            await self._moving.write([("SADD", wiped, *ids), ("SREM", looked, *ids)])
        clean = True
        while ids := await self._some(wiped, WIPED):
            await self._moving.write([("SADD", looked, *ids), ("SREM", wiped, *ids)])
            done = await self._clean_of(ids)
            if done:
                await self._moving.write([("SREM", looked, *done)])
            clean = clean and len(done) == len(ids)
        return clean

    async def _clean_of(self, ids: Sequence[bytes]) -> list[bytes]:
        """Clean the packs that these stand in; gives those of which nothing is left there."""
        read = await self._mover.before(ids)
        rows = {id_: row for id_, row in read.items() if row is not None}
        names = {id_: object_of(*row) for id_, row in rows.items()}
        clean = {name: await self._clean(name) for name in dict.fromkeys(names.values()) if name}
        gone = await self._bodiless(list(rows))
        long = [rows[id_][1].fields.get(packing.OBJECT) for id_ in gone]
        if named := [name for name in long if name is not None]:
            await self._moving.write([("SADD", self._keys.gone, *named)])
            await self._gone()
        return [id_ for id_ in ids if id_ in read and clean.get(names.get(id_, ""), True)]

    async def _dirty(self) -> bool:
        (names,) = await self._moving.ask([("SMEMBERS", self._keys.dirty)])
        clean = True
        for name in names:
            clean = await self._clean(name.decode()) and clean
        return clean

    async def _clean(self, name: str) -> bool:
        """Bring what is alive into another pack, and remove this one; False: it has to wait."""
        await self._moving.write([("SADD", self._keys.dirty, name)])
        try:
            while alive := await self._alive(name):
                if not await self._mover.pack(alive, whole=True):
                    return False
        except OperatorError as error:
            if error.code not in UNREADABLE:
                raise
            _log.warning("the pack %s cannot be cleansed: %s", name, error)
            return False
        await self._moving.settled()
        # A crash here: nothing leads to it, and it is looked at again.
        await self._moving.objects.remove(name)
        refs = self._keys.refs(name)
        await self._moving.write([("DEL", refs), ("SREM", self._keys.dirty, name)])
        return True

    async def _alive(self, name: str) -> list[bytes]:
        """Bulletins whose body stands in the object and is still needed."""
        (numbers,) = await self._moving.ask([("SMEMBERS", self._keys.refs(name))])
        ids: list[bytes] = []
        for number in sorted(map(int, numbers)):
            found = await self._reader.pack(number)
            if found is not None:
                rows = await self._reader.members(number)
                ids += [row.id for row in rows if object_of(found[0], row) == name]
        gone = set(await self._bodiless(ids))
        return [id_ for id_ in ids if id_ not in gone]

    async def _bodiless(self, ids: Sequence[bytes]) -> list[bytes]:
        """Those of archived bulletins that are destroyed, as the server says."""
        asked: list[Command] = [
            ("HEXISTS", self._keys.bulletin(id_), packing.BODILESS) for id_ in ids
        ]
        gone = await self._moving.ask(asked) if asked else []
        return [id_ for id_, is_gone in zip(ids, gone, strict=True) if is_gone]

    async def _some(self, key: bytes, number: int) -> list[bytes]:
        (members,) = await self._moving.ask([("SRANDMEMBER", key, number)])
        return list(members)
