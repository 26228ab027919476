"""Countersigning over the local API: with each officer's own token, and with the keeper's."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from saphan.node.service import NodeService
from saphan.node.token_kept import Wanted
from saphan.second_signature import Signer, exact_of
from saphan_schemas.codec import encode
from saphan_schemas.errors import OperatorError
from support import officers
from support.api_tokens import Asking, Pen, another_officer, holder, http_to, keeper
from support.bridge import KH, LA, OFFICERS, Bridge, agreed, opened, wish
from support.desks import ready_bridge
from support.officers import text

SEND, WAITING = "/v1/bulletins/signed", "/v1/countersign"


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@dataclass(frozen=True, slots=True)
class Office:
    """kh.gpo's node, where everything needs two officers, each with a token of their own."""

    kh: NodeService
    http: aiohttp.ClientSession
    sokha: Pen
    first: Asking
    lim: Pen
    second: Asking


@pytest.fixture
async def here(bridge: Bridge) -> AsyncIterator[Office]:
    async with (
        bridge.broker_running(),
        bridge.node_with_api(KH) as kh,
        http_to(kh) as http,
    ):
        await opened(kh)
        await agreed(kh)
        lim = await another_officer(bridge, kh, "lim")
        await officers.settings(bridge, kh, four_eyes=[{}])
        sokha = Pen(bridge, KH, OFFICERS[KH])
        first = await holder(http, kh, Wanted(name="first", officer=sokha.handle))
        second = await holder(http, kh, Wanted(name="second", officer="lim"))
        yield Office(kh, http, sokha, first, lim, second)


async def opened_by(pen: Pen, token: Asking, draft: str) -> tuple[Signer, Any]:
    """What waits, read by one officer."""
    reading = await pen.reading(draft)
    status, answer = await token.ask("POST", f"{WAITING}/{draft}/read", json=reading)
    assert status == 200, answer
    signer = Signer(KH, pen.handle, pen.key, pen.bridge.node_clock())
    return signer, exact_of(answer, bytes.fromhex(draft))


async def test_each_with_their_own_token(here: Office) -> None:
    """Timeline: sokha sends with a file; lim sees what waits, the file too; signs; asked twice."""
    status, kept = await here.first.ask("POST", SEND, json=await here.sokha.signed(wish(LA)))
    assert (status, kept["id"]) == (202, None)
    draft = kept["draft"]
    _, listed = await here.second.ask("GET", WAITING)
    assert [one["id"] for one in listed["drafts"]] == [draft]

    signer, exact = await opened_by(here.lim, here.second, draft)
    body = {"signature": text(encode(signer.second(exact)))}
    assert await here.first.code("POST", f"{WAITING}/{draft}/sign", json=body) == "token_scope"
    path = f"{WAITING}/{draft[:8]}/sign"
    status, answer = await here.second.ask("POST", path, json=body)
    assert status == 202, answer
    again = await here.second.ask("POST", f"{WAITING}/{draft}/sign", json=body)
    assert again == (202, answer)
    status, life = await here.first.ask("GET", f"/v1/bulletins/{answer['id']}")
    assert (status, life["author"]) == (200, here.sokha.handle)
    assert await here.second.ask("GET", WAITING) == (200, {"drafts": []})


async def test_one_officers_record_under_anothers_token(here: Office) -> None:
    _, kept = await here.first.ask("POST", SEND, json=await here.sokha.signed(wish(LA)))
    draft = kept["draft"]
    reading = await here.lim.reading(draft)
    assert await here.first.code("POST", f"{WAITING}/{draft}/read", json=reading) == "token_scope"
    record, signature = Signer(KH, "lim", here.lim.key, here.lim.bridge.node_clock()).refusal(
        bytes.fromhex(draft), None
    )
    body = {"record": text(record), "signature": text(encode(signature))}
    assert await here.first.code("POST", f"{WAITING}/{draft}/refuse", json=body) == "token_scope"
    assert await here.first.code("GET", "/v1/officers") == "token_scope"
    assert await here.first.code("GET", "/v1/showings") == "token_scope"

    everybody = await keeper(here.http, here.kh)
    assert await everybody.code("POST", f"{WAITING}/{draft}/read", json=reading) == 200
    status, ended = await everybody.ask("POST", f"{WAITING}/{draft}/refuse", json=body)
    assert (status, ended) == (200, {"state": "refused"})
    _, found = await everybody.ask("GET", f"/v1/showings?officer=lim&id={draft}")
    assert [one["kind"] for one in found["showings"]] == ["read"]
    assert (await everybody.code("GET", "/v1/showings?id=xyz")) == "id_malformed"


async def test_attachments_of_what_waits(here: Office) -> None:
    data = b"%PDF-1.7 " + bytes(3_000)
    digest = hashlib.sha256(data).hexdigest()
    upload = f"/v1/attachments/{digest}?offset=0&length={len(data)}"
    assert await here.first.code("PUT", upload, data=data) == 200
    file = officers.file("a.pdf", data)
    _, kept = await here.first.ask(
        "POST", SEND, json=await here.sokha.signed(wish(LA, attachments=(file,)))
    )
    path = f"{WAITING}/{kept['draft']}/attachments/1"
    assert await here.second.code("GET", path) == "countersign_unread"
    await opened_by(here.lim, here.second, kept["draft"])
    everybody = await keeper(here.http, here.kh)
    for token, where in ((here.second, path), (everybody, f"{path}?officer=lim")):
        headers = {"Authorization": f"Bearer {token.token}"}
        async with here.http.get(where, headers=headers) as answer:
            assert await answer.read() == data
    kinds = [one["kind"] for one in here.kh.showings.rows(0, 9, handle="lim")]
    assert kinds == ["read", "attachment"]


async def test_a_lying_node_gets_no_signature() -> None:
    """What is displayed is made of the bytes that are signed, and they belong together."""
    fields = {"header": b"\x90", "inner": b"\x90", "content": b"\x80"}
    answer = {"exact": {name: base64.b64encode(one).decode() for name, one in fields.items()}}
    for lie in (answer, {}, {"exact": {"header": "!"}}):
        with pytest.raises(OperatorError) as caught:
            exact_of(lie, bytes(32))
        assert caught.value.code == "node_answer"
