"""A statement that was dated by a clock that ran ahead is said anew once the clock is right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saphan.node.rows.statements import Said, sign_statements
from saphan.node.signing_anew import sign_refused
from saphan_protocol.keys import SigningKey
from saphan_schemas.limits import HOUR_MS
from saphan_schemas.records import Event
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, states, wish


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


@pytest.fixture
def leaped(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Handovers are dated an hour ahead the first time that they are said; gives which were."""
    dated = list[Event]()

    def signed(key: SigningKey, agency: str, said: Sequence[Said]) -> Any:
        ahead = [one for one in said if one.event is Event.HANDOVER and not dated]
        dated.extend(one.event for one in ahead)
        times = [replace(one, time=one.time + HOUR_MS) if one in ahead else one for one in said]
        return sign_statements(key, agency, times)

    monkeypatch.setattr("saphan.node.storing.sign_statements", signed)
    return dated


async def test_in_the_same_session(bridge: Bridge, leaped: list[Event]) -> None:
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        assert leaped == [Event.HANDOVER]


async def test_once_the_clock_is_right(
    bridge: Bridge, leaped: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the broker refuses it the clock is still ahead, and the session goes on."""
    monkeypatch.setattr("saphan.node.wire.pumps.CLOCK_WAIT_MS", 50)
    asked = list[int]()

    def still_ahead(*given: Any) -> list[int]:
        asked.append(1)
        return [] if len(asked) < 3 else sign_refused(*given)

    monkeypatch.setattr("saphan.node.wire.pumps.sign_refused", still_ahead)
    async with bridge.node(LA) as la, bridge.node(KH):
        await agreed(la)
        bulletin = await la.send(wish())
        await eventually(lambda: states(la, bulletin) == ["accepted"])
        assert (leaped, len(asked)) == ([Event.HANDOVER], 3)


async def test_in_the_next_session(
    bridge: Bridge, leaped: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is still ahead when the broker refuses; it is right when the node comes again."""
    async with bridge.node(LA) as la:
        await agreed(la)
        async with bridge.node(KH):
            with monkeypatch.context() as still:
                still.setattr("saphan.node.wire.pumps.sign_refused", lambda *_: [])
                bulletin = await la.send(wish())
                await eventually(lambda: leaped)
                refused = bridge.broker.state.counters.refused
                await eventually(lambda: refused["stated_in_future"])
        async with bridge.node(KH):
            await eventually(lambda: states(la, bulletin) == ["accepted"])
