"""An officer alone wants a bulletin to leave that needs the signatures of two."""

from __future__ import annotations

from typing import Any

import pytest
from saphan.node.prepared import Prepared
from saphan.node.token_kept import Wanted
from saphan_protocol.batch import sign_one
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, Refused, SaphanError
from saphan_schemas.samples import sample
from support import officers
from support.api_tokens import Pen, another_officer, holder, http_to, keeper
from support.bridge import KH, LA, OFFICERS, Bridge, agreed, opened, wish

OFFICER = OFFICERS[KH]


async def test_through_every_door_of_the_local_api(bridge: Bridge) -> None:
    """As a machine, with the keeper's token, with one key twice, with a colleague's reading."""
    async with bridge.broker_running(), bridge.node_with_api(KH) as kh, http_to(kh) as http:
        await opened(kh)
        await agreed(kh)
        lim = await another_officer(bridge, kh, "lim")
        await officers.settings(bridge, kh, four_eyes=[{}])
        everybody = await keeper(http, kh)
        said = sample("case_statistics")
        machine: dict[str, Any] = {
            "to": [LA], "schema": "saphan/case_statistics/1", "about": said["about"],
            "body": said["body"], "exercise": True,
        }  # fmt: skip
        code = await everybody.code("POST", "/v1/bulletins", json=machine)
        assert code == "countersign_needed"

        own = await holder(http, kh, Wanted(name="own", officer=OFFICER))
        pen = Pen(bridge, KH, OFFICER)
        signed = await pen.signed(wish(LA))
        _, kept = await own.ask("POST", "/v1/bulletins/signed", json=signed)
        path = f"/v1/countersign/{kept['draft']}"
        assert await own.code("POST", f"{path}/read", json=await pen.reading(kept["draft"])) == 200
        again = {"signature": signed["signature"]}
        for caller in (own, everybody):
            assert await caller.code("POST", f"{path}/sign", json=again) == "countersign_self"
        reading = await lim.reading(kept["draft"])
        assert await own.code("POST", f"{path}/read", json=reading) == "token_scope"
        assert kh.bulletins.sent(0, 9) == []


async def test_with_two_keys_of_their_own(bridge: Bridge) -> None:
    """Both are enrolled, as between two desks; it is one pair of eyes. Nor does a signature of
    another agency's officer count, nor the node's own."""
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await opened(kh)
        await agreed(kh)
        first = await officers.first(bridge, kh, OFFICER)
        other = await officers.enrolled(bridge, kh, OFFICER)
        await officers.settings(bridge, kh, four_eyes=[{}])
        draft = await first.write(wish(LA))
        exact = await first.open(draft)
        assert (await other.open(draft)).inner_bytes == exact.inner_bytes
        keys = (other.key, bridge.officer(LA), kh.key)
        for key, code in zip(keys, ("countersign_self", "key_foreign", "key_role"), strict=True):
            signature = sign_one(key, "saphan/inner/1", exact.inner_bytes, bytes(32))
            with pytest.raises((InvalidInput, Refused)) as caught:
                await kh.second.sign(draft, encode(signature))
            assert caught.value.code == code
        assert kh.bulletins.sent(0, 9) == []


async def test_past_the_place_where_it_waits(bridge: Bridge) -> None:
    """Whatever hands a bulletin with one signature to the outbox, the seal is refused."""
    async with bridge.broker_running(), bridge.node(KH) as kh:
        await opened(kh)
        await agreed(kh)
        first = await officers.first(bridge, kh, OFFICER)
        prepared: Prepared = first.prepare(wish(LA))
        await officers.settings(bridge, kh, four_eyes=[{}])
        (outcome,) = (await kh.engine.in_sealing(lambda: kh.outbox.submit([prepared]))).outcomes
        assert isinstance(outcome, SaphanError)
        assert outcome.code == "countersign_needed"
        assert kh.bulletins.sent(0, 9) == []
