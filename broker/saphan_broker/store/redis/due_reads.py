"""What is due, what is held, and up to which day keys are still needed.

Asked by whoever sequences. What is due and lies in packs is first brought among what is destroyable
(`archive.waking`), a pack at a time: so a question costs what it answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from saphan_broker.store.base import DayCount, DeliveryKey, DeliveryRow, Log, StanzaRow
from saphan_broker.store.redis import packing
from saphan_broker.store.redis.archive.waking import Waking
from saphan_broker.store.redis.before import place
from saphan_broker.store.redis.fact_reads import FactReads
from saphan_broker.store.redis.keys import Keys
from saphan_broker.store.redis.link import Link
from saphan_broker.store.redis.log_reads import LogReads

PAGE: Final = 512
"""Deliveries looked at together."""

Wake = Callable[[int], Awaitable[None]]
"""Brings the destroyable ones of a pack into the server's index, beside no commit."""


class DueReads:
    """Reads over one link.

    Args:
        waking: None: nothing was ever archived.
        wake: a write, at whoever holds the lease.
    """

    def __init__(
        self,
        link: Link,
        keys: dict[Log, Keys],
        facts: FactReads,
        logs: LogReads,
        waking: Waking | None,
        wake: Wake,
    ) -> None:
        self._link = link
        self._keys = keys["evidence"]
        self._facts = facts
        self._logs = logs
        self._waking = waking
        self._wake = wake

    async def destroyable(self, day: int, limit: int) -> list[DeliveryRow]:
        """See `Facts.destroyable`. What still has a deadline is passed over, a page at a time."""
        rows: list[DeliveryRow] = []
        start = 0
        while len(rows) < limit:
            found = await self._members(self._keys.destroyable, day, start, limit)
            until = found[-1][1] - 1 if len(found) == limit else day
            if await self._woken(until if until >= 0 else day):
                rows, start = [], 0  # what it brought may come before these, on any page
                continue
            some = await self._facts.deliveries(key for key, _day in found)
            fresh = (some[key] for key, _day in found if key in some)
            rows += [row for row in fresh if place(row) == "free" and row.deadline is None]
            start += len(found)
            if len(found) < limit:
                break
        return rows[:limit]

    async def _woken(self, day: int) -> bool:
        found = None if self._waking is None else await self._waking.first(day)
        if found is not None:
            await self._wake(found[0])
        return found is not None

    async def stanzas_due(self, below_day: int, limit: int) -> list[StanzaRow]:
        """See `Facts.stanzas_due`."""
        found = await self._members(self._keys.held, below_day - 1, 0, limit)
        keys = [key for key, _day in found]
        stanzas = await self._facts.stanzas(keys) if keys else {}
        return [stanzas[key] for key in keys if key in stanzas]

    async def first_undestroyed(self) -> int | None:
        """See `Facts.first_undestroyed`."""
        indices = (self._keys.destroyable, self._keys.held)
        found = await self._link.ask([("ZRANGE", index, 0, 0, "WITHSCORES") for index in indices])
        days = [int(first[1]) for first in found if first]
        if (packed := await self._first_packed()) is not None:
            days.append(packed)
        if (entry := await self._logs.first_entry()) is not None:
            days.append(entry.record_day)
        return min(days, default=None)

    async def _first_packed(self) -> int | None:
        """The earliest day of what is only in packs; one that has nothing left is asked no more."""
        while self._waking is not None and (first := await self._waking.earliest()):
            number, day = first
            if await self._waking.first(day) != first:
                return day  # it cannot be read: its keys are kept
            if await self._waking.has_free(number):
                return day
            await self._wake(number)
        return None

    async def _members(
        self, index: bytes, day: int, start: int, limit: int
    ) -> list[tuple[DeliveryKey, int]]:
        """Deliveries of an index up to a day, in its order, each with its day."""
        command = ("ZRANGE", index, "-inf", day, "BYSCORE", "LIMIT", start, limit, "WITHSCORES")
        flat = await self._link.one(*command)
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return [(packing.read_due_member(member), int(score)) for member, score in pairs]

    # --- for a person who asks --------------------------------------------------------------------

    async def due_counts(self, upto_day: int) -> list[DayCount]:
        """See `Facts.due_counts`: reads everything that is due by then."""
        counts: dict[int, list[int]] = {}
        counted: set[bytes] = set()
        async for keys in self._every(upto_day):
            rows = await self._facts.deliveries(keys)
            kept = [row for row in rows.values() if row.due_day <= upto_day]
            free = [row for row in kept if place(row) == "free"]
            facts = await self._facts.bulletins({row.bulletin for row in free})
            for row in kept:
                if place(row) != "gone":
                    count = counts.setdefault(row.due_day, [0, 0, 0])
                    count[0 if place(row) == "free" else 2] += 1
            for row in free:
                if row.bulletin in facts and row.bulletin not in counted:
                    counted.add(row.bulletin)
                    of = facts[row.bulletin]
                    size = of.ciphertext_length + sum(blob.length for blob in of.attachments)
                    counts[row.due_day][1] += size
        return [DayCount(day, *counts[day]) for day in sorted(counts)]

    async def _every(self, upto_day: int) -> AsyncIterator[list[DeliveryKey]]:
        """Deliveries that are due up to a day, and all that are held, a page at a time."""
        for index, day in ((self._keys.destroyable, upto_day), (self._keys.held, None)):
            start = 0
            while True:
                until = "+inf" if day is None else day
                command = ("ZRANGE", index, "-inf", until, "BYSCORE", "LIMIT", start, PAGE)
                members = await self._link.one(*command)
                if not members:
                    break
                yield [packing.read_due_member(member) for member in members]
                start += PAGE
        if self._waking is not None:
            async for keys in self._waking.every(upto_day):
                yield keys
