"""Every effect of a desk fails, and of the node that serves it: an officer sends, and reads."""

from __future__ import annotations

import pytest

from matrix.desk_world import with_desk
from matrix.running import check, prepared

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("story", ["desk sends", "desk reads"])
async def test_it_goes_on_after_every_fault(monkeypatch: pytest.MonkeyPatch, story: str) -> None:
    effects = prepared(monkeypatch)
    await check(lambda: with_desk(effects), story)
