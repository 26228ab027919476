"""Look-ups by key, many in one piece; what is not in the server is asked of the archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from saphan_broker.store.base import (
    BulletinFacts,
    Corridor,
    DeliveryKey,
    DeliveryRow,
    HoldKey,
    HoldRow,
    Log,
    StanzaRow,
    StatementKey,
)
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archived import Archive, Fields
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Command
from saphan_broker.store.redis.link import Link

OPEN: Final = 2_048
"""Deliveries that are counted at once."""


class FactReads:
    """Reads of facts over one link."""

    def __init__(self, link: Link, keys: dict[Log, Keys], archive: Archive) -> None:
        self._link = link
        self._keys = keys["evidence"]
        self._archive = archive

    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, BulletinFacts]:
        ids = list(ids)
        asked: list[Command] = [("HGET", self._keys.bulletin(id_), packing.FACTS) for id_ in ids]
        found = dict(zip(ids, await self._link.ask(asked), strict=True))
        kept = await self._archived(id_ for id_, data in found.items() if data is None)
        facts: dict[bytes, BulletinFacts] = {}
        for id_, data in found.items():
            packed = data if data is not None else kept.get(id_, {}).get(packing.FACTS)
            if packed is not None:
                facts[id_] = packing.read_facts(id_, packed)
        return facts

    async def by_nonce(
        self, keys: Iterable[tuple[str, bytes]]
    ) -> dict[tuple[str, bytes], BulletinFacts]:
        keys = list(keys)
        if not keys:
            return {}
        found = await self._link.one("MGET", *[self._keys.nonce(*key) for key in keys])
        ids = {key: id_ for key, id_ in zip(keys, found, strict=True) if id_ is not None}
        if unknown := [key for key in keys if key not in ids]:
            ids |= await self._archive.nonces(unknown)
        if not ids:
            return {}
        facts = await self.bulletins(ids.values())
        return {key: facts[id_] for key, id_ in ids.items() if id_ in facts}

    async def deliveries(self, keys: Iterable[DeliveryKey]) -> dict[DeliveryKey, DeliveryRow]:
        found = await self._fields([(id_, packing.delivery_field(to)) for id_, to in keys])
        rows: dict[DeliveryKey, DeliveryRow] = {}
        for (id_, field), (here, kept) in found.items():
            data = here if here is not None else kept
            if data is not None:
                recipient = field[1:].decode()
                rows[id_, recipient] = packing.read_delivery(id_, recipient, data)
        return rows

    async def statements(self, keys: Iterable[StatementKey]) -> dict[StatementKey, int]:
        keys = list(keys)
        wanted = [(id_, packing.statement_field(said, to)) for id_, said, to in keys]
        found = await self._fields(wanted)
        # What was archived is not touched when its entry is forgotten.
        forgotten = await self._forgotten() if any(kept for _here, kept in found.values()) else 0
        indices: dict[StatementKey, int] = {}
        for key, place in zip(keys, wanted, strict=True):
            # Said again after the bulletin was archived: the first answer is the archive's.
            said = [int(data) for data in found[place] if data is not None]
            if kept := [index for index in said if index >= forgotten]:
                indices[key] = min(kept)
        return indices

    async def _forgotten(self) -> int:
        """Entries that are forgotten, from the log's beginning."""
        return int(await self._link.one("HGET", self._keys.head, "forgotten") or 0)

    async def corridors(self, keys: Iterable[Corridor]) -> dict[Corridor, tuple[int, int]]:
        keys = list(keys)
        if not keys:
            return {}
        fields = [packing.corridor_field(pair) for pair in keys]
        found = await self._link.one("HMGET", self._keys.corridors, *fields)
        ends = zip(keys, found, strict=True)
        return {pair: packing.read_end(data) for pair, data in ends if data is not None}

    async def due(self, now: int, limit: int) -> list[DeliveryRow]:
        command = ("ZRANGE", self._keys.due, "-inf", now, "BYSCORE", "LIMIT", 0, limit)
        found = await self._link.one(*command)
        keys = [packing.read_due_member(member) for member in found]
        rows = await self.deliveries(keys)
        # Between the two questions a row may have changed: then time has nothing to do with it.
        fresh = (rows[key] for key in keys if key in rows)
        return [row for row in fresh if row.deadline is not None and row.deadline <= now]

    async def open_deliveries(self) -> dict[str, int]:
        """Each one's row is read: its sender stands nowhere else. One that waits is in the server,
        for only finished bulletins are archived."""
        found: Counter[str] = Counter()
        start = 0
        while True:
            members = await self._link.one("ZRANGE", self._keys.due, start, start + OPEN - 1)
            keys = [packing.read_due_member(member) for member in members]
            rows = await self._link.ask(
                [("HGET", self._keys.bulletin(id_), packing.delivery_field(to)) for id_, to in keys]
            )
            found.update(packing.read_sender(data) for data in rows if data is not None)
            start += OPEN
            if len(members) < OPEN:
                return dict(found)

    async def stanzas(self, keys: Sequence[DeliveryKey]) -> dict[DeliveryKey, StanzaRow]:
        fields = [packing.stanza_field(recipient) for _id, recipient in keys]
        asked: list[Command] = [
            ("HMGET", self._keys.bulletin(id_), field, packing.BODILESS)
            for (id_, _recipient), field in zip(keys, fields, strict=True)
        ]
        replies = await self._link.ask(asked)
        found = [packing.GONE if here is None and gone else here for here, gone in replies]
        unknown = {key[0] for key, data in zip(keys, found, strict=True) if data is None}
        kept = await self._archive.bodies(unknown) if unknown else {}
        rows: dict[DeliveryKey, StanzaRow] = {}
        for key, field, here in zip(keys, fields, found, strict=True):
            data = here if here is not None else kept.get(key[0], {}).get(field)
            if data:  # none, or destroyed
                rows[key] = packing.read_stanza(*key, data)
        return rows

    async def wrapped(self, keys: Iterable[DeliveryKey]) -> dict[DeliveryKey, int]:
        """Days under which a hold had stanzas wrapped anew."""
        keys = list(keys)
        wanted = [(id_, packing.wrapped_field(to)) for id_, to in keys]
        found = await self._fields(wanted)
        values = {key: found[place] for key, place in zip(keys, wanted, strict=True)}
        both = {key: here if here is not None else kept for key, (here, kept) in values.items()}
        return {key: int(data) for key, data in both.items() if data is not None}

    async def deliveries_of(self, ids: Iterable[bytes]) -> dict[bytes, list[DeliveryRow]]:
        names = await self._names(ids)
        keys = [
            (id_, name[1:].decode())
            for id_, all_names in names.items()
            for name in sorted(all_names)
            if name[:1] == b"d"
        ]
        found = await self.deliveries(keys)
        rows: dict[bytes, list[DeliveryRow]] = {}
        for key in keys:
            if key in found:  # or it was forgotten in between
                rows.setdefault(key[0], []).append(found[key])
        return rows

    async def holds_of(self, ids: Iterable[bytes]) -> dict[bytes, list[HoldRow]]:
        places = {
            packing.read_hold_field(name[1:]): id_
            for id_, all_names in (await self._names(ids)).items()
            for name in sorted(all_names)
            if name[:1] == b"k"
        }
        rows: dict[bytes, list[HoldRow]] = {}
        for key, row in (await self.holds(places)).items():
            rows.setdefault(places[key], []).append(row)
        return rows

    async def _names(self, ids: Iterable[bytes]) -> dict[bytes, set[bytes]]:
        """Which fields there are of bulletins, in the server or archived without their bodies."""
        ids = list(dict.fromkeys(ids))
        asked: list[Command] = [("HKEYS", self._keys.bulletin(id_)) for id_ in ids]
        here = dict(zip(ids, await self._link.ask(asked), strict=True)) if ids else {}
        kept = await self._archived(id_ for id_ in ids if packing.FACTS not in here[id_])
        return {id_: {*here[id_], *kept.get(id_, {})} for id_ in ids}

    async def holds(self, keys: Iterable[HoldKey]) -> dict[HoldKey, HoldRow]:
        keys = list(keys)
        if not keys:
            return {}
        fields = [packing.hold_field(key) for key in keys]
        found = await self._link.one("HMGET", self._keys.holds, *fields)
        rows = zip(keys, found, strict=True)
        return {key: packing.read_hold(key, data) for key, data in rows if data is not None}

    async def _fields(
        self, wanted: Sequence[tuple[bytes, bytes]]
    ) -> dict[tuple[bytes, bytes], tuple[bytes | None, bytes | None]]:
        """Fields of bulletins: each as the server has it, and as the archive does."""
        places: dict[bytes, dict[bytes, None]] = {}
        for id_, field in wanted:
            places.setdefault(id_, {})[field] = None
        asked: list[Command] = [
            ("HMGET", self._keys.bulletin(id_), packing.FACTS, *fields)
            for id_, fields in places.items()
        ]
        replies = dict(zip(places, await self._link.ask(asked), strict=True))
        # Without facts it is not here, or only what was said since it was archived.
        kept = await self._archived(id_ for id_, values in replies.items() if values[0] is None)
        found = {}
        for id_, fields in places.items():
            for field, value in zip(fields, replies[id_][1:], strict=True):
                found[id_, field] = (value, kept.get(id_, {}).get(field))
        return found

    async def _archived(self, ids: Iterable[bytes]) -> dict[bytes, Fields]:
        unknown = list(ids)
        return await self._archive.bulletins(unknown) if unknown else {}
