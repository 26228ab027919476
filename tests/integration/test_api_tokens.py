"""What holders of tokens see, send and hear at the local API of a real node."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from saphan import Node
from saphan.api_rights import Right
from saphan.node.api import guard as api_guard
from saphan.node.api.views import View
from saphan.node.callers import Keeper, Officer, System
from saphan.node.files import uploads
from saphan.node.service import NodeService
from saphan.node.token_kept import Wanted
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.samples import sample
from support.api_tokens import (
    Asking,
    Pen,
    another_officer,
    holder,
    http_to,
    keeper,
    officer_leaves,
)
from support.bridge import (
    KH,
    LA,
    OFFICERS,
    Bridge,
    agreed,
    bridged,
    eventually,
    opened,
    states,
    wish,
)

STATISTICS, SEIZURE = "saphan/case_statistics/1", "saphan/drug_seizure/1"
SEEING = frozenset({Right.READ, Right.STATUS, Right.EVENTS})


@dataclass(frozen=True, slots=True)
class Both:
    """Two agencies that agreed; connections to the recipient's local API."""

    bridge: Bridge
    la: NodeService
    kh: NodeService
    http: aiohttp.ClientSession

    async def system(self, name: str = "cases", **wanted: Any) -> Asking:
        wanted.setdefault("rights", SEEING)
        return await holder(self.http, self.kh, Wanted(name=name, **wanted))

    async def officer(self, handle: str = OFFICERS[KH], name: str = "hers") -> Asking:
        return await holder(self.http, self.kh, Wanted(name=name, officer=handle))

    async def arrived(self, name: str = "case_statistics") -> str:
        """Id of a bulletin that la.ospp has sent and kh.gpo accepted."""
        bulletin = await self.la.send(wish(name=name))
        await eventually(lambda: states(self.la, bulletin) == ["accepted"])
        return bulletin.hex()


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    async with (
        bridged(tmp_path) as bridge,
        bridge.broker_running(),
        running(bridge) as (la, kh),
        http_to(kh) as http,
    ):
        yield Both(bridge, la, kh, http)


@asynccontextmanager
async def running(bridge: Bridge) -> AsyncIterator[tuple[NodeService, NodeService]]:
    await bridge.enrol()
    async with bridge.node_with_api(LA) as la, bridge.node_with_api(KH) as kh:
        await agreed(la)
        await opened(kh)
        yield la, kh


def ids(answer: dict[str, Any]) -> list[str]:
    return [row["id"] for row in answer["bulletins"]]


async def heard(asking: Asking, told: list[dict[str, Any]]) -> int:
    """Events of a caller's stream until it ends; the status with which it began."""
    headers = {"Authorization": f"Bearer {asking.token}"}
    async with asking.http.get("/v1/events", headers=headers) as stream:
        async for line in stream.content:
            if line.startswith(b"data: "):
                told.append(json.loads(line[6:]))  # noqa: PERF401 (looked at meanwhile)
        return stream.status


# --- systems --------------------------------------------------------------------------------------


async def test_a_system_of_some_types_knows_of_no_others(both: Both) -> None:
    first, other = await both.arrived("drug_seizure"), await both.arrived()
    last = await both.arrived("drug_seizure")
    system = await both.system(schemas=frozenset({SEIZURE}), rights=SEEING | {Right.SEND})
    _, page = await system.ask("GET", "/v1/inbox?limit=1")
    assert (ids(page), page["more"]) == ([first], True)
    _, page = await system.ask("GET", f"/v1/inbox?limit=1&after={page['next']}")
    assert (ids(page), page["more"]) == ([last], False)
    for path in ("", "/content", "/attachments/1"):
        assert await system.code("GET", f"/v1/bulletins/{other}{path}") == "bulletin_unknown"
    assert await system.code("GET", f"/v1/bulletins/{first}/content") == 200
    unwanted = {"to": [LA], "schema": STATISTICS, **content("case_statistics")}
    assert await system.code("POST", "/v1/bulletins", json=unwanted) == "token_scope"
    # The other type passes the guard of the token, and is judged by the agreement.
    whole = await keeper(both.http, both.kh)
    assert await whole.code("GET", f"/v1/bulletins/{other}") == 200


def content(name: str) -> dict[str, Any]:
    whole = sample(name)
    return {"about": whole["about"], "body": whole["body"]}


async def test_a_system_hears_of_its_types_only_and_until_its_token_ends(both: Both) -> None:
    system = await both.system(schemas=frozenset({SEIZURE}))
    told: list[dict[str, Any]] = []
    before = both.kh.events.listeners
    listening = asyncio.create_task(heard(system, told))
    await eventually(lambda: both.kh.events.listeners > before)
    other, own = await both.arrived(), await both.arrived("drug_seizure")
    await eventually(lambda: any(event.get("id") == own for event in told))
    assert other not in {event.get("id") for event in told}
    both.kh.tokens.revoke("cases")
    already = len(told)
    await both.arrived("drug_seizure")
    assert await listening == 200
    assert len(told) == already


