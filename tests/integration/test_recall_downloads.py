"""An attachment that is on its way to somebody when its bulletin is taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from saphan.desk.files import Files, download_name
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import Keeping
from saphan_schemas.desk_frames import AskFetch, DeskPart
from saphan_schemas.errors import Refused
from saphan_schemas.limits import KIB, MIB
from saphan_schemas.records import Blob
from support.attaching import pdf, send
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states
from support.desks import DeskBridge, desk_bridge, on_line, ready_bridge
from support.recalls import settings, stands

LENGTH = 8 * MIB


@asynccontextmanager
async def asking(bridge: Bridge) -> AsyncIterator[DeskBridge]:
    """Where a person answers recalls."""
    settings(bridge, KH, '"recall": {"answer": "ask"}')
    async with desk_bridge(bridge) as world:
        yield world


@pytest.mark.parametrize("answer", ["obey", "ask"])
async def test_a_stream_of_the_local_api_ends(bridge: Bridge, answer: str) -> None:
    """Sealed or erased: the file that is open already gives nothing more."""
    settings(bridge, KH, f'"recall": {{"answer": "{answer}"}}')
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node_with_api(KH) as kh:
            await agreed(la)
            await opened(kh)
            bulletin = await send(la, pdf(LENGTH))
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            await kh.read_by_system(bulletin)
            token = await asyncio.to_thread(kh.config.token_file.read_text)
            async with aiohttp.ClientSession(
                "http://node",
                connector=aiohttp.UnixConnector(str(kh.config.socket)),
                headers={"Authorization": f"Bearer {token.strip()}"},
            ) as http:
                path = f"/v1/bulletins/{bulletin.hex()}/attachments/1"
                async with http.get(path) as answered:
                    assert answered.status == 200
                    await la.recalls.order(bulletin, "error", "keeper")
                    await stands(la, bulletin, "waiting" if answer == "ask" else "obeyed")
                    with pytest.raises(aiohttp.ClientPayloadError):
                        await answered.read()


async def test_a_desk_gets_no_more_of_it() -> None:
    async with ready_bridge() as bridge, asking(bridge) as world:
        folder = await world.desk()
        bulletin = await send(world.la, pdf(100 * KIB))
        await eventually(lambda: states(world.la, bulletin) == ["accepted"])
        async with on_line(folder, bridge) as (desk, line):
            box = Inbox(desk)
            content = await box.read(line, bulletin)
            await asyncio.to_thread(box.keep, content)
            first = AskFetch(line.number(), bulletin, 1, 0, 16 * KIB)
            await line.send(first)
            part = await line.answer(first.request)
            assert isinstance(part, DeskPart)
            assert len(part.data) == 16 * KIB
            await world.la.recalls.order(bulletin, "error", "keeper")
            await stands(world.la, bulletin, "waiting")
            await eventually(lambda: world.kh.recalls.received(0, 9)["recalls"])
            second = AskFetch(line.number(), bulletin, 1, 16 * KIB, 16 * KIB)
            await line.send(second)
            with pytest.raises(Refused, match="bulletin_recalled"):
                await line.answer(second.request)
            one = content["attachments"][0]
            blob = Blob(one["length"], bytes.fromhex(one["sha256"]))
            with pytest.raises(Refused, match="bulletin_recalled"):
                await Files(desk).fetch(line, bulletin, 1, blob)


async def test_what_is_erased_at_a_desk_while_it_comes_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ready_bridge() as bridge, desk_bridge(bridge) as world:
        folder = await world.desk()
        bulletin = await send(world.la, pdf(100 * KIB))
        await eventually(lambda: states(world.la, bulletin) == ["accepted"])
        async with on_line(folder, bridge) as (desk, line):
            box, answer = Inbox(desk), line.answer
            content = await box.read(line, bulletin)
            await asyncio.to_thread(box.keep, content)

            async def erased(request: int) -> object:
                found = await answer(request)
                await asyncio.to_thread(Keeping(desk).erase, [bulletin])
                return found

            monkeypatch.setattr(line, "answer", erased)
            one = content["attachments"][0]
            blob = Blob(one["length"], bytes.fromhex(one["sha256"]))
            with pytest.raises(Refused, match="bulletin_erased"):
                await Files(desk).fetch(line, bulletin, 1, blob)
            assert await asyncio.to_thread(desk.store.parts, download_name(bulletin, 1)) == 0
