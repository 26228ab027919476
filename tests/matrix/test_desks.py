"""Every effect of a desk fails, and of the node that serves it: an officer sends, and reads."""

from __future__ import annotations

import pytest

from matrix.desk_world import with_desk
from matrix.effects import Fault
from matrix.running import cases, check, prepared

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize(("story", "fault"), cases("desk sends", "desk reads"))
async def test_it_goes_on_after_every_fault(
    monkeypatch: pytest.MonkeyPatch, story: str, fault: Fault | None
) -> None:
    effects = prepared(monkeypatch)
    await check(with_desk(effects), story, fault)
