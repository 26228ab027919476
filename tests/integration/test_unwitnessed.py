"""A deadline that nobody can witness: it waits, and costs those who listen next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from saphan.node.restored import mark_restored
from saphan.node.rows.db import Database
from saphan_schemas.limits import MINUTE_MS, SECOND_MS
from support.bridge import KH, LA, VN, Bridge, agreed, bridged, eventually, states, wish

MINUTES = 20


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, LA, KH, VN) as made, made.broker_running():
        await made.enrol()
        yield made


def pass_time(bridge: Bridge, millis: int) -> None:
    bridge.clock.ahead += millis
    bridge.node_clock.ahead += millis


def without_witness(bridge: Bridge, agency: str) -> None:
    """As after a restore: the node listens, and cosigns nothing."""
    folder = bridge.place / agency / "node"
    (folder / "witness.key").unlink()
    with closing(Database(folder / "data")) as db, db.transaction() as tx:
        mark_restored(tx, bridge.clock())


async def test_witnesses_that_are_silent_are_asked_more_and_more_seldom(bridge: Bridge) -> None:
    """Timeline: a bulletin is due; only VN's node, just restored, has a session; then LA's opens.

    Each time it is asked VN is told a head of 3.7 KB: every ten seconds that would be 32 MB a day.
    """
    async with bridge.node(LA) as la:
        await agreed(la)
        due = await la.send(wish(expires=bridge.clock() + MINUTE_MS))
        await eventually(lambda: states(la, due) == ["submitted"])
    await asyncio.to_thread(without_witness, bridge, VN)
    evidence, sweep = bridge.broker.state.evidence, bridge.broker._sweep
    async with bridge.node(VN) as vn:
        await eventually(lambda: vn.line.state.state == "open")
        pass_time(bridge, 2 * MINUTE_MS)
        heads = set()
        for _ in range(MINUTES * 6):
            pass_time(bridge, 10 * SECOND_MS)
            await sweep.look()
            assert evidence.published is not None
            heads.add(evidence.published.note)
        assert 4 <= len(heads) <= 12
        async with bridge.node(LA) as la:
            await eventually(lambda: states(la, due) == ["expired"])
