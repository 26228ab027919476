"""Over two processes and a Redis server: what time says, and what the parties say after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Event
from support.asked import A, B, delivery, said, submitted, witnessed_now, words
from support.crews import Crew


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    """Two members, two agencies enrolled, one agreement logged."""
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        await crew.enrol()
        yield crew


async def test_what_was_not_answered_is_said_by_one_and_answered_at_another(crew: Crew) -> None:
    """The Redis store: the warning, then a late answer and its reading, by way of the follower."""
    _holder, follower = crew.members
    line, into = await crew.line_at(follower, A), await crew.line_at(follower, B)
    made = await submitted(crew, line, crew.clock() + 3_600_000)
    assert await said(crew, into, made, Event.HANDOVER) is None
    await into.close()
    await line.close()
    crew.clock.ahead += 2 * 3_600_000
    line = await crew.line_at(follower, A, resume=line)
    await witnessed_now(crew, line)
    await line.until(lambda: bool(words(line, made, Event.UNANSWERED)))
    row = await delivery(crew, made)
    assert (row.state, row.deadline) == ("unanswered", row.due_day * DAY_MS)
    into = await crew.line_at(follower, B)
    events = (Event.HANDOVER, Event.ACCEPTED, Event.READ)
    codes = [await said(crew, into, made, event) for event in events]
    assert codes == ["order_illegal", None, None]
    assert await said(crew, into, made, Event.READ, "system") == "already_read"
    assert (await delivery(crew, made)).state == "read"
