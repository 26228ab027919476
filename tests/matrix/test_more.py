"""Every effect of attachments, of four eyes, of the end of a hold, and of an agency's own type."""

from __future__ import annotations

import pytest

from matrix.effects import Fault
from matrix.more_stories import MORE
from matrix.running import cases, check, prepared
from matrix.world import on_sqlite

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize(("story", "fault"), cases(*(name for name in MORE if name != "read")))
async def test_it_goes_on_after_every_fault(
    monkeypatch: pytest.MonkeyPatch, story: str, fault: Fault | None
) -> None:
    effects = prepared(monkeypatch)
    await check(on_sqlite(effects), story, fault)
