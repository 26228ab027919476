"""Under which heads a bundle shows what happened: few, linked, near the times that they bound."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from saphan.evidence import placing
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan_protocol.bundle.report import Outcome, Verdict
from saphan_schemas.limits import HOUR_MS
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, opened, states, wish
from support.evidence import have_patience, settled


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    have_patience(monkeypatch)
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def store_of(bridge: Bridge, agency: str) -> NodeStore:
    return NodeStore(bridge.place / agency / "node" / "data", agency, bridge.pins)


async def judged(bridge: Bridge, agency: str, bulletin: bytes, name: str) -> Verdict:
    out = bridge.place / f"{name}.evidence"
    await asyncio.to_thread(export_bundle, store_of(bridge, agency), bulletin, out, bridge.clock())
    return await asyncio.to_thread(check_bundle, out)


async def test_what_was_read_hours_later_rests_under_a_later_head(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bridge.node(LA) as out, bridge.node(KH) as into:
        await opened(out)
        await agreed(into)
        bulletin = await out.send(wish())
        await eventually(lambda: states(out, bulletin) == ["accepted"])
        await eventually(lambda: settled(into, bulletin, 3))
        for clock in (bridge.clock, bridge.node_clock):
            clock.ahead += 3 * HOUR_MS
        await into.read_by_system(bulletin)
        await eventually(lambda: settled(into, bulletin, 4))
        await into.evidence.prepare(bulletin)
        found = await judged(bridge, KH, bulletin, "several")
        assert found.outcome is Outcome.VALID, found.gaps
        early, late = found.events[0], found.events[-1]
        assert early.head < late.head
        assert early.bound is not None
        assert late.bound is not None
        assert early.bound * 1000 < early.time + HOUR_MS < late.bound * 1000
        assert all(head.linked for head in found.heads)
        monkeypatch.setattr(placing, "MOST_HEADS", 1)
        one = await judged(bridge, KH, bulletin, "one")
        assert one.outcome is Outcome.VALID, one.gaps
        assert {event.head for event in one.events} == {late.head}
        monkeypatch.undo()
    with closing(sqlite3.connect(store_of(bridge, KH).folder / "node.db")) as db:
        db.executescript("DELETE FROM steps")
    loose = await judged(bridge, KH, bulletin, "loose")
    assert loose.finding is None
    assert "heads_unlinked" in {gap.code for gap in loose.gaps}


async def test_the_sender_shows_every_recipient_and_a_recipient_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_patience(monkeypatch)
    async with bridged(tmp_path, LA, KH, VN) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as out, bridge.node(KH) as kh, bridge.node(VN) as vn:
            await opened(out)
            for node in (kh, vn):
                await agreed(node)
            made = await out.send(replace(wish(), to=(KH, VN)))
            await eventually(lambda: states(out, made) == ["accepted", "accepted"])
            await eventually(lambda: settled(out, made, 6))
            await eventually(lambda: settled(vn, made, 3))
            for node in (out, vn):
                await node.evidence.prepare(made)
        whole = await judged(bridge, LA, made, "sender")
        assert whole.outcome is Outcome.VALID, whole.gaps
        assert [(one.recipient, one.state) for one in whole.deliveries] == [
            (KH, "accepted"),
            (VN, "accepted"),
        ]
        own = await judged(bridge, VN, made, "recipient")
        assert own.outcome is Outcome.VALID, own.gaps
        assert [one.recipient for one in own.deliveries] == [VN]
        assert "recipients_unshown" in {one.code for one in own.unproven}
