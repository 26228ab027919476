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
import hashlib
import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS

from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import index, scripts
from saphan_broker.store.redis.archive.envelope import UNREADABLE
from saphan_broker.store.redis.archive.formats import (
    NO_DAY,
    BodyRef,
    Fields,
    Finished,
    body_sections,
    facts_body,
    facts_name,
    pack_name,
)
from saphan_broker.store.redis.archive.moving import Moving, fenced
from saphan_broker.store.redis.archive.reader import ArchiveReader
from saphan_broker.store.redis.line import Argument
from saphan_broker.store.redis.scripts import outcome

_log = logging.getLogger("saphan.broker")

LOOKED_AT: Final = 1_024
"""Finished bulletins of which the largest group of one due day is packed."""
READ_AT_ONCE: Final = 32
"""Bulletins with bodies of up to 64 KiB in one answer of the server."""
ENTERED_AT_ONCE: Final = 32
"""Bulletins that one script compares and removes: about a millisecond of the server's."""


Archived = tuple[index.Pack, Finished]


class _Read(NamedTuple):
    """A finished bulletin as the server has it, and what the archive has of it from before."""

    id: bytes
    fields: dict[bytes, bytes]
    before: Archived | None
    body: Fields | None
    """To be written; None: there is none, or it stays where it is."""

    @property
    def facts(self) -> dict[bytes, bytes]:
        """Fields without the body; an archived statement's index stays, it was the first."""
        facts = {name: value for name, value in self.fields.items() if not is_body(name)}
        if self.before is None:
            return facts
        archived = self.before[1].fields
        first = {name: value for name, value in archived.items() if name[:1] == b"s"}
        return {**archived, **facts, **first}

    @property
    def due_day(self) -> int:
        """As it is now: what was only refused may have been admitted since it was chosen."""
        facts = self.facts.get(packing.FACTS)
        return NO_DAY if facts is None else packing.read_facts(self.id, facts).due_day

    @property
    def is_open(self) -> bool:
        """Whether a deadline is waited for."""
        return int(self.fields.get(packing.WAITING, 0)) > 0

    @property
    def size(self) -> int:
        """Bytes that it adds to its pack."""
        items = [*self.facts.items(), *(self.body or {}).items()]
        return sum(len(name) + len(value) for name, value in items)


def is_body(field: bytes) -> bool:
    """Whether a field of a bulletin is read with its ciphertext only."""
    return field == packing.CIPHERTEXT or field[:1] == b"z"


