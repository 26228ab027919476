"""The desk on another machine: a real node behind TLS, a desk with its own folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan.desk.inbox import Inbox
from support.bridge import Bridge, bridged, eventually, states, wish
from support.desks import desk_bridge, on_line


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        yield made


async def test_an_officer_reads_far_from_the_node(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        sent = await world.la.send(wish())
        await eventually(lambda: states(world.la, sent) == ["accepted"])
        async with on_line(folder, bridge) as (desk, line):
            assert line.handle == "dao"
            new = await Inbox(desk).pull(line)
            assert [row["id"] for row in new] == [sent.hex()]
            content = await Inbox(desk).read(line, sent)
            assert content["content"]["body"] == wish().body
            await asyncio.to_thread(Inbox(desk).keep, content)
        rows = world.kh.db.rows("SELECT handle FROM readings WHERE bulletin = ?", (sent,))
        assert rows == [("dao",)]
