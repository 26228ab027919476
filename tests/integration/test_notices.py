"""A node tells that a bulletin waits: once, to those the rules show it, and further if unread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.node.service import NodeService
from saphan.node.telling import notices
from saphan.node.telling.notices import Notices, noted
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import MINUTE_MS
from saphan_schemas.records import OfficerRead
from support.bridge import KH, LA, OFFICERS, bridged, eventually
from support.notices import HOUR_MS, Office, sent

SOKHA = OFFICERS[KH]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        yield Office(bridge)


async def test_it_is_told_once_and_no_word_of_the_content(office: Office) -> None:
    office.set()
    async with office.bridge.node(LA) as la:
        async with office.bridge.node(KH) as kh:
            bulletin = await sent(office, la, urgency="priority")
            await eventually(lambda: office.states(kh, bulletin) == ["told"])
            (row,) = kh.bulletins.status(bulletin)["notices"]
            assert (row["tries"], row["code"]) == (1, 0)
            header = kh.bulletins.status(bulletin)["header"]
        async with office.bridge.node(KH) as kh:
            await office.after(kh, MINUTE_MS)
            another = await sent(office, la)
            await eventually(lambda: office.states(kh, another) == ["told"])
    told = office.arrivals()
    assert [one["id"] for one in told] == [bulletin.hex(), another.hex()]
    assert told[0] == {
        "id": bulletin.hex(),
        "step": 0,
        "urgency": "priority",
        "deadline": header["answer_by"],
        "officers": [SOKHA],
    }


async def test_what_nobody_reads_is_told_further_at_its_share_of_the_time(office: Office) -> None:
    """Timeline: at 5 of 10 hours the next officer is told; at 8 one whom nobody has enrolled."""
    office.set((0.5, SOKHA), (0.8, "nobody"))
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        bulletin = await sent(office, la)
        await eventually(lambda: office.states(kh, bulletin) == ["told", "waiting"])
        await office.after(kh, 4 * HOUR_MS)
        other = await sent(office, la)
        await eventually(lambda: office.states(kh, other) == ["told", "waiting"])
        assert office.states(kh, bulletin) == ["told", "waiting"]
        await office.after(kh, HOUR_MS + MINUTE_MS)
        await eventually(lambda: office.states(kh, bulletin) == ["told", "told", "waiting"])
        assert [(one["step"], one["id"]) for one in office.arrivals()] == [
            (0, bulletin.hex()),
            (0, other.hex()),
            (1, bulletin.hex()),
        ]
        await office.after(kh, 3 * HOUR_MS)
        await eventually(lambda: office.states(kh, bulletin) == ["told", "told", "nobody"])


async def test_what_was_read_is_told_no_further(office: Office) -> None:
    office.set((0.5, SOKHA))
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        bulletin = await sent(office, la)
        await eventually(lambda: office.states(kh, bulletin) == ["told", "waiting"])
        await read(office, kh, bulletin)
        await office.after(kh, 6 * HOUR_MS)
        await eventually(lambda: office.states(kh, bulletin) == ["told", "read"])
        assert len(office.arrivals()) == 1


async def read(office: Office, kh: NodeService, bulletin: bytes) -> None:
    key = await asyncio.to_thread(office.bridge.officer, KH)
    record = encode(
        OfficerRead(
            bulletin=bulletin,
            agency=KH,
            handle=SOKHA,
            key=key.key_id,
            time=office.bridge.node_clock(),
        )
    )
    signed = sign_one(key, "saphan/officer_read/1", record, os.urandom(32))
    await kh.read(bulletin, record, encode(signed))


async def test_a_command_that_fails_is_an_alarm_and_tried_again(office: Office) -> None:
    office.set()
    office.ends_with(7)
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        bulletin = await sent(office, la)
        await eventually(lambda: [one["tries"] for one in noted(kh.db, bulletin)] == [1])
        assert [(one["state"], one["code"]) for one in noted(kh.db, bulletin)] == [("waiting", 7)]
        await eventually(lambda: "notice_failed" in {one.code for one in kh.alarms.standing()})
        office.ends_with(0)
        await office.after(kh, MINUTE_MS)
        await eventually(lambda: office.states(kh, bulletin) == ["told"])
        assert noted(kh.db, bulletin)[0]["tries"] == 2
        await eventually(lambda: not kh.alarms.standing())


async def test_a_crash_before_the_record_tells_once_more_and_one_after_it_does_not(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: the command has run, its end is not written: the node dies; the next one tells."""
    office.set()
    written = notices.Notices._end

    def lost(dying: Notices, *_args: object) -> None:
        dying._hook.close()  # after a crash nothing is run any more
        raise OperatorError("disk_full", "there is no room left", hint="free space")

    monkeypatch.setattr(Notices, "_end", lost)
    async with office.bridge.node(LA) as la:
        async with office.bridge.node(KH) as kh:
            bulletin = await sent(office, la)
            await eventually(lambda: len(office.arrivals()) == 1)
        monkeypatch.setattr(Notices, "_end", written)
        for _ in range(3):
            async with office.bridge.node(KH) as kh:
                await eventually(lambda: office.states(kh, bulletin) == ["told"])
                await office.after(kh, MINUTE_MS)
                await kh.notices.look()
    assert [one["id"] for one in office.arrivals()] == [bulletin.hex()] * 2


async def test_nobody_is_told_of_what_the_rules_do_not_show(office: Office) -> None:
    office.set(rules=[{"officers": [SOKHA], "schemas": ["saphan/arrest_notice/1"]}])
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        bulletin = await sent(office, la)
        await eventually(lambda: office.states(kh, bulletin) == ["nobody"])
        assert office.lines() == []


async def test_what_came_before_anybody_was_named_is_not_told_of(office: Office) -> None:
    """Timeline: a bulletin comes; the settings name a command; then one more comes."""
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        before = await sent(office, la)
        await eventually(lambda: kh.bulletins.inbox(0, 10))
        office.set()
        await office.after(kh, 1)
        await eventually(lambda: kh.db.row("SELECT 1 FROM facts WHERE name = 'noticed'"))
        bulletin = await sent(office, la)
        await eventually(lambda: office.states(kh, bulletin) == ["told"])
        assert office.states(kh, before) == []


async def test_settings_that_are_damaged_later_change_nothing(office: Office) -> None:
    office.set()
    async with office.bridge.node(LA) as la, office.bridge.node(KH) as kh:
        (office.folder / "settings.json").write_text('{"saphan": "settings/1", "notice": ')
        await office.after(kh, 1)
        assert [one.code for one in kh.alarms.standing()] == ["settings_malformed"]
        bulletin = await sent(office, la)
        await eventually(lambda: office.states(kh, bulletin) == ["told"])
        office.set()
        await office.after(kh, 1)
        assert kh.alarms.standing() == []
