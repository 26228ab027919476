"""The broker's effects of a delivery fail while its store lies on a Valkey."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from matrix.running import check, prepared
from matrix.seams import BROKER
from matrix.world import on_valkey

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("story", ["deliver", "register"])
async def test_it_goes_on_after_every_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, story: str
) -> None:
    effects = prepared(monkeypatch)
    places = (tmp_path / str(number) for number in itertools.count())
    await check(lambda: on_valkey(effects, next(places)), story, only=BROKER)
