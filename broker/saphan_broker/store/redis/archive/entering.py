"""One pack on its way into the index: what `lua/archive_finish.lua` is told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive import index, scripts
from saphan_broker.store.redis.archive.finished_row import Read, object_of
from saphan_broker.store.redis.archive.formats import NO_DAY, Finished
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.line import Argument, Command

NEVER: Final = 2**32
"""Of a pack with something that a hold keeps beyond its records, until that is forgotten."""


class Entering(NamedTuple):
    """A pack whose objects are durable.

    Args:
        meta: what the index says of it; objects: names of its facts and of its bodies, or nothing.
    """

    meta: bytes
    objects: tuple[str, str]
    rows: Sequence[Read]
    finished: Sequence[Finished]

    def command(
        self, keys: Keys, slots: index.Slots, epoch: int, number: str, some: Sequence[int]
    ) -> Command:
        """The call that enters some of its bulletins; `number` of the pack, if it has one."""
        named = (
            *(keys.head, index.moved(keys), keys.done, keys.days, keys.destroyable),
            *(keys.wiped, keys.dirty, keys.gone, keys.notes),
        )
        due = [self.rows[at].destroyable for at in some]
        due_day = min((row.due_day for rows in due for row in rows), default=NO_DAY)
        words: list[Argument] = []
        for at, rows in zip(some, due, strict=True):
            members = [packing.due_member(row) for row in rows]
            words += self._words(self.rows[at], self.finished[at], members, keys, slots)
        start = (epoch, keys.prefix, number, self.meta, due_day, *age_of(keys, self.finished))
        return scripts.finish(named, *start, *self.objects, *words)

    def _words(
        self, row: Read, pack: Finished, due: Sequence[bytes], keys: Keys, slots: index.Slots
    ) -> Sequence[Argument]:
        """One bulletin."""
        values = b"".join(row.fields.values())
        digest = hashlib.sha1(
            values, usedforsecurity=False
        ).hexdigest()  # the server knows no other
        number = row.before[0].number if row.before else ""
        admitted = packing.FACTS in pack.fields
        admitted_before = row.before is not None and packing.FACTS in row.before[1].fields
        return [
            row.id,
            keys.nonce(pack.sender, pack.nonce) if admitted else "",
            slots.of_id(row.id),
            slots.of_nonce(pack.sender, pack.nonce) if admitted else "",
            number,
            number if admitted_before else "",
            digest,
            row.body_before,
            object_of(index.Pack(0, row.label, b""), pack),
            row.object_gone,
            len(due),
            *due,
            len(row.fields),
            *row.fields,
        ]


def age_of(keys: Keys, rows: Sequence[Finished]) -> tuple[bytes, int]:
    """Until when something of a pack is kept: the last record day; of refusals, the last entry."""
    if any(row.fields.get(packing.HEADER) == b"" for row in rows):
        return keys.ages, NEVER
    facts = [(row.id, row.fields[packing.FACTS]) for row in rows if packing.FACTS in row.fields]
    if facts:
        return keys.ages, max(packing.read_facts(*one).record_day for one in facts)
    said = [int(at) for row in rows for name, at in row.fields.items() if name[:1] == b"s"]
    return keys.said, max(said, default=0)
