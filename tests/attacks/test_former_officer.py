"""An officer has left; their key is revoked. They kept laptop, token and notes."""

from __future__ import annotations

import asyncio

import pytest
from saphan.desk.inbox import Inbox
from saphan.node.service import NodeService
from saphan.node.token_kept import Wanted
from saphan_schemas.errors import Refused, SaphanError
from saphan_schemas.records import Role
from support.api_tokens import another_officer, holder, http_to, keeper, officer_leaves
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish
from support.ceremony import revoke
from support.corrupt import registers_nothing
from support.desks import desk_bridge, on_line
from support.roster import operate


async def received(la: NodeService) -> str:
    sent = await la.send(wish())
    await eventually(lambda: states(la, sent) == ["accepted"])
    return sent.hex()


async def test_they_read_with_what_they_have_kept(bridge: Bridge) -> None:
    """A token, a reading signed in good time and never used, the attachments of what they read.
    Everything is judged by the directory of this moment, whatever a record says of its time."""
    async with (
        bridge.broker_running(),
        bridge.node(LA) as la,
        bridge.node_with_api(KH) as kh,
        http_to(kh) as http,
    ):
        await agreed(la)
        await opened(kh)
        lim = await another_officer(bridge, kh, "lim")
        old, kept = await received(la), await received(la)
        token = await holder(http, kh, Wanted(name="laptop", officer="lim"))
        path = f"/v1/bulletins/{old}/read"
        assert await token.code("POST", path, json=await lim.reading(old)) == 200
        in_good_time = await lim.reading(kept)
        await officer_leaves(lim, kh)
        new = await received(la)
        everybody = await keeper(http, kh)
        for bulletin, reading in ((kept, in_good_time), (new, await lim.reading(new))):
            path = f"/v1/bulletins/{bulletin}/read"
            assert await token.code("POST", path, json=reading) == "key_revoked"
            assert await everybody.code("POST", path, json=reading) == "key_revoked"
        for path in ("/v1/inbox", f"/v1/bulletins/{old}", f"/v1/bulletins/{old}/attachments/1"):
            assert await token.code("GET", path) == "key_revoked"
        readers = kh.db.rows("SELECT bulletin FROM readings")
        assert readers == [(bytes.fromhex(old),)]


async def test_they_sit_at_a_desk_whose_line_is_open(bridge: Bridge) -> None:
    """It ends, and does not open again; what came after it stays where it is."""
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        old = await received(world.la)
        async with on_line(folder, bridge) as (desk, line):
            inbox = Inbox(desk)
            await inbox.pull(line)
            await world.revoke(desk.key.key_id)
            await eventually(lambda: world.revoked(desk.key.key_id))
            with pytest.raises(SaphanError) as ended:
                await inbox.read(line, bytes.fromhex(old))
            assert ended.value.code == "key_revoked"
        with pytest.raises(Refused) as refused:
            async with on_line(folder, bridge):
                raise AssertionError("the line is open")
        assert refused.value.code == "key_revoked"
        assert world.kh.db.rows("SELECT 1 FROM readings") == []


async def test_they_write_in_their_old_name(bridge: Bridge) -> None:
    """At their own node, which seals nothing of theirs."""
    async with bridge.broker_running(), bridge.node_with_api(KH) as kh, http_to(kh) as http:
        await opened(kh)
        lim = await another_officer(bridge, kh, "lim")
        before = await lim.signed(wish(LA))
        await officer_leaves(lim, kh)
        everybody = await keeper(http, kh)
        for body in (before, await lim.signed(wish(LA))):
            code = await everybody.code("POST", "/v1/bulletins/signed", json=body)
            assert code == "author_revoked"
        assert kh.bulletins.sent(0, 9) == []


async def test_the_broker_is_away_when_they_leave(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or does not want to hear it: the agency's own operation, imported at its own node, is enough
    to close every door here."""
    async with desk_bridge(bridge) as world, http_to(world.kh) as http:
        folder = await world.desk("dao")
        sent = await received(world.la)
        lim = await another_officer(bridge, world.kh, "lim")
        await opened(world.kh)
        token = await holder(http, world.kh, Wanted(name="laptop", officer="lim"))
        registers_nothing(monkeypatch)
        async with on_line(folder, bridge) as (desk, line):
            keys = [desk.key.key_id, (await asyncio.to_thread(lambda: lim.key)).key_id]
            gone = [revoke(Role.OFFICER, key) for key in keys]
            signed = await asyncio.to_thread(operate, bridge, KH, gone)
            await world.kh.watching.import_bound("operation", signed)
            with pytest.raises(SaphanError) as ended:
                await Inbox(desk).read(line, bytes.fromhex(sent))
            assert ended.value.code == "key_revoked"
        with pytest.raises(Refused, match="key_revoked"):
            async with on_line(folder, bridge):
                raise AssertionError("the line is open")
        assert await token.code("GET", "/v1/inbox") == "key_revoked"
        everybody = await keeper(http, world.kh)
        path = f"/v1/bulletins/{sent}/read"
        assert await everybody.code("POST", path, json=await lim.reading(sent)) == "key_revoked"
        body = await lim.signed(wish(LA))
        assert await everybody.code("POST", "/v1/bulletins/signed", json=body) == "author_revoked"
        assert world.kh.db.rows("SELECT 1 FROM readings") == []
