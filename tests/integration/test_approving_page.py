"""Four eyes at the page: opened by a signature, the exact bytes signed, or refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from saphan.desk.form_drafts import FormDrafts
from saphan.desk.line import DeskLine
from saphan.desk.outbox import Outbox
from saphan.desk.second import SecondEyes
from support import officers
from support.bridge import LA, Bridge, eventually, states
from support.desk_page import DeskPage, desk_page
from support.desks import DeskBridge, desk_bridge, ready_bridge
from support.reading_page import until, words
from support.writing_page import SEIZURE, begun, filled


@dataclass
class Office:
    """kh.gpo's dao and vanna before their pages; what dao writes needs both."""

    world: DeskBridge
    dao: DeskPage
    vanna: DeskPage

    async def written(self) -> str:
        """A bulletin of dao's that waits; the id of its draft."""
        number = await begun(self.dao)
        form = await filled(self.dao, number)
        status, shown = await self.dao.post(f"/drafts/{number}/send", {"digest": form.digest})
        assert status == 200
        assert words("page.sending.state.countersign") in shown
        found = re.search(r'href="/approve/([0-9a-f]{64})"', shown)
        assert found
        return found[1]


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


@asynccontextmanager
async def office(bridge: Bridge) -> AsyncIterator[Office]:
    async with desk_bridge(bridge) as world:
        await officers.settings(bridge, world.kh, four_eyes=[{"schemas": [SEIZURE]}])
        one, two = await world.desk("dao"), await world.desk("vanna")
        async with (
            desk_page(folder=one, clock=bridge.clock) as dao,
            desk_page(folder=two, clock=bridge.clock) as vanna,
        ):
            await until(lambda: dao.get(f"/write?type={SEIZURE}"), f'value="{LA}"')
            await eventually(lambda: vanna.open.line.state.online)
            yield Office(world, dao, vanna)


async def test_it_leaves_when_a_second_officer_has_read_and_signed_it(bridge: Bridge) -> None:
    async with office(bridge) as here:
        draft = await here.written()
        status, listed = await here.vanna.get("/approve")
        assert status == 200
        assert words("page.approving.may") in listed
        status, closed = await here.vanna.get(f"/approve/{draft}")
        assert status == 200
        assert "118,000" not in closed  # nothing is shown before the reading is signed
        status, refused = await here.vanna.post(f"/approve/{draft}/sign")
        assert (status, "countersign_unread" in refused) == (400, True)
        status, shown = await here.vanna.post(f"/approve/{draft}/open")
        assert status == 200
        assert "118,000 methamphetamine tablets" in shown
        assert draft in shown
        status, done = await here.vanna.post(f"/approve/{draft}/sign")
        assert status == 200
        assert words("page.approving.signed") in done

        async def sent() -> bytes | None:
            (one,) = await here.dao.open.work(lambda desk: Outbox(desk).all())
            return one.bulletin

        await until(lambda: here.dao.get("/sent"), words("event.accepted"))
        bulletin = await sent()
        assert bulletin is not None
        assert states(here.world.kh, bulletin) == ["accepted"]
        assert await here.dao.open.work(lambda desk: FormDrafts(desk).all()) == []


async def test_what_is_shown_is_what_is_signed_whatever_the_list_says(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office(bridge) as here:
        draft = await here.written()
        await here.vanna.post(f"/approve/{draft}/open")
        listed = SecondEyes.waiting

        async def lies(eyes: SecondEyes, line: DeskLine) -> list[dict[str, Any]]:
            lie: dict[str, Any] = {"schema": "saphan/training_notice/1", "recipients": ["th.oncb"]}
            lie |= {"author": "keo", "exercise": False}
            return [row | lie for row in await listed(eyes, line)]

        monkeypatch.setattr(SecondEyes, "waiting", lies)
        status, shown = await here.vanna.get(f"/approve/{draft}")
        head = shown.partition("<h1>")[2]
        assert status == 200
        assert "th.oncb" not in head
        assert "keo" not in head
        assert "dao → la.ospp" in head
        assert words("page.look.exercise_band") in head


async def test_what_is_refused_comes_back_to_its_author_as_a_form(bridge: Bridge) -> None:
    async with office(bridge) as here:
        draft = await here.written()
        await here.vanna.post(f"/approve/{draft}/open")
        status, shown = await here.vanna.post(f"/approve/{draft}/refuse", {"reason": "x" * 401})
        assert (status, "reason_length" in shown) == (400, True)
        status, shown = await here.vanna.post(
            f"/approve/{draft}/refuse", {"reason": "the weight is wrong <b>"}
        )
        assert status == 200
        assert words("page.approving.refused") in shown
        shown = await until(lambda: here.dao.get("/drafts"), words("page.sending.came_back"))
        found = re.search(r'href="/drafts/(\d+)"', shown)
        assert found
        status, form = await here.dao.get(f"/drafts/{found[1]}")
        assert status == 200
        assert "the weight is wrong &lt;b&gt;" in form


async def test_the_author_takes_it_back_and_signs_it_never(bridge: Bridge) -> None:
    async with office(bridge) as here:
        draft = await here.written()
        status, shown = await here.dao.get(f"/approve/{draft}")
        assert status == 200
        assert words("page.approving.withdraw_note") in shown
        await here.dao.post(f"/approve/{draft}/open")
        status, shown = await here.dao.post(f"/approve/{draft}/sign")
        assert (status, "countersign_self" in shown) == (403, True)
        status, shown = await here.dao.post(f"/approve/{draft}/refuse")
        assert status == 200
        assert words("page.approving.withdrawn") in shown
        assert words("page.approving.none") in (await here.vanna.get("/approve"))[1]
        status, shown = await here.vanna.get(f"/approve/{draft}")
        assert (status, "countersign_unknown" in shown) == (400, True)
