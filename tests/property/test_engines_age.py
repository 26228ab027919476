"""Whatever is held, released, wrapped anew, destroyed and forgotten in whatever order, every engine
answers as the one in memory does, and memory refuses what would be illegal."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, cast

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.base import DeliveryKey, DeliveryRow, HoldRow
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.store import RedisStore
from saphan_broker.store.sqlite import SqliteStore
from support.aging_commits import copies, destruction, hold, release, settled, wrapped_anew
from support.archives import Twin, archive_all
from support.servers import Server
from support.store_commits import digest

DUE: Final = 30_000
LAST: Final = 33_010
ORDERS: Final = [digest("order", number) for number in range(3)]
NAMES = count()
NUMBERS = st.integers(0, 7)
Step = tuple[str, int, int]
KINDS: Final = (
    *("admit", "admit", "copy", "settle", "settle", "hold", "release", "wrap"),
    *("destroy", "destroy", "forget", "cleanse", "day", "reopen", "move"),
)
STEPS: Final = st.tuples(st.sampled_from(KINDS), NUMBERS, NUMBERS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")).start() as started:
        yield started


@settings(max_examples=60)
@given(steps=st.lists(STEPS, min_size=4, max_size=24))
def test_sqlite_ages_as_memory_does(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(on_sqlite(Path(place) / "data", steps))


@settings(max_examples=40)
@given(steps=st.lists(STEPS, min_size=4, max_size=24))
def test_a_server_ages_as_memory_does(server: Server, steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(on_server(server, Path(place), steps))


async def on_sqlite(place: Path, steps: list[Step]) -> None:
    async def opened() -> RedisStore:
        return cast(RedisStore, await SqliteStore.open(place))

    walk = Walk(cast(RedisStore, await SqliteStore.create(place)), opened)
    await walk.run(steps)


async def on_server(server: Server, place: Path, steps: list[Step]) -> None:
    objects, address = DirectoryObjects(place), server.address(name=f"age{next(NAMES)}")

    async def opened() -> RedisStore:
        return await RedisStore.open(address, objects=objects, policy=EAGER)

    made = await RedisStore.create(address, objects=objects, policy=EAGER)
    await Walk(made, opened).run(steps)
    await objects.close()


class Walk:
    """One history, step by step; the rows as the log has left them.

    Args:
        opened: opens the store again after it was closed.
    """

    def __init__(self, store: RedisStore, opened: Callable[[], object]) -> None:
        self._twin = Twin(store)
        self._opened = opened
        self._rows: dict[DeliveryKey, DeliveryRow] = {}
        self._holds: list[HoldRow] = []

    async def run(self, steps: list[Step]) -> None:
        """Take the steps; compare all answers now and then, and at the end."""
        await self._admit(1, 0)
        for at, (name, first, second) in enumerate(steps):
            await getattr(self, f"_{name}")(first, second)
            if at % 5 == 4:
                await self._twin.check()
        await self._twin.check()
        await self._twin.store.close()

    def _keep(self, rows: list[DeliveryRow]) -> None:
        self._rows |= {(row.bulletin, row.recipient): row for row in rows}

    def _some(self, number: int, **having: object) -> list[DeliveryRow]:
        rows = [
            row
            for row in self._rows.values()
            if all(getattr(row, name) == value for name, value in having.items())
        ]
        return rows[: 1 + number % 4]

    async def _admit(self, number: int, day: int) -> None:
        self._twin.story.due_day = DUE + day % 3
        self._keep(await self._twin.bulletins(1 + number))

    async def _copy(self, number: int, _second: int) -> None:
        """A bulletin of the last commit that admitted some, for one more recipient."""
        made = [commit for commit in self._twin.commits if commit.bulletins][-1]
        row = made.bulletins[number % len(made.bulletins)]
        gone = any(one.destroyed is not None for key, one in self._rows.items() if key[0] == row.id)
        if gone or (row.id, "th.oncb") in self._rows or (row.id, "kh.gpo") not in self._rows:
            return
        self._twin.story.due_day = row.due_day
        commit = copies(self._twin.story, replace(made, bulletins=[row]), "th.oncb")
        await self._twin.commit(commit)
        self._keep(commit.deliveries)

    async def _settle(self, number: int, _second: int) -> None:
        rows = [row for row in self._rows.values() if row.deadline is not None][: 1 + number]
        if rows:
            commit, after = settled(self._twin.story, rows)
            await self._twin.commit(commit)
            self._keep(after)

    async def _hold(self, number: int, which: int) -> None:
        order = ORDERS[which % 3]
        standing = {
            row.target for row in self._holds if row.order == order and row.released is None
        }
        rows = [r for r in self._some(number, destroyed=None) if r.submitted not in standing]
        if rows:
            commit, after = hold(self._twin.story, rows, order)
            await self._twin.commit(commit)
            self._keep(after)
            self._holds = self._without(commit.holds) + commit.holds

    def _without(self, rows: list[HoldRow]) -> list[HoldRow]:
        names = {(row.target, row.order) for row in rows}
        return [row for row in self._holds if (row.target, row.order) not in names]

    async def _release(self, number: int, _second: int) -> None:
        rows = [row for row in self._holds if row.released is None]
        rows = rows[number % (1 + len(rows)) :][:1]
        if rows:
            held = [self._rows[row.bulletin, row.recipient] for row in rows]
            commit, after = release(self._twin.story, held, rows)
            await self._twin.commit(commit)
            self._keep(after)
            self._holds = self._without(commit.holds) + commit.holds

    async def _wrap(self, limit: int, days: int) -> None:
        stanzas = await self._twin.memory.stanzas_due(DUE + 3, 1 + limit)
        if stanzas:
            await self._twin.commit(wrapped_anew(self._twin.story, stanzas, DUE + 5 + days))

    async def _destroy(self, limit: int, day: int) -> None:
        most = 1 + 3 * limit
        due = await self._twin.memory.destroyable(DUE + day % 3, 10**6)
        rows = await self._twin.store.destroyable(DUE + day % 3, most)
        assert [row.due_day for row in rows] == [row.due_day for row in due[:most]]
        assert all(row in due for row in rows)
        if not rows:
            return
        gone = {(row.bulletin, row.recipient) for row in rows}
        left = {
            key[0] for key, row in self._rows.items() if row.destroyed is None and key not in gone
        }
        bodiless = [id_ for id_ in dict.fromkeys(key[0] for key in sorted(gone)) if id_ not in left]
        commit, after = destruction(self._twin.story, rows, bodiless)
        await self._twin.commit(commit)
        self._keep(after)

    async def _forget(self, limit: int, days: int) -> None:
        """To the end: what an engine forgets first within its order is its own matter."""
        for store in (self._twin.memory, self._twin.store):
            while await store.forget(33_000 + days, 1 + limit):
                pass
        left = await self._twin.memory.deliveries(self._rows)
        self._rows = {key: row for key, row in self._rows.items() if key in left}
        self._holds = [row for row in self._holds if (row.bulletin, row.recipient) in left]

    async def _cleanse(self, _first: int, _second: int) -> None:
        await self._twin.store.cleanse()

    async def _day(self, _first: int, _second: int) -> None:
        self._twin.story.record_day = min(LAST, self._twin.story.record_day + 1)

    async def _reopen(self, _first: int, _second: int) -> None:
        await self._twin.store.close()
        self._twin.store = await self._opened()  # type: ignore[misc]

    async def _move(self, _first: int, _second: int) -> None:
        if isinstance(self._twin.store, RedisStore):
            await archive_all(self._twin.store)
