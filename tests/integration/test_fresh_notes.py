"""A node asks for a note that is as new as an entry: the log signs one, and shows its witnesses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.listeners import Listeners
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.notes import parse_vkey
from saphan_schemas.limits import HOUR_MS, LIMITS, SECOND_MS
from saphan_schemas.records import HeadRef
from support.crews import Crew
from support.session import Line

A, B = "la.ospp", "kh.gpo"


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    crew = Crew(tmp_path, A, B)
    async with crew.carried(2):
        await crew.enrol()
        yield crew


async def told(crew: Crew, line: Line) -> HeadRef:
    """The directory's head as the line was shown it."""
    origin = crew.pins.directory.origin
    await line.until(lambda: origin in line.heads)
    return line.heads[origin].ref


def time_of(crew: Crew, note: bytes) -> int:
    """When the log has signed a note, ms; it is verified."""
    first, second = (parse_vkey(vkey) for vkey in crew.pins.directory.vkeys)
    return verify_head(note, (first, second)).time * SECOND_MS


async def test_every_process_has_a_note_signed_that_is_not_older_than_was_asked(
    crew: Crew,
) -> None:
    for member in crew.members:
        line = await crew.line_at(member, A)
        head = await told(crew, line)
        crew.clock.ahead += HOUR_MS
        since = crew.clock()
        found = await line.prove(head, fresh=since)
        assert time_of(crew, found.note) > since - SECOND_MS
        again = await line.prove(head, fresh=since)  # nothing is signed for it a second time
        assert time_of(crew, again.note) == time_of(crew, found.note)
        assert (await line.prove(head)).note == b""
        await line.close()


async def test_others_at_that_process_are_shown_it_once_for_their_witnesses(crew: Crew) -> None:
    member = crew.members[0]
    asking, other = await crew.line_at(member, A), await crew.line_at(member, B)
    head, origin = await told(crew, asking), crew.pins.directory.origin
    await told(crew, other)
    before = other.heads[origin].time
    crew.clock.ahead += HOUR_MS
    found = await asking.prove(head, fresh=crew.clock())
    await other.until(lambda: other.heads[origin].time > before)
    shown = other.heads[origin]
    assert (shown.ref, shown.time * SECOND_MS) == (head, time_of(crew, found.note))
    await other.cosign(shown)
    async with asyncio.timeout(20):  # the bound only ends a hopeless test
        while (await asking.prove(head, fresh=1)).note.decode().count(f"\n— {B} ") != 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_who_asks_every_second_does_not_fill_everybody_s_line() -> None:
    listeners, now = Listeners(), 1_750_000_000_000
    other = listeners.add(B)
    shown = 0
    for second in range(60):
        listeners.show_directory(now // SECOND_MS + second, now + second * SECOND_MS)
        shown += other.take_directory()
    assert shown == 60 * SECOND_MS // LIMITS.head_asked_ms
    # What was signed too soon after another is shown when it is asked for again.
    asked = now + 60 * SECOND_MS - 1
    listeners.show_directory(now // SECOND_MS + 59, asked + LIMITS.head_asked_ms)
    assert other.take_directory()
