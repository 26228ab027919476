"""Stores from whose server's memory everything that can leave leaves after each commit."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from msgspec.structs import replace
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.base import LOGS, Commit, DeliveryRow, Log, Sign
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.store import RedisStore

from support.servers import Server
from support.store_commits import Story

Hook = Callable[[str], Awaitable[None]]


class EagerStore(RedisStore):
    """A `RedisStore` whose mover never rests."""

    of_its_own: DirectoryObjects

    @classmethod
    async def make(cls, address: RedisAddress, place: Path) -> Self:
        """An empty store with its objects in a directory."""
        objects = DirectoryObjects(place)
        store = await cls.create(address, objects=objects, policy=EAGER)
        store.of_its_own = objects
        return store

    async def commit(self, commit: Commit, sign: Sign | None = None) -> None:
        await super().commit(commit, sign)
        await archive_all(self)

    async def close(self) -> None:
        await super().close()
        await self.of_its_own.close()


async def archive_all(store: RedisStore) -> int:
    """Call the mover until it has nothing to do; gives how many things were moved."""
    gone = 0
    while some := await store.archive_some():
        gone += some
    return gone


class Hooked(DirectoryObjects):
    """Objects in a directory; a test may do something before or after one is put."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.before: Hook | None = None
        self.after: Hook | None = None

    async def put(self, name: str, data: bytes) -> None:
        if self.before is not None:
            await self.before(name)
        await super().put(name, data)
        if self.after is not None:
            await self.after(name)


