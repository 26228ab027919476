"""Moves finished bulletins into packs: facts in one object, bodies in another, then the index.

1. The oldest finished ones are looked at, those of one due day are chosen, up to a pack's size.
2. Their fields are read; one that was opened or admitted since it was chosen stays. One that was
   archived before and opened again since has only its newer fields in memory: they are laid over
   the archived ones. Its body stays where it is, unless it is newer, too. What was refused and
   never admitted has statements only, and no day.
3. Both objects are made durable. A crash here leaves objects that nothing names.
4. A script removes each bulletin that is still as it was read, and indexes it. A crash between two
   calls leaves the rest in memory, for another pack.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import LIMITS

from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import index
from saphan_broker.store.redis.archive.entering import Entering
from saphan_broker.store.redis.archive.envelope import UNREADABLE
from saphan_broker.store.redis.archive.finished_row import Archived, Read, is_body, label_of
from saphan_broker.store.redis.archive.formats import (
    NO_DAY,
    BodyRef,
    body_sections,
    facts_body,
    facts_name,
    pack_name,
)
from saphan_broker.store.redis.archive.moving import LEASE_LOST, Moving, fenced
from saphan_broker.store.redis.archive.reader import ArchiveReader
from saphan_broker.store.redis.scripts import outcome

_log = logging.getLogger("saphan.broker")

LOOKED_AT: Final = 1_024
"""Finished bulletins of which the largest group of one due day is packed."""
READ_AT_ONCE: Final = 32
"""Bulletins with bodies of up to 64 KiB in one answer of the server."""
SALT_BYTES: Final = 16
ENTERED_AT_ONCE: Final = 32
"""Bulletins that one script compares and removes: about a millisecond of the server's."""


