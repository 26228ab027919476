"""Mailboxes, bodies and batch signatures: what is long, so on a link of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from saphan_schemas.records import BatchSignature

from saphan_broker.objects.base import Objects
from saphan_broker.store.base import (
    BODY_EVENTS,
    STANZA_EVENTS,
    BulletinRow,
    EntryRow,
    FeedRow,
    Log,
    SignatureKey,
)
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archived import Archive, Fields
from saphan_broker.store.redis.body_objects import BodyObjects
from saphan_broker.store.redis.fact_reads import FactReads
from saphan_broker.store.redis.keys import WIDTH, Keys
from saphan_broker.store.redis.line import Command
from saphan_broker.store.redis.link import Link
from saphan_broker.store.redis.log_reads import LogReads

_BODY: Final = (
    *(packing.FACTS, packing.HEADER, packing.CIPHERTEXT, packing.OBJECT),
    packing.BODILESS,
)
ROWS: Final = 32
"""Rows of a feed whose bodies are asked for at a time: 3 MiB at the most."""


class MailboxReads:
    """Reads of mailboxes over one link."""

    def __init__(
        self,
        link: Link,
        keys: dict[Log, Keys],
        archive: Archive,
        objects: Objects | None,
    ) -> None:
        self._link = link
        self._keys = keys["evidence"]
        self._archive = archive
        self._objects = BodyObjects(objects)
        self._logs = LogReads(link, keys, archive)
        self._facts = FactReads(link, keys, archive)

    async def feed(
        self, agency: str, after: int | None, below: int, max_items: int, max_bytes: int
    ) -> list[FeedRow]:
        start = -1 if after is None else after
        entries = await self._logs.entries_at(await self._box(agency, start, below, max_items))
        rows: list[FeedRow] = []
        for first in range(0, len(entries), ROWS):
            for row in await self._rows(agency, entries[first : first + ROWS]):
                max_bytes -= row.weight
                if rows and max_bytes < 0:
                    return rows
                rows.append(row)
        return rows

    async def last_entry(self, agency: str) -> int | None:
        found = await self._link.one("XREVRANGE", self._keys.box(agency), "+", "-", "COUNT", 1)
        return _index(found[0]) if found else None

    async def entries(self, start: int, stop: int) -> list[EntryRow]:
        return await self._logs.entries(start, stop)

    async def leaves(self, log: Log, start: int, stop: int) -> list[bytes]:
        return await self._logs.leaves(log, start, stop)

    async def bodies(self, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]:
        found = await self._fields(list(ids), lost_too=False)
        return self._read(found, await self._objects.whole(_objects_of(found)))

    async def _bodies_for(self, agency: str, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]:
        """For a feed: not those that are destroyed for this agency; a ciphertext that is lost or
        away has no bytes."""
        own = packing.delivery_field(agency)
        found = {
            id_: fields
            for id_, fields in (await self._fields(list(ids), own, lost_too=True)).items()
            if own not in fields
            or packing.read_delivery(id_, agency, fields[own]).destroyed is None
        }
        return self._read(found, await self._objects.soon(_objects_of(found)))

    async def _fields(
        self, ids: Sequence[bytes], *more: bytes, lost_too: bool
    ) -> dict[bytes, Fields]:
        """Fields of bulletins with their bodies; what the server has lies over the archive's."""
        names = (*_BODY, *more)
        asked: list[Command] = [("HMGET", self._keys.bulletin(id_), *names) for id_ in ids]
        found: dict[bytes, Fields] = {}
        for id_, values in zip(ids, await self._link.ask(asked), strict=True):
            pairs = zip(names, values, strict=True)
            found[id_] = {name: value for name, value in pairs if value is not None}
        unknown = [id_ for id_, fields in found.items() if packing.FACTS not in fields]
        if unknown:
            kept = await self._archive.bulletins(unknown)
            whole = [id_ for id_, row in kept.items() if not _is_bodiless(row, found[id_])]
            bodies = await self._archive.bodies(whole, lost_too=lost_too)
            for id_, fields in kept.items():
                body = bodies.get(id_, {packing.CIPHERTEXT: b""})
                found[id_] = {**fields, **body, **found[id_]}
        return {id_: fields for id_, fields in found.items() if packing.FACTS in fields}

    @staticmethod
    def _read(
        found: Mapping[bytes, Fields], long: Mapping[bytes, bytes]
    ) -> dict[bytes, BulletinRow]:
        rows: dict[bytes, BulletinRow] = {}
        for id_, fields in found.items():
            header, body = fields.get(packing.HEADER), fields.get(packing.CIPHERTEXT)
            if header is None:
                raise packing.damaged(f"the header of bulletin {id_.hex()[:16]} is missing")
            body = b"" if packing.BODILESS in fields else long.get(id_, body)
            if body is None:
                raise packing.damaged(f"the ciphertext of bulletin {id_.hex()[:16]} is missing")
            rows[id_] = packing.read_bulletin(id_, fields[packing.FACTS], header, body)
        return rows

    async def signatures(
        self, keys: Mapping[SignatureKey, int]
    ) -> dict[SignatureKey, BatchSignature]:
        blocks: dict[int, list[SignatureKey]] = {}
        for key, index in keys.items():
            blocks.setdefault(index // WIDTH, []).append(key)
        asked: list[Command] = [
            ("HMGET", self._keys.signatures(n), *[packing.signature_field(key) for key in wanted])
            for n, wanted in blocks.items()
        ]
        forgotten = await self._logs.forgotten()
        found: dict[SignatureKey, BatchSignature] = {}
        for (n, wanted), values in zip(blocks.items(), await self._link.ask(asked), strict=True):
            kept = await self._archive.signatures(n) if None in values else None
            for key, value in zip(wanted, values, strict=True):
                field = packing.signature_field(key)
                data = value if value is not None else (kept or {}).get(field)
                if data is not None and keys[key] >= forgotten:
                    found[key] = BatchSignature(*key, data)
        return found

    # --- parts -----------------------------------------------------------------------------------

    async def _box(self, agency: str, after: int, below: int, limit: int) -> list[int]:
        """Indices of a mailbox. The stream is asked first: what leaves it meanwhile is archived."""
        if limit < 1 or below <= after + 1:
            return []
        first, last = b"%d-0" % (after + 2), b"%d-0" % below
        found = await self._link.one("XRANGE", self._keys.box(agency), first, last, "COUNT", limit)
        here = [_index(item) for item in found]
        start = max(after, await self._logs.forgotten() - 1)
        kept = await self._archive.box(agency, start, below, limit)
        return sorted({*here, *kept})[:limit] if kept else here

    async def _rows(self, agency: str, entries: list[EntryRow]) -> list[FeedRow]:
        own = [e for e in entries if e.bulletin is not None and e.recipient == agency]
        with_body = {e.bulletin for e in own if e.bulletin and e.event in BODY_EVENTS}
        released = {e.bulletin for e in own if e.bulletin and e.event in STANZA_EVENTS}
        bodies = await self._bodies_for(agency, with_body) if with_body else {}
        keys = [(id_, agency) for id_ in released]
        stanzas = await self._facts.stanzas(keys) if keys else {}
        rows = []
        for entry in entries:
            if entry.bulletin is None or entry.recipient != agency:
                rows.append(FeedRow(entry, None, None))
                continue
            body = bodies.get(entry.bulletin) if entry.event in BODY_EVENTS else None
            release = entry.event in STANZA_EVENTS
            stanza = stanzas.get((entry.bulletin, agency)) if release else None
            rows.append(FeedRow(entry, body, stanza))
        return rows


def _is_bodiless(*rows: Fields) -> bool:
    return any(packing.BODILESS in row for row in rows)


def _objects_of(found: Mapping[bytes, Fields]) -> dict[bytes, str]:
    """Names of the objects that hold ciphertexts."""
    return {
        id_: fields[packing.OBJECT].decode()
        for id_, fields in found.items()
        if packing.OBJECT in fields and not _is_bodiless(fields)
    }


def _index(item: list[object]) -> int:
    id_ = item[0]
    assert isinstance(id_, bytes)
    return int(id_.partition(b"-")[0]) - 1
