"""A desk hears that its officer is named now, because nobody has read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
from saphan.desk.inbox import Inbox
from saphan.node.events import WARNING
from saphan.node.policy.settings import SETTINGS_NAME
from saphan_schemas.limits import HOUR_MS
from support.bridge import KH, Bridge, eventually, states, wish
from support.desks import DeskBridge, desk_bridge, on_line, ready_bridge


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


async def escalate(world: DeskBridge, *steps: tuple[float, str]) -> None:
    """kh.gpo's keeper names who is told when nobody reads."""
    escalation = [{"share": share, "to": [handle]} for share, handle in steps]
    notice = {"command": ["/bin/true"], "escalate": escalation}
    path = world.bridge.offices[KH].node / SETTINGS_NAME
    await asyncio.to_thread(path.write_text, json.dumps({"saphan": "settings/1", "notice": notice}))
    await world.kh.reread_settings()


async def later(world: DeskBridge, millis: int) -> None:
    world.bridge.clock.ahead += millis
    world.bridge.node_clock.ahead += millis
    await world.kh.reread_settings()


def accepted(world: DeskBridge, bulletin: bytes) -> bool:
    return states(world.la, bulletin) == ["accepted"]


async def test_the_desk_named_next_hears_of_what_nobody_has_read(bridge: Bridge) -> None:
    """Timeline: dao's desk waits on the line; half of the time passes; only then it is named."""
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        await escalate(world, (0.5, "dao"))
        await eventually(lambda: world.kh.db.row("SELECT 1 FROM facts WHERE name = 'noticed'"))
        async with on_line(folder, bridge) as (desk, line):
            sent = await world.la.send(wish(expires=bridge.clock() + 10 * HOUR_MS))
            await eventually(lambda: states(world.la, sent) == ["accepted"])
            found: list[str] = []
            while not found:
                assert await line.news() == frozenset()
                found = [row["id"] for row in await Inbox(desk).pull(line)]
            await later(world, 5 * HOUR_MS)
            while not (named := await line.news()):
                pass
            assert named == {sent.hex()}


async def test_a_desk_hears_of_a_deadline_that_concerns_its_officer(bridge: Bridge) -> None:
    """Timeline: two bulletins near a deadline; the rules show one of them to dao."""
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        rules = [{"officers": ["dao"], "schemas": ["saphan/case_statistics/1"]}]
        path = world.bridge.offices[KH].node / SETTINGS_NAME
        settings = json.dumps({"saphan": "settings/1", "rules": rules})
        await asyncio.to_thread(path.write_text, settings)
        await world.kh.reread_settings()
        names = ("case_statistics", "drug_seizure")
        sent = [await world.la.send(wish(name=name)) for name in names]
        for one in sent:
            await eventually(partial(accepted, world, one))
        async with on_line(folder, bridge) as (_, line):
            events = [{"type": WARNING, "id": one.hex()} for one in sent]

            async def told() -> frozenset[str]:
                while not (named := await line.news()):
                    pass
                return named

            hearing = asyncio.create_task(told())
            while not hearing.done():  # until the node listens for this desk
                world.kh.events.publish(events)
                await asyncio.sleep(0.05)
            assert hearing.result() == {sent[0].hex()}
