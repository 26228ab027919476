"""A ciphertext that comes after its entry: fetched, checked, and only then handed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from saphan_broker.sessions import downloads
from saphan_broker.state import State
from saphan_schemas.frames import FetchPart, PartFetched
from support.bridge import KH, LA, agreed, bridged, eventually, states, wish


async def test_a_long_ciphertext_is_fetched_behind_the_short_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kh.gpo comes to a backlog: its line has shown nothing yet, so the longest comes in parts."""
    fetched: list[tuple[int, int]] = []
    really = downloads.fetch_part

    async def fetch_part(state: State, agency: str, frame: FetchPart) -> PartFetched:
        fetched.append((frame.place, frame.offset))
        return await really(state, agency, frame)

    monkeypatch.setattr(downloads, "fetch_part", fetch_part)
    long = wish(name="training_notice")
    long.body["eligibility"] = {language: ("word " * 700).strip() for language in ("en", "lo")}
    long.about["summary"] = {language: ("word " * 700).strip() for language in ("en", "lo")}
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            sent = [await la.send(one) for one in (long, wish(), wish())]
            await eventually(lambda: all(states(la, one) != ["queued"] for one in sent))
            async with bridge.node(KH):
                await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent))
    assert fetched
    assert {place for place, _offset in fetched} == {0}
    assert sorted(set(fetched)) == sorted(fetched)  # nothing twice