class BulletinMover:
    """Packs finished bulletins, one pack at a call."""

    def __init__(self, moving: Moving, reader: ArchiveReader) -> None:
        self._moving = moving
        self._reader = reader
        self._keys = moving.keys["evidence"]

    async def move(self) -> int:
        """Pack what is finished, if there is enough; gives how many bulletins left the memory."""
        chosen = await self._choose()
        if not chosen:
            return 0
        due_day, ids = chosen
        rows = [row for row in await self._read(ids) if row.due_day == due_day and not row.is_open]
        if not rows:
            return 0
        finished = await self._write_bodies(due_day, rows)
        body, digest = await asyncio.to_thread(facts_body, due_day, finished)
        await self._moving.put(facts_name(due_day, digest), body)
        return await self._enter(index.meta(due_day, digest), rows, finished)

    # --- 1: choose -------------------------------------------------------------------------------

    async def _choose(self) -> tuple[int, list[bytes]] | None:
        policy, done = self._moving.policy, self._keys.done
        (total,) = await self._moving.ask([("ZCARD", done)])
        spare = total - policy.keep_bulletins
        if spare < policy.least_bulletins:
            return None
        final = await self._moving.final_size("evidence")
        limit = ("LIMIT", 0, min(spare, LOOKED_AT))
        (ids,) = await self._moving.ask([("ZRANGEBYSCORE", done, "-inf", final, *limit)])
        days: dict[int, list[bytes]] = {}
        for id_, due_day in (await self._due_days(ids)).items():
            days.setdefault(due_day, []).append(id_)
        if not days:
            return None
        due_day, most = max(days.items(), key=lambda day: len(day[1]))
        return due_day, most[: LIMITS.archive_pack_items]

    async def _due_days(self, ids: Sequence[bytes]) -> dict[bytes, int]:
        commands = [("HGET", self._keys.bulletin(id_), packing.FACTS) for id_ in ids]
        facts = dict(zip(ids, await self._moving.ask(commands), strict=True)) if ids else {}
        again = [id_ for id_, data in facts.items() if data is None]
        known = await self._before(again)
        facts |= {id_: row and row[1].fields.get(packing.FACTS) for id_, row in known.items()}
        return {
            id_: NO_DAY if data is None else packing.read_facts(id_, data).due_day
            for id_, data in facts.items()
            if data is not None or id_ in known
        }

    async def _before(self, ids: Sequence[bytes]) -> dict[bytes, Archived | None]:
        """What the archive has of them; without those of which it cannot be read."""
        try:
            rows = await self._reader.rows(ids)
        except OperatorError as error:
            if len(ids) == 1:
                await self._leave(ids[0], error)
                return {}
            found: dict[bytes, Archived | None] = {}
            for id_ in ids:
                found |= await self._before([id_])
            return found
        return {id_: rows.get(id_) for id_ in ids}

    async def _leave(self, id_: bytes, error: OperatorError) -> None:
        """Look at it no more: others go on, and what is in memory is read from there."""
        if error.code not in UNREADABLE:
            raise error
        _log.warning("a bulletin cannot be archived again: %s", error)
        await self._moving.ask([("ZREM", self._keys.done, id_)])

    # --- 2: read ---------------------------------------------------------------------------------

    async def _read(self, ids: Sequence[bytes]) -> list[_Read]:
        """As many of them as one pack may hold."""
        rows: list[_Read] = []
        size = 0
        for at in range(0, len(ids), READ_AT_ONCE):
            some = ids[at : at + READ_AT_ONCE]
            flat = await self._moving.ask([("HGETALL", self._keys.bulletin(id_)) for id_ in some])
            fields = {
                id_: dict(zip(one[::2], one[1::2], strict=True))
                for id_, one in zip(some, flat, strict=True)
                if one
            }
            for id_, before in (await self._before(list(fields))).items():
                row = await self._with_body(id_, fields[id_], before)
                if row is None:
                    continue
                if row.size > LIMITS.archive_pack_bytes:  # refused a hundred thousand times
                    await self._moving.ask([("ZREM", self._keys.done, id_)])
                    continue
                size += row.size
                if rows and size > LIMITS.archive_pack_bytes:
                    return rows
                rows.append(row)
        return rows

    async def _with_body(
        self, id_: bytes, fields: dict[bytes, bytes], before: Archived | None
    ) -> _Read | None:
        """None: what it has in the archive cannot be read."""
        body = {name: value for name, value in fields.items() if is_body(name)}
        if before is None or before[1].body is None:
            return _Read(id_, fields, before, body if packing.FACTS in fields else None)
        if not body:
            return _Read(id_, fields, before, None)
        try:
            return _Read(id_, fields, before, {**await self._reader.body(*before), **body})
        except OperatorError as error:
            await self._leave(id_, error)
            return None

    # --- 3: write --------------------------------------------------------------------------------

    async def _write_bodies(self, due_day: int, rows: Sequence[_Read]) -> list[Finished]:
        """Facts to be packed, with the places of their bodies, which are durable by now."""
        bodies = {row.id: row.body for row in rows if row.body is not None}
        joined, refs = await asyncio.to_thread(body_sections, bodies.values())
        places: dict[bytes, BodyRef] = dict(zip(bodies, refs, strict=True))
        if refs:
            await self._moving.put(pack_name(due_day, refs[0].pack), joined)
        return [_finished(row, places.get(row.id)) for row in rows]

    # --- 4: enter --------------------------------------------------------------------------------

    async def _enter(self, meta: bytes, rows: Sequence[_Read], finished: Sequence[Finished]) -> int:
        keys = (self._keys.head, index.moved(self._keys), self._keys.done)
        number, gone = "", 0
        for at in range(0, len(rows), ENTERED_AT_ONCE):
            words: list[Argument] = []
            for row, pack in zip(
                rows[at : at + ENTERED_AT_ONCE], finished[at : at + ENTERED_AT_ONCE], strict=True
            ):
                words += self._words(row, pack)
            start = (self._moving.epoch(), self._keys.prefix, number, meta)
            (reply,) = await self._moving.ask([scripts.finish(keys, *start, *words)])
            if reply[0] == b"fenced":
                raise fenced()
            outcome([reply[0], b"0"])
            number = reply[1].decode()
            gone += reply[2]
        return gone

    def _words(self, row: _Read, pack: Finished) -> list[Argument]:
        """One bulletin, as `lua/archive_finish.lua` takes it."""
        values = b"".join(row.fields.values())
        digest = hashlib.sha1(
            values, usedforsecurity=False
        ).hexdigest()  # the server knows no other
        slots = self._reader.slots
        number = row.before[0].number if row.before else ""
        admitted = packing.FACTS in pack.fields
        admitted_before = row.before is not None and packing.FACTS in row.before[1].fields
        return [
            row.id,
            self._keys.nonce(pack.sender, pack.nonce) if admitted else "",
            slots.of_id(row.id),
            slots.of_nonce(pack.sender, pack.nonce) if admitted else "",
            number,
            number if admitted_before else "",
            digest,
            len(row.fields),
            *row.fields,
        ]


def _finished(row: _Read, body: BodyRef | None) -> Finished:
    """A bulletin's place in the facts pack."""
    if body is None and row.before is not None:
        body = row.before[1].body
    facts = row.facts
    if packing.FACTS not in facts:
        return Finished(row.id, "", b"", facts, None)
    of = packing.read_facts(row.id, facts[packing.FACTS])
    return Finished(row.id, of.sender, of.nonce, facts, body)
