"""A restored node listens first, whatever pieces the past comes in."""

from __future__ import annotations

import asyncio

import pytest
from saphan_broker.sessions import feed
from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.lost_store import lose_store


async def test_it_says_nothing_twice_when_every_entry_comes_alone(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the consignment and the handover that it signed long ago the node can be asked for
    nothing: it would sign another one, and the broker would refuse it."""
    monkeypatch.setattr(feed, "FRAME_ITEMS", 1)
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            async with bridge.node(KH) as kh:
                await agreed(la)
                sent = [await la.send(wish()) for _ in range(2)]
                await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent))
                await agreed(kh)
                own = await kh.send(wish(LA))
                await eventually(lambda: states(kh, own) == ["accepted"])
            late = await la.send(wish())
            await asyncio.to_thread(lose_store, bridge, KH)
            async with bridge.node(KH) as kh:
                await eventually(lambda: states(la, late) == ["accepted"])
                await eventually(lambda: len(kh.bulletins.inbox(0, 9)) == 3)
                assert [row["id"] for row in kh.bulletins.inbox(0, 9)] == [
                    one.hex() for one in (*sent, late)
                ]
                said = "SELECT event, state FROM statements ORDER BY id"
                # The sender may hear of it before the log's own words are back here.
                logged = [("handover", "logged"), ("accepted", "logged")]
                await eventually(lambda: kh.db.rows(said) == logged)
                assert [alarm.code for alarm in kh.alarms.standing()] == ["witness_key_needed"]
                events = [e["event"] for e in la.bulletins.status(sent[0])["timeline"]]
                assert events == ["submitted", "handover", "accepted"]
