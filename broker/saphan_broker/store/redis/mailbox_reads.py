"""Mailboxes, bodies and batch signatures: what is long, so on a link of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from saphan_broker.store.redis.archived import Archive
from saphan_broker.store.redis.body_objects import BodyObjects
from saphan_broker.store.redis.fact_reads import FactReads
from saphan_broker.store.redis.keys import WIDTH, Keys
from saphan_broker.store.redis.line import Command
from saphan_broker.store.redis.link import Link
from saphan_broker.store.redis.log_reads import LogReads

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
        return await self._bodies(ids, lost_too=False)

    async def _bodies(self, ids: Iterable[bytes], *, lost_too: bool) -> dict[bytes, BulletinRow]:
        """`lost_too`: a ciphertext that is lost or away has no bytes; else it is an error."""
        ids = list(ids)
        names = (packing.FACTS, packing.HEADER, packing.CIPHERTEXT, packing.OBJECT)
        asked: list[Command] = [("HMGET", self._keys.bulletin(id_), *names) for id_ in ids]
        found = dict(zip(ids, await self._link.ask(asked), strict=True))
        unknown = [id_ for id_, values in found.items() if values[0] is None]
        if unknown:
            kept = await self._archive.bulletins(unknown)
            bodies = await self._archive.bodies(kept, lost_too=lost_too)
            for id_, fields in kept.items():
                lost = {packing.CIPHERTEXT: b""}
                whole = {**fields, **bodies.get(id_, lost)}
                found[id_] = [whole.get(name) for name in names]
        read = self._objects.soon if lost_too else self._objects.whole
        long = await read({id_: values[3].decode() for id_, values in found.items() if values[3]})
        rows: dict[bytes, BulletinRow] = {}
        for id_, (facts, header, ciphertext, _name) in found.items():
            if facts is None:
                continue
            if header is None:
                raise packing.damaged(f"the header of bulletin {id_.hex()[:16]} is missing")
            body = long.get(id_, ciphertext)
            if body is None:
                raise packing.damaged(f"the ciphertext of bulletin {id_.hex()[:16]} is missing")
            rows[id_] = packing.read_bulletin(id_, facts, header, body)
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
        found: dict[SignatureKey, BatchSignature] = {}
        for (n, wanted), values in zip(blocks.items(), await self._link.ask(asked), strict=True):
            kept = await self._archive.signatures(n) if None in values else None
            for key, value in zip(wanted, values, strict=True):
                field = packing.signature_field(key)
                data = value if value is not None else (kept or {}).get(field)
                if data is not None:
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
        kept = await self._archive.box(agency, after, below, limit)
        return sorted({*here, *kept})[:limit] if kept else here

    async def _rows(self, agency: str, entries: list[EntryRow]) -> list[FeedRow]:
        own = [e for e in entries if e.bulletin is not None and e.recipient == agency]
        with_body = {e.bulletin for e in own if e.bulletin and e.event in BODY_EVENTS}
        released = {e.bulletin for e in own if e.bulletin and e.event in STANZA_EVENTS}
        bodies = await self._bodies(with_body, lost_too=True) if with_body else {}
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


def _index(item: list[object]) -> int:
    id_ = item[0]
    assert isinstance(id_, bytes)
    return int(id_.partition(b"-")[0]) - 1