class BulletinMover:
    """Packs finished bulletins, one pack at a call."""

    def __init__(self, moving: Moving, reader: ArchiveReader) -> None:
        self._moving = moving
        self._reader = reader
        self._keys = moving.keys["evidence"]

    async def move(self) -> int:
        """Pack what is finished, if there is enough; gives how many bulletins left the memory."""
        return await self.pack(await self._choose())

    async def pack(self, ids: Sequence[bytes], *, whole: bool = False) -> int:
        """Pack those of these bulletins that belong to one day; gives how many left the memory, or
        the pack that they were in.

        Args:
            whole: bodies that are archived already are written anew, too.
        """
        before = self._moving.noted
        try:
            return await self._pack(ids, whole=whole)
        except Unavailable as error:
            if error.code == LEASE_LOST:
                await self._moving.give_up(self._moving.noted_since(before))
            raise

    async def _pack(self, ids: Sequence[bytes], *, whole: bool) -> int:
        read = [row for row in await self._read(ids, whole=whole) if not row.is_open]
        if not read:
            return 0
        ((label, _most),) = Counter(row.label for row in read).most_common(1)
        rows = [row for row in read if row.label == label]
        places = await self._write_bodies(label, rows)
        finished = [row.finished(places.get(row.id)) for row in rows]
        body, digest = await asyncio.to_thread(facts_body, label, finished, _salt())
        await self._moving.put_noted(facts_name(label, digest), body)
        objects = (facts_name(label, digest), _pack_of(label, places))
        return await self._enter(Entering(index.meta(label, digest), objects, rows, finished))

    # --- 1: choose -------------------------------------------------------------------------------

    async def _choose(self) -> list[bytes]:
        policy, done = self._moving.policy, self._keys.done
        (total,) = await self._moving.ask([("ZCARD", done)])
        spare = total - policy.keep_bulletins
        if spare < policy.least_bulletins:
            return []
        final = await self._moving.final_size("evidence")
        limit = ("LIMIT", 0, min(spare, LOOKED_AT))
        (ids,) = await self._moving.ask([("ZRANGEBYSCORE", done, "-inf", final, *limit)])
        days: dict[int, list[bytes]] = {}
        for id_, label in (await self._labels(ids)).items():
            days.setdefault(label, []).append(id_)
        return max(days.values(), key=len, default=[])[: LIMITS.archive_pack_items]

    async def _labels(self, ids: Sequence[bytes]) -> dict[bytes, int]:
        """Days of the packs that they belong to; a hold's day is known once their fields are read,
        and what it changes goes into another pack."""
        commands = [("HGET", self._keys.bulletin(id_), packing.FACTS) for id_ in ids]
        facts = dict(zip(ids, await self._moving.ask(commands), strict=True)) if ids else {}
        again = [id_ for id_, data in facts.items() if data is None]
        known = await self.before(again)
        labels = {
            id_: label_of(id_, {packing.FACTS: data})
            for id_, data in facts.items()
            if data is not None
        }
        return labels | {
            id_: NO_DAY if row is None else label_of(id_, row[1].fields)
            for id_, row in known.items()
        }

    async def before(self, ids: Sequence[bytes]) -> dict[bytes, Archived | None]:
        """What the archive has of them; without those of which it cannot be read."""
        try:
            rows = await self._reader.rows(ids)
        except OperatorError as error:
            if len(ids) == 1:
                await self._leave(ids[0], error)
                return {}
            found: dict[bytes, Archived | None] = {}
            for id_ in ids:
                found |= await self.before([id_])
            return found
        return {id_: rows.get(id_) for id_ in ids}

    async def _leave(self, id_: bytes, error: OperatorError) -> None:
        """Look at it no more: others go on, and what is in memory is read from there."""
        if error.code not in UNREADABLE:
            raise error
        _log.warning("a bulletin cannot be archived again: %s", error)
        await self._moving.ask([("ZREM", self._keys.done, id_)])

    # --- 2: read ---------------------------------------------------------------------------------

    async def _read(self, ids: Sequence[bytes], *, whole: bool) -> list[Read]:
        """As many of them as one pack may hold."""
        rows: list[Read] = []
        size = 0
        (said,) = await self._moving.ask([("HGET", self._keys.head, "forgotten")])
        for at in range(0, len(ids), READ_AT_ONCE):
            some = ids[at : at + READ_AT_ONCE]
            flat = await self._moving.ask([("HGETALL", self._keys.bulletin(id_)) for id_ in some])
            fields = {
                id_: dict(zip(one[::2], one[1::2], strict=True))
                for id_, one in zip(some, flat, strict=True)
                if one or whole
            }
            for id_, before in (await self.before(list(fields))).items():
                row = await self._with_body(id_, fields[id_], before, whole=whole)
                if row is None or (before is None and not row.fields):
                    continue
                row = row._replace(forgotten=int(said or 0))
                if row.size > LIMITS.archive_pack_bytes:  # refused a hundred thousand times
                    await self._moving.ask([("ZREM", self._keys.done, id_)])
                    continue
                size += row.size
                if rows and size > LIMITS.archive_pack_bytes:
                    return rows
                rows.append(row)
        return rows

    async def _with_body(
        self, id_: bytes, fields: dict[bytes, bytes], before: Archived | None, *, whole: bool
    ) -> Read | None:
        """None: what it has in the archive cannot be read."""
        row = Read(id_, fields, before, None)
        body = {name: value for name, value in fields.items() if is_body(name)}
        if row.is_bodiless:
            return row
        if before is None or before[1].body is None:
            return row._replace(body=body) if packing.FACTS in fields else row
        if not body and not whole:
            return row
        try:
            merged = {**await self._reader.body(*before), **body}
        except OperatorError as error:
            await self._leave(id_, error)
            return None
        return row._replace(body={name: value for name, value in merged.items() if value})

    # --- 3: write --------------------------------------------------------------------------------

    async def _write_bodies(self, label: int, rows: Sequence[Read]) -> dict[bytes, BodyRef]:
        """Places of the bodies that are written, which are durable by now."""
        bodies = {row.id: row.body for row in rows if row.body is not None}
        joined, refs = await asyncio.to_thread(body_sections, bodies.values(), _salt())
        places: dict[bytes, BodyRef] = dict(zip(bodies, refs, strict=True))
        if places:
            await self._moving.put_noted(_pack_of(label, places), joined)
        return places

    # --- 4: enter --------------------------------------------------------------------------------

    async def _enter(self, pack: Entering) -> int:
        number, gone = "", 0
        for at in range(0, len(pack.rows), ENTERED_AT_ONCE):
            (reply,) = await self._moving.ask(
                [
                    pack.command(
                        self._keys,
                        self._reader.slots,
                        self._moving.epoch(),
                        number,
                        range(at, min(at + ENTERED_AT_ONCE, len(pack.rows))),
                    )
                ]
            )
            if reply[0] == b"fenced":
                raise fenced()
            if reply[0] == b"dropped":
                break
            outcome([reply[0], b"0"])
            number = reply[1].decode()
            gone += reply[2]
        if pack.objects[1] and gone == len(pack.rows):
            # A crash before this line: the object is written anew when it is cleansed.
            await self._moving.write([("SREM", self._keys.dirty, pack.objects[1])])
        return gone


def _salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def _pack_of(label: int, places: Mapping[bytes, BodyRef]) -> str:
    """Name of the object with these bodies; empty: there are none."""
    return next((pack_name(label, ref.pack) for ref in places.values()), "")
