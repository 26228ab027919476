"""Two real nodes and a real broker, over real sockets and files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    made = Bridge(tmp_path)
    await asyncio.to_thread(made.prepare)
    yield made
    made.remove()


async def test_a_bulletin_goes_the_whole_way(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await la.send(wish())
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert [row["id"] for row in kh.bulletins.inbox(0, 10)] == [bulletin.hex()]
            content = await kh.read_by_system(bulletin)
            assert content["content"] == {
                "about": wish().about,
                "attachments": [],
                "body": wish().body,
            }
            await eventually(
                lambda: [e["event"] for e in la.bulletins.status(bulletin)["timeline"]]
                == ["submitted", "handover", "accepted", "read"]
            )
            assert la.alarms.standing() == kh.alarms.standing() == []
