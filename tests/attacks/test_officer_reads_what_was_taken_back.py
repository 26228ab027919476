"""A bulletin was recalled, and its answer waits: an officer and a case system go on reading it, by
every way there is, with what they had from before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from saphan import Node
from saphan.api_rights import Right
from saphan.desk.inbox import Inbox
from saphan.desk.syncing import sync
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.node.rows.recalled import recalled_here
from saphan.node.token_kept import Wanted
from saphan_schemas import samples
from saphan_schemas.desk_frames import AskFetch
from saphan_schemas.errors import Refused
from support.api_tokens import Pen, holder, http_to, keeper
from support.bridge import KH, LA, OFFICERS, Bridge, eventually, states
from support.desks import DeskBridge, desk_bridge, on_line
from support.threads import letter

OFFICER = OFFICERS[KH]
FILE = b"%PDF-1.7\n" + bytes(64)


def asks(bridge: Bridge) -> None:
    """kh.gpo answers recalls by hand: what it says is there as long as nobody does."""
    path = bridge.offices[KH].node / SETTINGS_NAME
    path.write_text(json.dumps({"saphan": "settings/1", "recall": {"answer": "ask"}}))
    path.chmod(0o600)


async def sent(world: DeskBridge) -> str:
    """A request of la.ospp with an attachment, accepted by kh.gpo."""
    file = world.bridge.place / "report.pdf"
    file.write_bytes(FILE)
    made = letter("info_request", (KH,))
    async with Node(world.bridge.place / LA) as node:
        found = await node.send(
            to=KH, schema=made.schema, about=dict(made.about), body=dict(made.body),
            attachments=[file], exercise=True, marking={"tlp": "amber", "codes": ["H1"]},
        )  # fmt: skip
    await eventually(lambda: states(world.la, bytes.fromhex(found)) == ["accepted"])
    return found


async def recalled(world: DeskBridge, bulletin: str) -> None:
    await world.la.recalls.order(bytes.fromhex(bulletin), "wrong_person", "keeper")
    await eventually(lambda: recalled_here(world.kh.db, bytes.fromhex(bulletin)))


async def test_at_the_local_api(bridge: Bridge) -> None:
    asks(bridge)
    async with desk_bridge(bridge) as world, http_to(world.kh) as http:
        bulletin = await sent(world)
        path, pen = f"/v1/bulletins/{bulletin}", Pen(bridge, KH, OFFICER)
        own = await holder(http, world.kh, Wanted(name="laptop", officer=OFFICER))
        system = await holder(http, world.kh, Wanted(name="cases", rights=frozenset(Right)))
        assert await own.code("POST", f"{path}/read", json=await pen.reading(bulletin)) == 200
        assert await system.code("GET", f"{path}/content") == 200
        assert await own.code("GET", f"{path}/attachments/1") == 200
        _, thread = await own.ask("GET", f"{path}/thread")
        assert thread["bulletins"][0]["reference"] is not None

        await recalled(world, bulletin)
        for caller in (own, system, await keeper(http, world.kh)):
            if caller is not system:
                reading = await pen.reading(bulletin)
                assert (
                    await caller.code("POST", f"{path}/read", json=reading) == "bulletin_recalled"
                )
            if caller is not own:
                assert await caller.code("GET", f"{path}/content") == "bulletin_recalled"
            assert await caller.code("GET", f"{path}/attachments/1") == "bulletin_recalled"
            told: Any = await caller.ask("GET", f"{path}/thread")
            assert told[1]["bulletins"][0]["reference"] is None
            assert told[1]["bulletins"][0]["owed"] == []
            _, status = await caller.ask("GET", path)
            assert (status["author"], status["owed"]) == (None, [])
            assert status["recalled"] == "wrong_person"
            said = json.dumps([status, told[1], (await caller.ask("GET", "/v1/inbox"))[1]])
            for word in words_of_content():
                assert word not in said


def words_of_content() -> list[str]:
    """What stands inside the seal and nowhere else."""
    about = samples.wish("info_request")["about"]
    return [about["reference"], *about["title"].values()]


async def test_at_a_desk_that_has_read_it(bridge: Bridge) -> None:
    asks(bridge)
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        bulletin = await sent(world)
        name = bytes.fromhex(bulletin)
        async with on_line(folder, bridge) as (desk, line):
            await sync(desk, line)
            box = Inbox(desk)
            box.keep(await box.read(line, name))
            await recalled(world, bulletin)
            with pytest.raises(Refused, match="bulletin_recalled"):
                await box.read(line, name)
            with pytest.raises(Refused, match="bulletin_recalled"):
                await line.ask(AskFetch(line.number(), name, 1, 0, 10))
            await sync(desk, line)
            assert box.opened(bulletin) is None
            (row,) = box.rows()
            assert (row["recalled"], row["author"]) == ("wrong_person", None)
