"""Every engine of the broker's store, for the one suite they all have to pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.store.base import Store
from saphan_broker.store.memory import MemoryStore
from saphan_broker.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    else:
        made = await SqliteStore.create(tmp_path / "data")
    yield made
    await made.close()
