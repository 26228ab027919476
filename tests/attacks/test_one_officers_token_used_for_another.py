"""Somebody has an officer's token of the local API, and a key, a record or a wish of another's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from saphan.api_rights import Right
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.node.service import NodeService
from saphan.node.token_kept import Wanted
from support.api_tokens import Asking, Pen, another_officer, holder, http_to
from support.bridge import KH, LA, OFFICERS, Bridge, agreed, eventually, opened, states, wish

SEND = "/v1/bulletins/signed"


@dataclass(frozen=True, slots=True)
class Office:
    """kh.gpo's node with the officers sokha and lim; one bulletin has come for sokha only."""

    node: NodeService
    http: aiohttp.ClientSession
    sokha: Pen
    lim: Pen
    bulletin: str

    @property
    def path(self) -> str:
        return f"/v1/bulletins/{self.bulletin}"

    async def token(self, handle: str) -> Asking:
        """Whoever holds this officer's token."""
        return await holder(self.http, self.node, Wanted(name=f"of-{handle}", officer=handle))


@pytest.fixture
async def office(bridge: Bridge) -> AsyncIterator[Office]:
    async with (
        bridge.broker_running(),
        bridge.node(LA) as la,
        bridge.node_with_api(KH) as kh,
        http_to(kh) as http,
    ):
        await agreed(la)
        await opened(kh)
        lim, sokha = await another_officer(bridge, kh, "lim"), Pen(bridge, KH, OFFICERS[KH])
        await shown_to(bridge, kh, sokha.handle)
        sent = await la.send(wish())
        await eventually(lambda: states(la, sent) == ["accepted"])
        yield Office(kh, http, sokha, lim, sent.hex())


async def shown_to(bridge: Bridge, node: NodeService, *handles: str) -> None:
    """The rules of kh.gpo's node from now on."""
    settings = {"saphan": "settings/1", "rules": [{"officers": handles, "past": True}]}
    path = bridge.offices[KH].node / SETTINGS_NAME
    await asyncio.to_thread(path.write_text, json.dumps(settings))
    await node.reread_settings()


async def test_he_sees_with_it_what_the_other_one_is_shown(office: Office) -> None:
    thief = await office.token("lim")
    _, page = await thief.ask("GET", "/v1/inbox")
    assert page["bulletins"] == []
    for beneath in ("", "/attachments/1"):
        assert await thief.code("GET", office.path + beneath) == "bulletin_unknown"


async def test_he_reads_under_it_as_the_other_one(bridge: Bridge, office: Office) -> None:
    """He has sokha's signed reading, from sokha's own machine, and lim's token; or the reverse.
    That both may read it makes no difference."""
    thief = await office.token("lim")
    await shown_to(bridge, office.node, "sokha", "lim")
    reading = await office.sokha.reading(office.bulletin)
    assert await thief.code("POST", f"{office.path}/read", json=reading) == "token_scope"
    own = await office.lim.reading(office.bulletin)
    other = await office.token("sokha")
    assert await other.code("POST", f"{office.path}/read", json=own) == "token_scope"
    assert office.node.db.rows("SELECT 1 FROM readings") == []
    assert await other.code("POST", f"{office.path}/read", json=reading) == 200


async def test_he_sends_under_it_as_the_other_one(office: Office) -> None:
    """Signed by sokha, or by lim in sokha's name, or by sokha in lim's."""
    thief, notice = await office.token("lim"), wish(LA)
    for body in (
        await office.sokha.signed(notice),
        await office.lim.signed(notice, author=office.sokha.handle),
        await office.sokha.signed(notice, author=office.lim.handle),
    ):
        assert await thief.code("POST", SEND, json=body) == "token_scope"
    assert office.node.bulletins.sent(0, 9) == []


async def test_he_asks_after_what_the_other_one_has_sent(office: Office) -> None:
    """Own bulletins are their author's: not in his list, not by their id."""
    owner = await office.token("sokha")
    status, sent = await owner.ask("POST", SEND, json=await office.sokha.signed(wish(LA)))
    assert status == 202
    thief = await office.token("lim")
    assert (await thief.ask("GET", "/v1/bulletins"))[1]["bulletins"] == []
    assert await thief.code("GET", f"/v1/bulletins/{sent['id']}") == "bulletin_unknown"
    assert [row["id"] for row in (await owner.ask("GET", "/v1/bulletins"))[1]["bulletins"]] == [
        sent["id"]
    ]


async def test_he_makes_himself_another_one(office: Office) -> None:
    """Neither an officer nor a system gives tokens, and nobody reads as a system with one."""
    thief = await office.token("lim")
    wanted = {"name": "more", "officer": "sokha"}
    assert await thief.code("POST", "/v1/tokens", json=wanted) == "token_scope"
    assert await thief.code("GET", "/v1/tokens") == "token_scope"
    assert await thief.code("GET", f"{office.path}/content") == "token_scope"
    system = await holder(office.http, office.node, Wanted(name="cases", rights=frozenset(Right)))
    assert await system.code("POST", "/v1/tokens", json=wanted) == "token_scope"
    reading = await office.sokha.reading(office.bulletin)
    assert await system.code("POST", f"{office.path}/read", json=reading) == "token_scope"
    body = await office.sokha.signed(wish(LA))
    assert await system.code("POST", SEND, json=body) == "token_scope"
