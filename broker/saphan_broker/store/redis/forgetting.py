"""Old records go, without a commit: entries from the log's beginning, then what hung on them.

1. Entries: their rows in the server's blocks become bare leaves, they leave the mailboxes, and what
   was first said in them was never said. What lies in objects is passed over by their count, and is
   written anew without them, or removed, in step 3.
2. Bulletins that those entries spoke of, whose own records are due: all of it; of one that a hold
   still keeps, its header.
3. Packs and blocks of which nothing is left (`archive.forgetting`).

Each step is one script, so a crash leaves what the next call goes on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from saphan_broker.store.base import BulletinFacts, EntryRow, Log
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import index
from saphan_broker.store.redis.archive.finished_row import Archived, object_of
from saphan_broker.store.redis.archive.reader import ArchiveReader
from saphan_broker.store.redis.archived import Fields
from saphan_broker.store.redis.fact_reads import FactReads
from saphan_broker.store.redis.keys import WIDTH, Keys
from saphan_broker.store.redis.line import Argument, Command
from saphan_broker.store.redis.link import Link
from saphan_broker.store.redis.log_reads import LogReads
from saphan_broker.store.redis.words import Words, add, add_pairs, add_some
from saphan_broker.store.redis.writer import Writer

ENTRIES: Final = 512
"""Forgotten by one script."""
BULLETINS: Final = 64


class Forgetting:
    """One store's; its caller lets neither a commit nor the mover run beside it."""

    def __init__(
        self,
        writer: Writer,
        link: Link,
        keys: dict[Log, Keys],
        logs: LogReads,
        facts: FactReads,
        reader: ArchiveReader | None,
    ) -> None:
        self._writer = writer
        self._link = link
        self._keys = keys["evidence"]
        self._logs = logs
        self._facts = facts
        self._reader = reader

    # --- 1: entries ------------------------------------------------------------------------------

    async def entries(self, before_day: int, limit: int) -> int:
        """Forget the earliest entries; gives how many."""
        before = await self._logs.forgotten()
        rows, bare = await self._old_entries(before, before_day, min(limit, ENTRIES))
        if not rows:
            if bare > before:  # as a copy brings them; nobody looks there again
                await self._writer.age(before, [4, "HSET", self._keys.head, "forgotten", bare])
            return 0
        after = rows[-1].index + 1
        words: Words = []
        add(words, "HSET", self._keys.head, "forgotten", after)
        await self._bare(words, before, after)
        await self._boxes(words, rows, after)
        await self._said(words, rows, after)
        add(words, "INCR", self._keys.removed)
        await self._writer.age(before, words)
        return len(rows)

    async def _old_entries(
        self, start: int, before_day: int, limit: int
    ) -> tuple[list[EntryRow], int]:
        """The earliest ones; and up to where else, in whole blocks, there are none."""
        rows: list[EntryRow] = []
        size = await self._logs.size("evidence")
        while start < size and len(rows) < limit:
            stop = min(size, (start // WIDTH + 1) * WIDTH)
            found = await self._logs.entries(start, stop)
            old = [row for row in found if row.record_day < before_day]
            rows += old
            if len(old) < len(found):
                break
            start = stop
        return rows[:limit], start

    async def _bare(self, words: Words, before: int, after: int) -> None:
        """Rows of the server's blocks; those of archived ones are passed over."""
        start = max(before, WIDTH * await self._archived_blocks())
        leaves = await self._logs.leaves("evidence", start, after)
        for n in range(start // WIDTH, (after - 1) // WIDTH + 1):
            at = range(max(start, n * WIDTH), min(after, (n + 1) * WIDTH))
            rows = [(i % WIDTH, packing.pack_leaf(leaves[i - start], None)) for i in at]
            add_pairs(words, "HSET", self._keys.block(n), rows)
            if after >= (n + 1) * WIDTH:
                add(words, "UNLINK", self._keys.signatures(n))

    async def _archived_blocks(self) -> int:
        return int(await self._link.one("HGET", index.moved(self._keys), "blocks") or 0)

    async def _boxes(self, words: Words, rows: Sequence[EntryRow], after: int) -> None:
        agencies = sorted({agency for row in rows for agency in (row.sender, row.recipient)})
        asked: list[Command] = [
            ("ZRANGEBYSCORE", index.boxes(self._keys, agency), "-inf", f"({after}")
            for agency in agencies
        ]
        for agency, names in zip(agencies, await self._link.ask(asked), strict=True):
            add(words, "XTRIM", self._keys.box(agency), "MINID", b"%d-0" % (after + 1))
            if names and self._reader is not None:
                objects = [self._reader.box_object(agency, name.decode()) for name in names]
                add_some(words, "ZREM", index.boxes(self._keys, agency), names)
                add_some(words, "SADD", self._keys.gone, objects)

    async def _said(self, words: Words, rows: Sequence[EntryRow], after: int) -> None:
        """What was first said in these entries; and the bulletins that they are about are old."""
        ids = list({row.bulletin: None for row in rows if row.bulletin is not None})
        facts = await self._facts.bulletins(ids)
        kept = await self._link.one("ZMSCORE", self._keys.old, *ids) if ids else []
        aged: list[tuple[Argument, Argument]] = [
            (facts[id_].record_day, id_)
            for id_, score in zip(ids, kept, strict=True)
            if id_ in facts and score is None
        ]
        add_pairs(words, "ZADD", self._keys.aged, aged)
        for id_, said in (await self._statements(ids)).items():
            names = [name for name, at in said.items() if at < after]
            add_some(words, "HDEL", self._keys.bulletin(id_), names)
            add(words, "tidy", self._keys.bulletin(id_), id_)

    async def _statements(self, ids: Sequence[bytes]) -> dict[bytes, dict[bytes, int]]:
        """Fields of statements that are in the server, and the index of each."""
        found: dict[bytes, dict[bytes, int]] = {}
        asked: list[Command] = [("HKEYS", self._keys.bulletin(id_)) for id_ in ids]
        for id_, all_names in zip(ids, await self._link.ask(asked) if ids else [], strict=True):
            names = [name for name in all_names if name[:1] == b"s"]
            if names:
                values = await self._link.one("HMGET", self._keys.bulletin(id_), *names)
                pairs = zip(names, values, strict=True)
                found[id_] = {name: int(value) for name, value in pairs if value is not None}
        return found

    # --- 2: bulletins ----------------------------------------------------------------------------

    async def bulletins(self, before_day: int, limit: int) -> int:
        """Forget bulletins whose entries are forgotten; gives how many."""
        command = ("ZRANGEBYSCORE", self._keys.aged, "-inf", f"({before_day}", "LIMIT", 0)
        ids = await self._link.one(*command, min(limit, BULLETINS))
        if not ids:
            return 0
        facts = await self._facts.bulletins(ids)
        deliveries = await self._facts.deliveries_of(ids)
        archived = {} if self._reader is None else await self._reader.rows(ids)
        words: Words = []
        for id_ in ids:
            if id_ not in facts:
                add(words, "ZREM", self._keys.aged, id_)
            elif any(row.destroyed is None for row in deliveries.get(id_, [])):
                self._keep(words, facts[id_])
            else:
                await self._forget(words, facts[id_], archived.get(id_))
        add(words, "INCR", self._keys.removed)
        await self._writer.age("", words)
        return len(ids)

    def _keep(self, words: Words, facts: BulletinFacts) -> None:
        """A hold keeps it longer than its records: without its header."""
        add(words, "HSET", self._keys.bulletin(facts.id), packing.HEADER, b"")
        add(words, "ZREM", self._keys.aged, facts.id)
        add(words, "ZADD", self._keys.old, facts.record_day, facts.id)
        add(words, "ZADD", self._keys.done, "NX", 0, facts.id)

    async def _forget(
        self,
        words: Words,
        facts: BulletinFacts,
        archived: Archived | None,
    ) -> None:
        """All of it but what was said in entries that are kept."""
        key = self._keys.bulletin(facts.id)
        flat = await self._link.one("HGETALL", key)
        here = dict(zip(flat[::2], flat[1::2], strict=True))
        before = {} if archived is None else archived[1].fields
        forgotten = await self._logs.forgotten()
        said = {
            name: value
            for name, value in {**here, **before}.items()
            if name[:1] == b"s" and int(value) >= forgotten
        }
        add(words, "UNLINK", key)
        if said:
            add_pairs(words, "HSET", key, list(said.items()))
        else:
            add(words, "ZREM", self._keys.done, facts.id)
        add(words, "UNLINK", self._keys.nonce(facts.sender, facts.nonce))
        names = [name[1:] for name in {**here, **before} if name[:1] == b"k"]
        add_some(words, "HDEL", self._keys.holds, names)
        add(words, "ZREM", self._keys.aged, facts.id)
        self._leave_archive(words, facts, here, archived)

    def _leave_archive(
        self, words: Words, facts: BulletinFacts, here: Fields, archived: Archived | None
    ) -> None:
        objects = [here.get(packing.OBJECT)]
        if archived is not None and self._reader is not None:
            pack, row = archived
            slots = self._reader.slots
            for slot in (slots.of_id(facts.id), slots.of_nonce(facts.sender, facts.nonce)):
                add(words, "unindex", slot, pack.number)
            add(words, "age", pack.number, facts.record_day)
            add(words, "SREM", self._keys.wiped, facts.id)
            if name := object_of(pack, row):
                add(words, "SADD", self._keys.dirty, name)
            objects.append(row.fields.get(packing.OBJECT))
        add_some(words, "SADD", self._keys.gone, [name for name in objects if name is not None])
