"""The warning that nobody answered, and the write of it fails: it is logged once, all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from saphan_broker.store.base import Commit, Sign
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event
from support.asked import A, B, delivery, handed_over, time_goes_on, witnessed_now, words
from support.brokers import World
from support.failing_store import Fail, FailingStore, crashed, full, kept, lost

HOUR_MS = 3_600_000


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


class FailingAtTheWarning(FailingStore):
    """Fails at the group that holds the warning, or at the signature of its head."""

    met = False

    async def commit(self, commit: Commit, sign: Sign | None = None) -> None:
        if any(row.event == "unanswered" for row in commit.entries):
            self.met = True
            await super().commit(commit, sign)
        else:
            await self._store.commit(commit, sign)

    async def put_note(self, log: Any, size: int, note: bytes) -> None:
        if self.met:
            await super().put_note(log, size, note)
        else:
            await self._store.put_note(log, size, note)


@pytest.mark.parametrize("step", ["commit", "put_note"])
@pytest.mark.parametrize("fail", [lost, kept, full, crashed])
async def test_warning_whose_write_failed_is_logged_once(
    world: World, step: str, fail: Fail
) -> None:
    """Timeline: the answer is due; the commit or the head's note fails, done or not; the sweep
    looks again, as it does every second."""
    made, out = await handed_over(world, world.clock() + HOUR_MS)
    failing = FailingAtTheWarning(world.broker.state.store, step, fail)
    world.broker.state.store = failing
    out = await time_goes_on(world, out, 2 * HOUR_MS)
    await witnessed_now(world, out)
    found = ""
    while not failing.met or found != "unanswered":
        with suppress(SaphanError):  # the store is opened anew
            await world.broker._sweep.look()
            found = (await delivery(world, made)).state
        await asyncio.sleep(0.02)
    await out.close()
    line = await world.line(A)
    await line.until(lambda: bool(words(line, made, Event.UNANSWERED)))
    await world.broker._sweep.look()
    size = world.broker.state.evidence.tree.size
    rows = await world.broker.store.entries(0, size)
    assert [row.event for row in rows if row.bulletin == made.bulletin_id] == [
        "submitted",
        "handover",
        "unanswered",
    ]
    row = await delivery(world, made)
    assert (row.state, row.deadline) == ("unanswered", row.due_day * DAY_MS)
