"""Notice commands that hang, and a disk that takes no record of what they have told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.node.telling.notices import Notices, noted
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS, MINUTE_MS
from support.bridge import KH, LA, bridged, eventually
from support.notices import Office, sent


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        yield Office(bridge)


async def test_a_full_disk_pages_nobody_twice(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: the command has told; its end cannot be written, four times; then it can."""
    office.set()
    written = Notices._end
    tried: list[None] = []

    def full(*_args: object) -> None:
        tried.append(None)
        raise OperatorError("disk_full", "there is no room left", hint="free space")

    monkeypatch.setattr(Notices, "_end", full)
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        bulletin = await sent(office, la)

        async def looks_again() -> None:
            before = len(tried)
            await office.after(kh, 1)
            await eventually(lambda: len(tried) > before)

        await eventually(lambda: tried)
        for _ in range(3):
            await looks_again()
        assert [one.code for one in kh.alarms.standing()] == ["disk_full"]
        assert office.states(kh, bulletin) == ["waiting"]
        monkeypatch.setattr(Notices, "_end", written)
        await office.after(kh, 1)
        await eventually(lambda: office.states(kh, bulletin) == ["told"])
        assert len(office.arrivals()) == 1


async def test_an_immediate_bulletin_does_not_wait_for_all_that_hang(office: Office) -> None:
    """Timeline: twice as many as run at one time are due and hang; an immediate one comes."""
    count = 2 * LIMITS.notice_running
    gate, started = office.bridge.place / "gate", office.bridge.place / "started"
    line = office.bridge.place / "line"
    office.command.write_text(
        f"#!/bin/sh\ncat > {line}.$$\necho >> {started}\n"
        f"while [ -e {gate} ]; do sleep 0.05; done\n"
        f"cat {line}.$$ >> {office.told}\nexit $(cat {office.code})\n"
    )
    office.ends_with(7)
    office.set()
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        routine = [await sent(office, la) for _ in range(count)]
        await eventually(
            lambda: [one["tries"] for id_ in routine for one in noted(kh.db, id_)] == [1] * count
        )
        gate.touch()
        office.ends_with(0)
        started.unlink()
        office.told.write_text("")
        await office.after(kh, MINUTE_MS)
        await eventually(
            lambda: started.exists() and len(started.read_bytes()) == LIMITS.notice_running
        )
        immediate = await sent(office, la, urgency="immediate")
        await eventually(lambda: len(kh.bulletins.inbox(0, 2 * count)) == count + 1)
        gate.unlink()
        await eventually(lambda: len(office.arrivals()) == count + 1)
        told = [one["id"] for one in office.arrivals()]
        assert told.index(immediate.hex()) < count