async def test_attachments_are_for_the_system_that_has_read(both: Both, tmp_path: Path) -> None:
    """What somebody else of the agency has read opens nothing for a system of it."""
    file = tmp_path / "seal.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    async with Node(both.bridge.place / LA) as node:
        schema, said = SEIZURE, content("drug_seizure")
        bulletin = await node.send(to=KH, schema=schema, attachments=[file], exercise=True, **said)
    await eventually(lambda: states(both.la, bytes.fromhex(bulletin)) == ["accepted"])
    first, second = await both.system("first"), await both.system("second")
    path = f"/v1/bulletins/{bulletin}"
    assert await first.code("GET", f"{path}/attachments/1") == "attachment_unread"
    assert await first.code("GET", f"{path}/content") == 200
    assert await first.code("GET", f"{path}/attachments/1") == 200
    assert await second.code("GET", f"{path}/attachments/1") == "attachment_unread"
    readers = both.kh.db.rows("SELECT reader FROM readings")
    assert readers == [(b"system:first",)]
    officer = await both.officer()
    assert await officer.code("GET", f"{path}/attachments/1") == "attachment_unread"
    pen = Pen(both.bridge, KH, OFFICERS[KH])
    assert await officer.code("POST", f"{path}/read", json=await pen.reading(bulletin)) == 200
    assert await officer.code("GET", f"{path}/attachments/1") == 200


async def test_by_a_digest_alone_nobody_comes_to_a_file(both: Both) -> None:
    """Timeline: one system brings a file, another names it; both bring it; each sends its own."""
    data = b"\x89PNG\r\n\x1a\n" + bytes(64)
    digest = hashlib.sha256(data).hexdigest()
    path = f"/v1/attachments/{digest}"
    named = {"digest": digest, "name": "seal.png", "media_type": "image/png", "role": "other"}
    bulletin = {"to": [LA], "schema": SEIZURE, **content("drug_seizure"), "attachments": [named]}
    rights = frozenset({Right.SEND})
    one = await both.system("one", rights=rights)
    other = await both.system("other", rights=rights)

    async def bring(asking: Asking) -> tuple[int, dict[str, Any]]:
        return await asking.ask("PUT", f"{path}?length={len(data)}", data=data)

    whole, nothing = {"held": len(data), "whole": True}, {"held": 0, "whole": False}
    assert await bring(one) == (200, whole)
    assert await other.ask("GET", path) == (200, nothing)
    assert (await (await keeper(both.http, both.kh)).ask("GET", path))[1] == nothing
    send = "/v1/bulletins"
    assert await other.code("POST", send, json=bulletin) == "attachment_missing"
    assert await bring(other) == (200, whole)
    assert await other.code("POST", send, json=bulletin) == 202
    assert await one.ask("GET", path) == (200, whole)
    assert await one.code("POST", send, json=bulletin) == 202
    left = both.kh.config.blobs / "uploads"
    assert await asyncio.to_thread(lambda: list(left.iterdir())) == []


