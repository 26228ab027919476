"""Countersigning over the local API: with each officer's own token, and with the keeper's."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
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


async def opened_by(pen: Pen, token: Asking, draft: str) -> tuple[Signer, Any]:
    """What waits, read by one officer."""
    reading = await pen.reading(draft)
    status, answer = await token.ask("POST", f"{WAITING}/{draft}/read", json=reading)
    assert status == 200, answer
    signer = Signer(KH, pen.handle, pen.key, pen.bridge.node_clock())
    return signer, exact_of(answer, bytes.fromhex(draft))


async def test_each_with_their_own_token(bridge: Bridge) -> None:
    """Timeline: sokha sends with a file; lim sees what waits, the file too; signs; asked twice."""
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

        status, kept = await first.ask("POST", SEND, json=await sokha.signed(wish(LA)))
        assert (status, kept["id"]) == (202, None)
        draft = kept["draft"]
        _, listed = await second.ask("GET", WAITING)
        assert [one["id"] for one in listed["drafts"]] == [draft]

        signer, exact = await opened_by(lim, second, draft)
        body = {"signature": text(encode(signer.second(exact)))}
        assert await first.code("POST", f"{WAITING}/{draft}/sign", json=body) == "token_scope"
        path = f"{WAITING}/{draft[:8]}/sign"
        status, answer = await second.ask("POST", path, json=body)
        assert status == 202, answer
        again = await second.ask("POST", f"{WAITING}/{draft}/sign", json=body)
        assert again == (202, answer)
        status, life = await first.ask("GET", f"/v1/bulletins/{answer['id']}")
        assert (status, life["author"]) == (200, sokha.handle)
        assert await second.ask("GET", WAITING) == (200, {"drafts": []})


async def test_one_officers_record_under_anothers_token(bridge: Bridge) -> None:
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
        _, kept = await first.ask("POST", SEND, json=await sokha.signed(wish(LA)))
        draft = kept["draft"]
        reading = await lim.reading(draft)
        assert await first.code("POST", f"{WAITING}/{draft}/read", json=reading) == "token_scope"
        record, signature = Signer(KH, "lim", lim.key, bridge.node_clock()).refusal(
            bytes.fromhex(draft), None
        )
        body = {"record": text(record), "signature": text(encode(signature))}
        assert await first.code("POST", f"{WAITING}/{draft}/refuse", json=body) == "token_scope"
        assert await first.code("GET", "/v1/officers") == "token_scope"
        assert await first.code("GET", "/v1/showings") == "token_scope"

        everybody = await keeper(http, kh)
        assert await everybody.code("POST", f"{WAITING}/{draft}/read", json=reading) == 200
        status, ended = await everybody.ask("POST", f"{WAITING}/{draft}/refuse", json=body)
        assert (status, ended) == (200, {"state": "refused"})
        _, found = await everybody.ask("GET", f"/v1/showings?officer=lim&id={draft}")
        assert [one["kind"] for one in found["showings"]] == ["read"]
        assert (await everybody.code("GET", "/v1/showings?id=xyz")) == "id_malformed"


async def test_attachments_of_what_waits(bridge: Bridge) -> None:
    data = b"%PDF-1.7 " + bytes(3_000)
    digest = hashlib.sha256(data).hexdigest()
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
        upload = f"/v1/attachments/{digest}?offset=0&length={len(data)}"
        assert await first.code("PUT", upload, data=data) == 200
        file = officers.file("a.pdf", data)
        _, kept = await first.ask(
            "POST", SEND, json=await sokha.signed(wish(LA, attachments=(file,)))
        )
        path = f"{WAITING}/{kept['draft']}/attachments/1"
        assert await second.code("GET", path) == "countersign_unread"
        await opened_by(lim, second, kept["draft"])
        for token, where in ((second, path), (await keeper(http, kh), f"{path}?officer=lim")):
            headers = {"Authorization": f"Bearer {token.token}"}
            async with http.get(where, headers=headers) as answer:
                assert await answer.read() == data
        kinds = [one["kind"] for one in kh.showings.rows(0, 9, handle="lim")]
        assert kinds == ["read", "attachment"]


async def test_a_lying_node_gets_no_signature() -> None:
    """What is displayed is made of the bytes that are signed, and they belong together."""
    fields = {"header": b"\x90", "inner": b"\x90", "content": b"\x80"}
    answer = {"exact": {name: base64.b64encode(one).decode() for name, one in fields.items()}}
    for lie in (answer, {}, {"exact": {"header": "!"}}):
        with pytest.raises(OperatorError) as caught:
            exact_of(lie, bytes(32))
        assert caught.value.code == "node_answer"
