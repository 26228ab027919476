"""Over processes on two hosts and a Redis server: destruction, and whose seed moves with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.retention.armed import Armed
from saphan_broker.seeds import DayKeys
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS, HOUR_MS
from saphan_schemas.records import Event
from support.asked import A, B, witnessed_now
from support.crews import Crew, until
from support.due import DUE_DAYS, consigned, kept, row_of, stated
from support.session import Line

TRIES = 4


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    """Two members that may sign and one on another host, two agencies, one agreement logged."""
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        await crew.join(serves_only=True)
        await crew.enrol()
        yield crew


async def later(crew: Crew, line: Line, days: int) -> Line:
    """So many days later, confirmed by A's witness at the host that serves only."""
    await line.close()
    crew.clock.ahead += days * DAY_MS
    line = await crew.line_at(crew.members[2], A, resume=line)
    await witnessed_now(crew, line)
    return line


async def test_a_host_whose_disk_was_full_loses_the_key_as_soon_as_it_can(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing new is told to it meanwhile: the same word must be heard again."""
    serving = crew.members[2].broker.state
    failed: list[int] = []

    def full(day: int) -> None:
        failed.append(day)
        if len(failed) == TRIES:
            monkeypatch.undo()
        raise OperatorError("key_file_unwritable", "injected: the disk is full")

    monkeypatch.setattr(serving.keys, "advance", full)
    leading = crew.members[0].broker.state.keys
    await asyncio.to_thread(leading.advance, leading.day + 1)
    await until(lambda: serving.keys.day == leading.day)
    assert failed == TRIES * [leading.day]
    await until(lambda: not serving.alarms.active())


async def test_every_process_and_every_hosts_file_lose_the_key_of_a_day(crew: Crew) -> None:
    serving = crew.members[2]
    out, into = await crew.line_at(serving, A), await crew.line_at(serving, B)
    made = await consigned(crew, out)
    for event in (Event.HANDOVER, Event.ACCEPTED):
        assert await stated(crew, into, made, event) is None
    await into.close()
    due = (await row_of(crew, made)).due_day
    out = await later(crew, out, DUE_DAYS)
    states = [member.broker.state for member in crew.members]
    await until(lambda: sum(state.counters.destroyed for state in states) == 1)
    assert await kept(crew, made) == (False, False)
    out = await later(crew, out, 1)
    await until(lambda: {state.keys.day for state in states} == {due + 1})
    for folder in (crew.keys, crew.place / "shared2"):
        assert (await asyncio.to_thread(DayKeys.open, folder)).day == due + 1
    now = crew.clock() - 2 * HOUR_MS
    await until(lambda: all(m.broker.retention.armed.acted > now for m in crew.members))
    assert (await asyncio.to_thread(Armed.open, crew.place / "shared2")).acted > now
    line = await crew.line_at(serving, B)
    assert await line.stanzas(made.bulletin_id) == (None,)