async def test_what_one_system_leaves_behind_keeps_nobody_waiting(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LIMITS", replace(LIMITS, uploads_owner_bytes=100))
    rights = frozenset({Right.SEND})
    one = await both.system("one", rights=rights)
    other = await both.system("other", rights=rights)

    async def bring(asking: Asking, data: bytes) -> object:
        path = f"/v1/attachments/{hashlib.sha256(data).hexdigest()}?length={len(data)}"
        return await asking.code("PUT", path, data=data)

    assert await bring(one, bytes(60)) == 200
    assert await bring(one, bytes(41)) == "uploads_full"
    assert await bring(other, bytes(41)) == 200
    assert await bring(one, bytes(40)) == 200


async def test_one_caller_leaves_the_others_their_places(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_guard, "LIMITS", replace(LIMITS, api_caller_streams=1))
    one, other = await both.system("one"), await both.system("other")

    def stream(asking: Asking) -> Any:
        headers = {"Authorization": f"Bearer {asking.token}"}
        return both.http.get("/v1/events", headers=headers)

    async with stream(one) as first, stream(one) as second, stream(other) as theirs:
        assert [first.status, second.status, theirs.status] == [200, 503, 200]
        assert (await second.json())["code"] == "api_busy"
        assert await one.code("GET", "/v1/inbox") == 200
    others = both.kh.events.listeners

    def gone() -> bool:
        both.kh.events.publish([{"type": "settings"}])
        return both.kh.events.listeners <= others - 2

    await eventually(gone)
    async with stream(one) as again:
        assert again.status == 200


# --- officers -------------------------------------------------------------------------------------


async def test_an_officers_token_serves_that_officer_alone(both: Both) -> None:
    """Another officer's record or key under it is refused, whatever else is right with them."""
    bulletin = await both.arrived()
    hers = Pen(both.bridge, KH, OFFICERS[KH])
    his = await another_officer(both.bridge, both.kh, "lim")
    await opened(both.kh)
    officer = await both.officer()
    path = f"/v1/bulletins/{bulletin}/read"
    assert await officer.code("POST", path, json=await his.reading(bulletin)) == "token_scope"
    assert both.kh.db.rows("SELECT 1 FROM readings") == []
    assert await officer.code("POST", path, json=await hers.reading(bulletin)) == 200

    send = "/v1/bulletins/signed"
    notice = wish(LA, "training_notice")
    for lie in (
        await his.signed(notice),
        await his.signed(notice, author=hers.handle),
        await hers.signed(notice, author=his.handle),
    ):
        assert await officer.code("POST", send, json=lie) == "token_scope"
    assert both.kh.bulletins.sent(0, 9) == []
    sent = await officer.ask("POST", send, json=await hers.signed(notice))
    assert sent[0] == 202
    _, page = await officer.ask("GET", "/v1/bulletins")
    assert [(row["id"], row["author"]) for row in page["bulletins"]] == [
        (sent[1]["id"], hers.handle)
    ]


async def test_an_officer_is_shown_by_the_rules_and_it_is_on_record(both: Both) -> None:
    shown, hidden = await both.arrived("drug_seizure"), await both.arrived()
    settings = both.kh.config.settings_file
    rules = [{"officers": [OFFICERS[KH]], "schemas": [SEIZURE]}]
    settings.write_text(json.dumps({"saphan": "settings/1", "rules": rules}))
    settings.chmod(0o600)
    await both.kh.reread_settings()
    officer, pen = await both.officer(), Pen(both.bridge, KH, OFFICERS[KH])
    _, page = await officer.ask("GET", "/v1/inbox")
    assert ids(page) == [shown]
    assert await officer.code("GET", f"/v1/bulletins/{shown}") == 200
    assert await officer.code("GET", f"/v1/bulletins/{hidden}") == "bulletin_unknown"
    reading = await pen.reading(hidden)
    path = f"/v1/bulletins/{hidden}/read"
    assert await officer.code("POST", path, json=reading) == "bulletin_unknown"
    noted = both.kh.showings.rows(0, 9)
    assert [(row["officer"], row["kind"], row["id"]) for row in noted] == [
        (pen.handle, "listed", shown),
        (pen.handle, "status", shown),
    ]


async def test_a_former_officers_token_opens_nothing(both: Both) -> None:
    """Timeline: a token works; the officer's key is revoked; the token is refused at once, and an
    event stream that it had opened is told nothing more."""
    bulletin = await both.arrived()
    pen = await another_officer(both.bridge, both.kh, "lim")
    officer = await both.officer("lim")
    told: list[dict[str, Any]] = []
    before = both.kh.events.listeners
    listening = asyncio.create_task(heard(officer, told))
    await eventually(lambda: both.kh.events.listeners > before)
    assert await officer.code("GET", "/v1/inbox") == 200
    await officer_leaves(pen, both.kh)
    await both.arrived()
    assert await listening == 200
    assert [event for event in told if event["type"] in ("inbox", "event")] == []
    for path in ("/v1/inbox", f"/v1/bulletins/{bulletin}", "/v1/identity"):
        assert await officer.code("GET", path) == "key_revoked"
    with pytest.raises(Refused, match="officer_unknown"):
        both.kh.tokens.add(Wanted(name="again", officer="lim"))


async def test_events_name_to_an_officer_nobody_else(both: Both) -> None:
    """Who else was told, and kinds of events that nobody has thought of here, stay inside."""
    bulletin, name = await both.arrived(), OFFICERS[KH]
    hers, theirs = {"officers": [name, "lim"]}, {"officers": ["lim"]}
    events: list[dict[str, Any]] = [
        {"type": "notice", "id": bulletin, "step": 0, **hers},
        {"type": "notice", "id": bulletin, "step": 1, **theirs},
        {"type": "countersign", "draft": "00", "state": "waiting", **hers},
        {"type": "countersign", "draft": "01", "state": "waiting", **theirs},
        {"type": "unheard-of", "secret": 1},
        {"type": "settings"},
    ]
    officer, system, whole = (
        View(both.kh, caller)
        for caller in (
            Officer(handle=name, key=bytes(32)),
            System(name="cases", rights=SEEING),
            Keeper(),
        )
    )
    assert [whole.told(event) for event in events] == events
    assert [officer.told(event) for event in events] == [
        {**events[0], "officers": [name]},
        None,
        {**events[2], "officers": [name]},
        None,
        None,
        events[5],
    ]
    assert [system.told(event) for event in events] == [
        {"type": "notice", "id": bulletin, "step": 0},
        {"type": "notice", "id": bulletin, "step": 1},
        None,
        None,
        None,
        events[5],
    ]
