"""The broker's disk is gone while bulletins are in every state: everyone arrives, each once.

A real broker, real nodes, and the successor that `saphan-broker succeed` makes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from saphan.node.rows.places import place_of
from saphan.node.service import NodeService
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish
from support.lost_log import lose, succeed

ENDS = {"accepted", "read", "rejected", "recalled", "expired"}


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made_here:
        yield made_here


def log_of(node: NodeService) -> str:
    return node.logs.pins.evidence.origin.rpartition("/")[2]


def timeline(node: NodeService, bulletin: bytes) -> list[tuple[int, str]]:
    """(number of the log, event) of a bulletin's entries."""
    rows = node.db.rows(
        "SELECT idx, event FROM entries WHERE bulletin = ? ORDER BY idx", (bulletin,)
    )
    return [(place_of(place).log, event) for place, event in rows]


def is_ended(node: NodeService, bulletin: bytes) -> bool:
    """Whether every delivery has its outcome."""
    return all(state in ENDS for state in states(node, bulletin))


def arrived(node: NodeService) -> Counter[bytes]:
    """How often each bulletin stands in the inbox."""
    rows = node.db.rows("SELECT id FROM bulletins WHERE arrived IS NOT NULL")
    return Counter(bulletin for (bulletin,) in rows)


async def test_what_was_on_its_way_arrives_once_and_what_had_arrived_stays(bridge: Bridge) -> None:
    """Timeline: one bulletin accepted; one accepted whose sender was not told; one in the log that
    nobody has taken; the disk is gone; one more is written. Then the successor."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            known = await la.send(wish())
            await eventually(lambda: states(la, known) == ["accepted"])
        async with bridge.node(LA) as la:
            await opened(la)
            untold = await la.send(wish())
            await eventually(lambda: states(la, untold) == ["submitted"])
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(kh, untold) == ["accepted"])
    await asyncio.to_thread(lose, bridge)
    async with bridge.node(LA) as la:
        waiting = await la.send(wish())
    await succeed(bridge, LA, KH)
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        for bulletin in (untold, waiting):
            await eventually(partial(is_ended, la, bulletin))
        assert (log_of(la), log_of(kh)) == ("2", "2")
        assert timeline(la, known) == [(1, "submitted"), (1, "handover"), (1, "accepted")]
        whole = ["submitted", "handover", "accepted"]
        assert timeline(kh, untold) == [(log, event) for log in (1, 2) for event in whole]
        assert set(arrived(kh).values()) == {1}
        assert len(arrived(kh)) == 3
