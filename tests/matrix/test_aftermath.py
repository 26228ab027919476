"""Every effect of a recall and of a hold fails, and of what is entered into the directory."""

from __future__ import annotations

import pytest

from matrix.effects import Fault
from matrix.running import cases, check, prepared
from matrix.world import on_sqlite

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize(
    ("story", "fault"), cases("recall", "hold", "rotate", "revoke", "register")
)
async def test_it_goes_on_after_every_fault(
    monkeypatch: pytest.MonkeyPatch, story: str, fault: Fault | None
) -> None:
    effects = prepared(monkeypatch)
    await check(on_sqlite(effects), story, fault)
