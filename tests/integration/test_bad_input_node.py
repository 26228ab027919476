"""Bad input at a running node, from every side: a code and a hint each, nothing half-kept.

The other sides are the sender (hostile, with real keys), the line, the agency's own programs and
its own disk. docs/bad-input.md lists every kind with the test that shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_schemas.codec import decode
from saphan_schemas.records import Event, Statement
from support.bridge import KH, LA, Bridge, agreed, bridged
from support.hostile import Hostile
from support.session import Line


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


# --- from a hostile sender ------------------------------------------------------------------------


async def test_hostile_bulletins_are_answered_and_shown_to_nobody(bridge: Bridge) -> None:
    """Each gets its code; the good one among them is accepted; nothing else is shown or kept."""
    async with bridge.broker_running():
        await bridge.enrol()
        hostile = Hostile(bridge, LA, KH)
        line = Line(hostile.agency, bridge.pins, bridge.clock, True)
        async with bridge.node(KH) as kh:
            await agreed(kh)
            await line.connect(bridge.url)
            cases = {made.bulletin_id: (name, code, made) for name, code, made in hostile.cases()}
            good = hostile.bulletin()
            items, batch = hostile.submissions([*(made for _, _, made in cases.values()), good])
            results = await line.submit(items, batch)
            assert {result.code for result in results} == {None}
            answers = await answered(line, len(cases) + 1)
            assert answers.pop(good.bulletin_id) == (Event.ACCEPTED, None)
            for bulletin, (event, code) in answers.items():
                name, wanted, _ = cases[bulletin]
                step = Event.UNOPENED if wanted == "ciphertext_invalid" else Event.REJECTED
                assert (event, code) == (step, wanted), name
            assert [row["id"] for row in kh.bulletins.inbox(0, 99)] == [good.bulletin_id.hex()]
            kept = kh.db.rows("SELECT id FROM bulletins WHERE wrapped IS NOT NULL")
            assert kept == [(good.bulletin_id,)]
            assert kh.alarms.standing() == []
        await line.close()


async def answered(line: Line, count: int) -> dict[bytes, tuple[Event, str | None]]:
    """The recipient's answers to `count` bulletins, as the sender's feed shows them."""
    found: dict[bytes, tuple[Event, str | None]] = {}

    def all_there() -> bool:
        for entry, given in line.entries.values():
            event = entry.type.split("/")[1]
            if event in (Event.ACCEPTED, Event.REJECTED, Event.UNOPENED):
                said = decode(Statement, given.statement, 4096, "statement")
                found[said.bulletin] = (Event(event), said.code)
        return len(found) >= count

    async with asyncio.timeout(20):
        await line.until(all_there)
    return found
