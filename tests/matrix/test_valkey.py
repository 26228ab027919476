"""The broker's effects fail while its store lies on a Valkey: of every story in `make matrix`."""

from __future__ import annotations

from pathlib import Path

import pytest

from matrix.effects import Fault
from matrix.every_story import OF_NODES
from matrix.running import WHOLE, cases, check, prepared
from matrix.seams import BROKER
from matrix.world import on_valkey

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.long
@pytest.mark.parametrize(
    ("story", "fault"), cases(*(OF_NODES if WHOLE else ("deliver", "register")))
)
async def test_it_goes_on_after_every_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, story: str, fault: Fault | None
) -> None:
    effects = prepared(monkeypatch)
    await check(on_valkey(effects, tmp_path), story, fault, only=BROKER)