class Twin:
    """A store in a server beside one in memory that is given the same: they must answer alike."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.memory = MemoryStore()
        self.story = Story()
        self.commits: list[Commit] = []

    async def commit(self, commit: Commit) -> Commit:
        """Give both of them a commit."""
        await self.memory.commit(commit)
        await self.store.commit(commit)
        self.commits.append(commit)
        return commit

    async def bulletins(self, number: int, **where: str) -> list[DeliveryRow]:
        """Admit bulletins; gives their deliveries."""
        name = len(self.commits)
        return (await self.commit(self.story.bulletins(number, name=name, **where))).deliveries

    async def finish(self, rows: Sequence[DeliveryRow]) -> list[DeliveryRow]:
        """Log an acceptance of each; gives the deliveries as they are then."""
        return [(await self.event(row, "accepted", "accepted")) for row in rows]

    async def event(
        self, row: DeliveryRow, event: str, state: str, deadline: int | None = None
    ) -> DeliveryRow:
        commit = await self.commit(self.story.event(row, event, state, deadline))
        return commit.deliveries[0]

    async def check(self, *, leads: bool = True) -> None:
        """Ask both everything that can be asked.

        Args:
            leads: also what only the process that sequences may ask.
        """
        for log in LOGS:
            await self._check_log(log)
        await self._check_facts()
        if leads:
            await self._check_days()
        await self._check_mailboxes()

    async def _check_log(self, log: Log) -> None:
        memory, store = self.memory, self.store
        state = await memory.state(log)
        assert await store.state(log) == state
        assert await store.edge_tiles(log) == await memory.edge_tiles(log)
        assert await store.leaves(log, 0, state.head.size) == await memory.leaves(log, 0, 2**40)
        for level in range(3):
            for n in range((state.head.size >> (8 * level + 8)) + 2):
                assert await store.tile(log, level, n) == await memory.tile(log, level, n)

    async def _check_facts(self) -> None:
        memory, store = self.memory, self.store
        rows = [row for commit in self.commits for row in commit.bulletins]
        ids = [row.id for row in rows] + [b"unknown".ljust(32, b"\0")]
        assert await store.bulletins(ids) == await memory.bulletins(ids)
        nonces = [(row.sender, row.nonce) for row in rows] + [("th.oncb", rows[0].nonce)]
        assert await store.by_nonce(nonces) == await memory.by_nonce(nonces)
        agencies = self._agencies()
        pairs = [(id_, agency) for id_ in ids for agency in agencies]
        assert await store.deliveries(pairs) == await memory.deliveries(pairs)
        assert await store.stanzas(pairs) == await memory.stanzas(pairs)
        said = [key for commit in self.commits for key in commit.statements]
        assert await store.statements(said) == await memory.statements(said)
        assert await store.bodies(ids) == await memory.bodies(ids)
        assert await store.due(2**53, 10**6) == await memory.due(2**53, 10**6)
        assert await store.counts() == await memory.counts()
        assert await store.open_deliveries() == await memory.open_deliveries()

    async def _check_days(self) -> None:
        memory, store = self.memory, self.store
        ids = [row.id for commit in self.commits for row in commit.bulletins]
        assert await store.deliveries_of(ids) == await memory.deliveries_of(ids)
        assert await store.holds_of(ids) == await memory.holds_of(ids)
        for day in (29_999, 30_000, 2**31):
            gone = [await one.destroyable(day, 10**6) for one in (store, memory)]
            assert [_when(row) for row in gone[0]] == [_when(row) for row in gone[1]]
            assert sorted(map(repr, gone[0])) == sorted(map(repr, gone[1]))
            assert await store.due_counts(day) == await memory.due_counts(day)
            due = [await one.stanzas_due(day, 10**6) for one in (store, memory)]
            assert sorted(map(repr, due[0])) == sorted(map(repr, due[1]))
        assert await store.first_undestroyed() == await memory.first_undestroyed()

    async def _check_mailboxes(self) -> None:
        memory, store = self.memory, self.store
        size = (await memory.state("evidence")).head.size
        assert await store.entries(0, size) == await memory.entries(0, size)
        for agency in self._agencies():
            assert await store.last_entry(agency) == await memory.last_entry(agency)
            for after, below, items in ((None, size, 10**6), (size // 3, size - 1, 7)):
                asked = (agency, after, below, items, 10**9)
                assert await store.feed(*asked) == await memory.feed(*asked)
        keys = {
            (batch.key, batch.size, batch.root): commit.entries[0].index
            for commit in self.commits
            for batch in commit.signatures
        }
        assert await store.signatures(keys) == await memory.signatures(keys)

    def _agencies(self) -> list[str]:
        pairs = (pair for commit in self.commits for pair in commit.corridors)
        return sorted({agency for pair in pairs for agency in pair})


def _when(row: DeliveryRow) -> tuple[int, int]:
    return row.due_day, row.submitted


async def held(server: Server, name: str) -> Counter[str]:
    """How many keys of each kind the server holds of a store: `b`, `x`, `blocks`, ..."""

    def look() -> Counter[str]:
        with server.client() as client:
            keys = list(client.scan_iter(match=f"saphan:{{{name}/*", count=10_000))
        return Counter(key.split(b"}:")[1].split(b":")[0].decode() for key in keys)

    return await asyncio.to_thread(look)


class HookedTwin(Twin):
    """One whose objects a test may hook."""

    def __init__(self, store: RedisStore, objects: Hooked) -> None:
        super().__init__(store)
        self.objects = objects


@asynccontextmanager
async def hooked_twin(server: Server, place: Path, **how: object) -> AsyncIterator[HookedTwin]:
    """An empty one named after a directory, archived when the test says so.

    Args:
        how: of the address, as `RedisAddress` names it.
    """
    objects = Hooked(place / "objects")
    address = server.address(name=place.name, **how)
    twin = HookedTwin(await RedisStore.create(address, objects=objects, policy=EAGER), objects)
    try:
        yield twin
    finally:
        await twin.store.close()
        await objects.close()


async def reopen(twin: HookedTwin, server: Server, place: Path) -> None:
    """Another process on what is there."""
    await twin.store.close()
    address = server.address(name=place.name)
    twin.store = await RedisStore.open(address, objects=twin.objects, policy=EAGER)


async def fill(twin: Twin) -> None:
    """Something of every kind to be archived: blocks, mailboxes, new and opened bulletins."""
    rows = await twin.bulletins(140)
    quiet = [replace(row, deadline=None) for row in rows[:100]]
    await twin.commit(twin.story.leaves([], deliveries=quiet))
    await archive_all(twin.store)
    await twin.event(quiet[3], "read", "read")
    first = twin.commits[0].stanzas[4]
    again = twin.story.event(quiet[4], "consigned", "submitted")
    await twin.commit(replace(again, stanzas=[replace(first, sealed=b"new")]))
    await twin.finish(rows[100:102])
    await twin.bulletins(140, sender="th.oncb")
