"""Whatever is logged in whatever order, the Redis engine answers as the one in memory does.

Also while things leave the server's memory at any moment, and when the store is opened anew.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.store.base import DeliveryRow
from saphan_broker.store.redis.archive.policy import EAGER
from saphan_broker.store.redis.store import RedisStore
from support.archives import Twin, archive_all
from support.servers import Server
from support.store_commits import START, digest

AGENCIES: Final = ("la.ospp", "kh.gpo", "th.oncb")
EVENTS: Final = {
    "handover": ("handed_over", START + 5),
    "consigned": ("submitted", START + 9),
    "accepted": ("accepted", None),
    "read": ("read", None),
    "unanswered": ("unanswered", START + 40),
}
FEW: Final = 3
"""Bulletins to which everything happens, again and again; the others fill blocks."""
NAMES = count()

STEPS = st.one_of(
    st.tuples(st.just("admit"), st.sampled_from([1, 2, 90]), st.sampled_from(AGENCIES)),
    st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(0, FEW - 1), st.booleans()),
    st.tuples(st.just("refuse"), st.integers(0, 3), st.none()),
    st.tuples(st.just("anchor"), st.integers(1, 9), st.none()),
    st.tuples(st.just("quiet"), st.integers(0, FEW - 1), st.booleans()),
    st.tuples(st.sampled_from(["move", "empty", "reopen"]), st.none(), st.none()),
)
Step = tuple[str, int | None, str | bool | None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")).start() as started:
        yield started


@settings(max_examples=60)
@given(steps=st.lists(STEPS, min_size=1, max_size=20))
def test_the_engine_answers_as_memory_does(server: Server, steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(Walk(server, Path(place)).run(steps))


class Walk:
    """One history, step by step."""

    def __init__(self, server: Server, place: Path) -> None:
        self._address = server.address(name=f"walk{next(NAMES)}")
        self._place = place
        self._rows: list[DeliveryRow] = []
        self._refused: list[bytes] = []

    async def run(self, steps: list[Step]) -> None:
        """Take the steps; ask everything at the end and before each opening."""
        objects = DirectoryObjects(self._place)
        store = await RedisStore.create(self._address, objects=objects, policy=EAGER)
        self._twin = Twin(store)
        await self._admit(1, AGENCIES[1])
        for name, number, more in steps:
            if name == "reopen":
                await self._twin.check()
                await self._twin.store.close()
                self._twin.store = await RedisStore.open(
                    self._address, objects=objects, policy=EAGER
                )
            else:
                await self._step(name, number or 0, more)
        await self._twin.check()
        await self._twin.store.close()
        await objects.close()

    async def _step(self, name: str, number: int, more: str | bool | None) -> None:
        if name == "admit":
            await self._admit(number, str(more))
        elif name in EVENTS:
            await self._event(name, number % len(self._rows), bool(more))
        elif name == "refuse":
            known = [row.bulletin for row in self._rows[:2]]
            id_ = [digest("refused", number), *known][number % (1 + len(known))]
            await self._twin.commit(self._twin.story.refusal(id_))
        elif name == "anchor":
            await self._twin.commit(self._twin.story.anchor(number))
        elif name == "quiet":
            at = number % len(self._rows)
            row = replace(self._rows[at], deadline=START + number if more else None)
            self._rows[at] = row
            await self._twin.commit(self._twin.story.leaves([], deliveries=[row]))
        elif name == "move":
            await self._twin.store.archive_some()
        else:
            await archive_all(self._twin.store)

    async def _admit(self, number: int, recipient: str) -> None:
        self._rows += await self._twin.bulletins(number, recipient=recipient)

    async def _event(self, name: str, at: int, again: bool) -> None:
        """A receipt, a new stanza or both; `again`: with a statement that was logged before."""
        twin, row = self._twin, self._rows[at]
        state, deadline = EVENTS[name]
        commit = twin.story.event(row, name, state, deadline)
        if name == "consigned":
            stanza = twin.commits[0].stanzas[0]
            stanza = replace(stanza, bulletin=row.bulletin, recipient=row.recipient)
            commit = replace(commit, stanzas=[replace(stanza, sealed=digest(commit.head))])
        if again:
            said = {
                (row.bulletin, digest("said", row.bulletin), row.recipient): commit.expected.size
            }
            commit = replace(commit, statements={**commit.statements, **said})
        self._rows[at] = (await twin.commit(commit)).deliveries[0]
