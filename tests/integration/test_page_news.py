"""A page with a real node: what comes is told at once, and clocks run by themselves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from saphan.desk.folder import DeskFolder
from saphan.node.policy.settings import SETTINGS_NAME
from saphan_schemas.limits import HOUR_MS
from saphan_schemas.messages import LANGUAGES
from support.bridge import KH, LA, Bridge, eventually, states, wish
from support.desk_page import DeskPage, desk_page
from support.desks import DeskBridge, desk_bridge, ready_bridge
from support.threads import accepted, after, known, letter


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


@asynccontextmanager
async def page_of(
    world: DeskBridge, folder: DeskFolder, lang: str = "en"
) -> AsyncIterator[DeskPage]:
    """The page of a desk that kh.gpo's node knows, on the line."""
    async with desk_page(folder=folder, clock=world.bridge.clock, lang=lang) as page:
        await eventually(lambda: page.open.line.state.online and not page.open.line.state.busy)
        yield page


async def topics(page: DeskPage, wanted: str) -> list[str]:
    """What the stream of events names, until it names this."""
    found: list[str] = []
    async with page.http.get(page.url("/events"), headers=page.headers()) as answer:
        assert answer.content_type == "text/event-stream"
        async for line in answer.content:
            if line.startswith(b"data: "):
                found.append(line.split()[-1].decode())
            if wanted in found:
                break
    return found


async def test_what_comes_is_told_and_is_on_the_next_look(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world, page_of(world, await world.desk()) as page:
        heard = asyncio.create_task(topics(page, "inbox"))
        _, text = await page.get("/inbox")
        assert 'action="/line"' not in text  # there is a line
        sent = await world.la.send(wish())
        assert "inbox" in await asyncio.wait_for(heard, 20)
        await eventually(lambda: page.open.rows.get(sent.hex()) is not None)
        _, text = await page.get("/inbox")
        assert f"/bulletins/{sent.hex()}" in text
        assert page.open.rows.unread == 1
        row = page.open.rows.get(sent.hex())
        assert row is not None
        assert (row.sender, row.opened) == (LA, False)
        await eventually(lambda: states(world.la, sent) == ["accepted"])


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_what_is_owed_stands_with_its_clock(bridge: Bridge, lang: str) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        ours = await accepted(world.kh, letter("info_request", (LA,)))
        theirs = await accepted(world.la, letter("info_request", (KH,)))
        await known(world.kh, theirs)
        async with page_of(world, folder, lang) as page:
            await eventually(lambda: len(page.open.standing.owed) == 2)
            status, text = await page.get("/owed")
            assert status == 200
            mine, _, others = text.partition('id="owed-theirs"')
            assert f"/write?reply={theirs.hex()}" in mine
            assert ours.hex() not in mine
            assert ours.hex() in others
            assert page.place.say("page.owed.state.waiting") in mine
            # In the list of what came it asks for attention, whoever has read it.
            _, text = await page.get("/inbox?state=owed")
            assert theirs.hex() in text
            # The clocks run without the node.
            after(bridge, 24 * 9)
            _, text = await page.get("/owed")
            assert text.count(page.place.say("page.owed.state.overdue")) == 2
            assert 'class="clock bad"' in text
            _, text = await page.get("/inbox")
            assert page.place.say("page.inbox.group.overdue") in text
            assert page.open.standing.owes(KH).keys() == {theirs.hex()}


async def test_who_is_named_because_nobody_has_read_it_sees_that_in_the_list(
    bridge: Bridge,
) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        notice = {"command": ["/bin/true"], "escalate": [{"share": 0.5, "to": ["dao"]}]}
        path = bridge.offices[KH].node / SETTINGS_NAME
        value = json.dumps({"saphan": "settings/1", "notice": notice})
        await asyncio.to_thread(path.write_text, value)
        await world.kh.reread_settings()
        await eventually(lambda: world.kh.db.row("SELECT 1 FROM facts WHERE name = 'noticed'"))
        async with page_of(world, folder) as page:
            asked = page.place.say("page.inbox.named")
            sent = await world.la.send(wish(expires=bridge.clock() + 10 * HOUR_MS))
            await eventually(lambda: page.open.rows.get(sent.hex()) is not None)
            assert asked not in (await page.get("/inbox"))[1]
            after(bridge, 5)
            await world.kh.reread_settings()
            await eventually(lambda: sent.hex() in page.open.line.named)
            assert asked in (await page.get("/inbox"))[1]


async def test_a_line_that_waiting_does_not_mend_says_what_to_do(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with page_of(world, folder) as page:
            key = await page.open.work(lambda desk: desk.key.key_id)
            await world.revoke(key)
            await eventually(lambda: page.open.line.state.grave)
            why = page.open.line.state.why
            assert why is not None
            assert why.code == "key_revoked"
            status, text = await page.get("/inbox")
            assert status == 200
            assert "notice strip bad" in text
            assert page.place.say("error.key_revoked") in text
