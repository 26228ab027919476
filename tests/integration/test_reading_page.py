"""A bulletin's page at a desk: a real node, a real desk, what a browser would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox
from saphan.web.reading.opening import bring
from saphan_schemas.messages import LANGUAGES
from support.bridge import LA, Bridge, eventually, wish
from support.desk_letters import kept_here, letter
from support.desk_page import desk_page
from support.desks import desk_bridge, ready_bridge
from support.reading_page import Reader, reading, words


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


async def test_it_is_opened_by_a_signature_and_shown_as_a_document(bridge: Bridge) -> None:
    async with reading(bridge) as reader:
        sent = await reader.received()
        status, closed = await reader.page.get(f"/bulletins/{sent}")
        assert status == 200
        assert words("page.reading.open.button") in closed
        assert "WY" not in closed  # nothing of it is here before the reading is signed
        rows = reader.world.kh.db.rows("SELECT handle FROM readings")
        assert rows == []  # to look at the header signs nothing

        status, shown = await reader.page.post(f"/bulletins/{sent}/open")
        assert status == 200
        assert reader.world.kh.db.rows("SELECT handle FROM readings") == [("dao",)]
        for said in ("Drug case report", "118,000 methamphetamine tablets", "<dt", "WY"):
            assert said in shown
        assert 'lang="lo"' in shown
        assert 'lang="km"' in shown
        assert words("tlp.amber") in shown
        await reader.shows(f"/bulletins/{sent}", words("page.reading.proves.read"))


async def test_two_clicks_at_once_sign_one_reading(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reading(bridge) as reader:
        sent, desk = await reader.received(), reader.page.open
        signing, go_on, read = asyncio.Event(), asyncio.Event(), Inbox.read

        async def held(*given: Any) -> Any:
            signing.set()
            await go_on.wait()
            return await read(*given)

        monkeypatch.setattr(Inbox, "read", held)
        first = asyncio.create_task(bring(desk, sent))
        await signing.wait()
        second = asyncio.create_task(bring(desk, sent))
        await asyncio.sleep(0)  # it has asked the desk's one worker whether it is opened already
        await desk.work(lambda _: None)
        go_on.set()
        await asyncio.gather(first, second)
        signed = "SELECT handle FROM showings WHERE record IS NOT NULL"
        assert reader.world.kh.db.rows(signed) == [("dao",)]


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_the_life_of_a_bulletin_is_told_in_each_language(bridge: Bridge, lang: str) -> None:
    async with reading(bridge, lang) as reader:
        sent = await reader.received()
        shown = await reader.shows(
            f"/bulletins/{sent}", words("page.reading.proves.accepted", lang)
        )
        assert words("page.reading.proves.handover", lang) in shown
        assert words("page.reading.limit", lang) in shown
        assert "<svg" in shown


async def test_what_was_opened_is_read_again_without_a_line(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with desk_page(folder=folder, clock=bridge.clock) as page:
            await eventually(lambda: page.open.line.state.online)
            reader = Reader(world, page)
            sent, other = await reader.received(), await reader.received(urgency="immediate")
            await page.post(f"/bulletins/{sent}/open")
    async with desk_page(folder=folder, clock=bridge.clock) as page:
        await eventually(lambda: page.open.line.state.why)
        status, shown = await page.get(f"/bulletins/{sent}")
        assert status == 200
        assert "Drug case report" in shown
        assert words("page.reading.kept") in shown
        status, closed = await page.get(f"/bulletins/{other}")
        assert status == 200
        assert words("page.reading.open.offline") in closed
        status, refused = await page.post(f"/bulletins/{other}/open")
        assert status >= 400
        assert "Traceback" not in refused
        status, _ = await page.get(f"/bulletins/{'ab' * 32}")
        assert status == 400
        assert (await page.get("/bulletins/zz"))[0] == 404


async def test_a_recalled_bulletin_says_so_and_opens_no_more(bridge: Bridge) -> None:
    async with reading(bridge) as reader:
        sent = await reader.received()
        await reader.page.post(f"/bulletins/{sent}/open")
        bulletin = bytes.fromhex(sent)
        await reader.world.la.recalls.order(bulletin, "error", "keeper")
        shown = await reader.shows(f"/bulletins/{sent}", words("recall_reason.error"))
        assert "notice bad" in shown


async def test_a_correction_strikes_through_what_it_changes(bridge: Bridge) -> None:
    async with reading(bridge) as reader:
        sent = await reader.received()
        await reader.page.post(f"/bulletins/{sent}/open")
        first = wish(name="drug_seizure")
        about = first.about | {
            "message_kind": "correction",
            "reference": "LA-OSPP-2025-SZ-0032",
            "relations": [{"kind": "corrects", "bulletin_id": sent}],
        }
        body = first.body | {"narrative": {"en": "Nobody was arrested."}}
        corrected = await reader.world.la.send(replace(first, about=about, body=body))
        await eventually(lambda: reader.page.open.rows.get(corrected.hex()))
        _, shown = await reader.page.post(f"/bulletins/{corrected.hex()}/open")
        assert "Nobody was arrested.</span></div></div></ins>" in shown
        assert "A dog indicated the cargo bed" in shown.split("Nobody was arrested")[0]
        assert words("page.reading.changed") in shown
        old = await reader.shows(f"/bulletins/{sent}", words("page.reading.replaced"))
        assert "<del>" in old
        assert corrected.hex() in old


async def test_a_thread_is_seen_from_both_ends(bridge: Bridge) -> None:
    async with reading(bridge) as reader:
        first = await reader.received()
        related = wish(name="drug_seizure")
        about = related.about | {"relations": [{"kind": "related", "bulletin_id": first}]}
        second = await reader.came(await reader.world.la.send(replace(related, about=about)))
        shown = await reader.shows(f"/bulletins/{first}", words("page.reading.kind.back_related"))
        assert f"/bulletins/{second}" in shown
        assert "Drug case report" not in shown  # neither was opened here
        await reader.page.post(f"/bulletins/{second}/open")
        back = await reader.shows(f"/bulletins/{second}", words("page.reading.kind.related"))
        assert f"/bulletins/{first}" in back


async def test_who_wrote_it_reads_it_at_once_with_what_became_of_it(bridge: Bridge) -> None:
    async with reading(bridge) as reader:

        def write(desk: Desk) -> None:
            Outbox(desk).queue(letter(LA), Inbox(desk).corridors())

        await reader.page.open.work(write)
        await reader.page.open.ask(lambda desk, line: Outbox(desk).send(line))
        (sent,) = kept_here(reader.world)
        shown = await reader.shows(f"/bulletins/{sent.hex()}", words("page.reading.do.recall"))
        assert "Drug case report" in shown
        assert words("page.reading.open.button") not in shown
        assert reader.world.kh.db.rows("SELECT handle FROM readings") == []
        await reader.shows(f"/bulletins/{sent.hex()}", words("page.reading.proves.accepted"))
