"""An agreement is suspended around a succession: what waits, what goes on, what is noticed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from saphan.node.service import NodeService
from saphan_broker.sequencing import preparing
from saphan_protocol.agreements import Agreements
from saphan_schemas.codec import encode
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish
from support.lost_log import lose, succeed
from support.suspending import ordered

HELD = "SELECT event FROM statements WHERE state = 'waiting' AND code IS NOT NULL ORDER BY id"
REFUSED = "SELECT count(*) FROM consignments WHERE state = 'refused' AND code = ?"


async def _suspended_and_lost(bridge: Bridge) -> tuple[bytes, bytes]:
    """One accepted, which its sender does not know; one that waits, the line being down."""
    async with bridge.broker_running():
        await bridge.enrol(in_flight="stop")
        async with bridge.node(LA) as la:
            await agreed(la)
            said = await la.send(wish())
            await eventually(lambda: states(la, said) == ["submitted"])
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(kh, said) == ["accepted"])
    async with bridge.node(LA) as la:
        waits = await la.send(wish())
        heard = la.db.row("SELECT count(*) FROM entries WHERE event = 'accepted'")
        assert heard == (0,)
    return said, waits


async def _resumed(la: NodeService, *bulletins: bytes) -> None:
    """The present log has them again."""
    in_log = "SELECT 1 FROM entries WHERE bulletin = ? AND event = 'submitted' AND idx >= ?"
    for one in bulletins:
        await eventually(lambda one=one: la.db.row(in_log, (one, la.logs.first)), 60)  # type: ignore[misc]


async def test_what_a_lost_log_had_waits_for_the_agreement_and_a_wrong_release_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: one is accepted, its sender away; the disk is gone. In the log that follows the
    agreement is suspended before the recipient comes, then resumed; suspended once more: what a
    second loss finds under way is not refused for good; and the broker lets one go all the same."""

    async def nothing(*_: object) -> None:
        return

    def agreements_alone(held: Agreements, agency: str, *_: int) -> dict[int, bytes]:
        return {one.index or 0: encode(one.package) for one in held.of(agency)}

    async with bridged(tmp_path) as bridge:
        said, waits = await _suspended_and_lost(bridge)
        await asyncio.to_thread(lose, bridge)
        await succeed(bridge, LA, KH)
        async with bridge.broker_running(), bridge.node(LA) as la:
            await _resumed(la, said, waits)
            await ordered(bridge, la, "suspend")
            async with bridge.node(KH) as kh:
                await eventually(lambda: kh.db.rows(HELD) == [("handover",), ("accepted",)], 60)
                await opened(kh)
        await asyncio.to_thread(lose, bridge)
        await succeed(bridge, LA, KH)
        async with bridge.broker_running(), bridge.node(LA) as la:
            suspended = ("agreement_suspended",)
            await eventually(lambda: la.db.row(REFUSED, suspended) == (2,), 60)
            assert states(la, said) == states(la, waits) == ["queued"]
            await ordered(bridge, la, "resume", 2)
            await _resumed(la, said, waits)
            async with bridge.node(KH) as kh:
                for one in (said, waits):
                    await eventually(lambda one=one: states(la, one) == ["accepted"], 60)  # type: ignore[misc]
                (count,) = kh.db.rows("SELECT count(*) FROM statements WHERE bulletin = ?", (said,))
                assert count == (2,)  # the same words, not new ones
            let_go = await la.send(wish())
            await eventually(lambda: states(la, let_go) == ["submitted"])
            await ordered(bridge, la, "suspend", 3)
            monkeypatch.setattr(preparing, "find_stopped", nothing)
            monkeypatch.setattr(Agreements, "packages", agreements_alone)
            async with bridge.node(KH):
                await eventually(lambda: states(la, let_go) == ["accepted"], 60)
            assert "release_differs" in {alarm.code for alarm in la.alarms.standing()}
