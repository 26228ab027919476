"""Where attacks happen: a real broker on real files and sockets, and real nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.bridge import KH, LA, Bridge
from support.brokers import World
from support.desks import ready_bridge


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs; la.ospp and kh.gpo are enrolled and agreed. Their nodes are the test."""
    made = World(tmp_path, LA, KH)
    await made.init()
    async with made.running():
        await made.enrol()
        yield made


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    """The same with the folders of real nodes, which the test starts."""
    async with ready_bridge() as made:
        yield made
