"""Who looks after a store says when its archive does not move."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from saphan_broker import store_care
from saphan_broker.alarms import Alarms
from saphan_broker.store_care import StoreCare
from saphan_schemas.errors import Unavailable


async def test_objects_that_stay_out_of_reach_are_an_alarm_until_they_are_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server's memory grows meanwhile; a short absence is none."""
    monkeypatch.setattr(store_care, "IDLE_SECONDS", 0)
    alarms, heard = Alarms(), list[list[str]]()

    async def archive_some() -> int:
        heard.append([alarm.code for alarm in alarms.active()])
        if len(heard) <= store_care.PATIENCE:
            raise Unavailable("blobs_unreachable", "injected")
        if len(heard) > store_care.PATIENCE + 1:
            raise asyncio.CancelledError
        return 0

    state: Any = SimpleNamespace(alarms=alarms, store=SimpleNamespace(archive_some=archive_some))
    with pytest.raises(asyncio.CancelledError):
        await StoreCare(state).archive()
    assert heard == [[]] * store_care.PATIENCE + [["archive"], []]
