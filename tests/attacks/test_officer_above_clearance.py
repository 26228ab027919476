"""An officer who is cleared for TLP:GREEN wants what is marked TLP:AMBER, by every way there is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from saphan import Node
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.node.token_kept import Wanted
from saphan_schemas.desk_frames import AskFetch
from saphan_schemas.errors import InvalidInput
from saphan_schemas.samples import sample
from support.api_tokens import Pen, holder, http_to, keeper
from support.bridge import KH, LA, OFFICERS, Bridge, eventually, states, wish
from support.desk_letters import letter
from support.desks import DeskBridge, at, desk_bridge, on_line

OFFICER = OFFICERS[KH]
FILE = b"%PDF-1.7\n" + bytes(64)


async def cleared(world: DeskBridge, **officers: str) -> None:
    """kh.gpo's keeper says what each officer is cleared for."""
    value: dict[str, Any] = {
        "saphan": "settings/1",
        "officers": {handle: {"clearance": tlp} for handle, tlp in officers.items()},
        "rules": [{"officers": ["*"]}],
    }
    path = world.bridge.offices[KH].node / SETTINGS_NAME
    await asyncio.to_thread(path.write_text, json.dumps(value))
    await world.kh.reread_settings()


async def marked(world: DeskBridge, tlp: str) -> str:
    """A bulletin of la.ospp with an attachment, accepted by kh.gpo."""
    file = world.bridge.place / "report.pdf"
    await asyncio.to_thread(file.write_bytes, FILE)
    said = sample("drug_seizure")
    async with Node(world.bridge.place / LA) as node:
        sent = await node.send(
            to=KH,
            schema="saphan/drug_seizure/1",
            about=said["about"],
            body=said["body"],
            attachments=[file],
            exercise=True,
            marking={"tlp": tlp, "codes": ["H1"]},
        )
    await eventually(lambda: states(world.la, bytes.fromhex(sent)) == ["accepted"])
    return sent


async def test_at_the_local_api(bridge: Bridge) -> None:
    """With a token of their own, and with the keeper's as `saphan read` uses it."""
    async with desk_bridge(bridge) as world, http_to(world.kh) as http:
        await cleared(world, **{OFFICER: "green"})
        secret, open_to_them = await marked(world, "amber"), await marked(world, "green")
        own = await holder(http, world.kh, Wanted(name="laptop", officer=OFFICER))
        pen = Pen(bridge, KH, OFFICER)
        _, page = await own.ask("GET", "/v1/inbox")
        assert [row["id"] for row in page["bulletins"]] == [open_to_them]
        path = f"/v1/bulletins/{secret}"
        for caller in (own, await keeper(http, world.kh)):
            reading = await pen.reading(secret)
            assert await caller.code("POST", f"{path}/read", json=reading) == "bulletin_unknown"
        for beneath in ("", "/attachments/1"):
            assert await own.code("GET", path + beneath) == "bulletin_unknown"
        assert world.kh.db.rows("SELECT 1 FROM readings") == []
        assert secret not in {row["id"] for row in world.kh.showings.rows(0, 99)}
        reading = await pen.reading(open_to_them)
        assert await own.code("POST", f"/v1/bulletins/{open_to_them}/read", json=reading) == 200


async def test_what_was_read_under_another_clearance(bridge: Bridge) -> None:
    """They were cleared for it once, and read it; its attachments are closed from then on."""
    async with desk_bridge(bridge) as world, http_to(world.kh) as http:
        await cleared(world, **{OFFICER: "amber"})
        secret = await marked(world, "amber")
        own = await holder(http, world.kh, Wanted(name="laptop", officer=OFFICER))
        path = f"/v1/bulletins/{secret}"
        reading = await Pen(bridge, KH, OFFICER).reading(secret)
        assert await own.code("POST", f"{path}/read", json=reading) == 200
        assert await own.code("GET", f"{path}/attachments/1") == 200
        assert "attachment" in {one["kind"] for one in world.kh.showings.rows(0, 99)}
        await cleared(world, **{OFFICER: "green"})
        assert await own.code("GET", f"{path}/attachments/1") == "bulletin_unknown"
        assert await own.code("POST", f"{path}/read", json=reading) == "bulletin_unknown"


async def test_at_a_desk(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk("dao")
        await cleared(world, dao="green")
        secret = bytes.fromhex(await marked(world, "amber"))
        async with on_line(folder, bridge) as (desk, line):
            inbox = Inbox(desk)
            assert await inbox.pull(line) == []
            for ask in (
                inbox.read(line, secret),
                inbox.status(line, secret.hex()),
                line.ask(AskFetch(line.number(), secret, 1, 0, 10)),
            ):
                with pytest.raises(InvalidInput, match="bulletin_unknown"):
                    await ask
        assert world.kh.db.rows("SELECT 1 FROM readings") == []


async def test_they_send_what_they_may_not_see(bridge: Bridge) -> None:
    """Signed by them, through any door; nothing is sealed."""
    async with desk_bridge(bridge) as world, http_to(world.kh) as http:
        folder = await world.desk("dao")
        await cleared(world, **{OFFICER: "green", "dao": "green"})
        own = await holder(http, world.kh, Wanted(name="laptop", officer=OFFICER))
        signed = await Pen(bridge, KH, OFFICER).signed(wish(LA, tlp="amber"))
        for caller in (own, await keeper(http, world.kh)):
            code = await caller.code("POST", "/v1/bulletins/signed", json=signed)
            assert code == "above_clearance"
        async with at(folder, bridge) as desk:
            marked_amber = letter(LA, marking={"tlp": "amber", "codes": ["H1"]})
            await asyncio.to_thread(Outbox(desk).queue, marked_amber, {})
        async with on_line(folder, bridge) as (desk, line):
            (error,) = await Outbox(desk).send(line)
            assert error.code == "above_clearance"
        assert world.kh.bulletins.sent(0, 9) == []


async def test_nobody_has_said_what_they_are_cleared_for(bridge: Bridge) -> None:
    """Once the settings name officers, who is not among them is cleared for nothing."""
    async with desk_bridge(bridge) as world, http_to(world.kh) as http:
        await cleared(world, dao="red")
        sent = await marked(world, "green")
        own = await holder(http, world.kh, Wanted(name="laptop", officer=OFFICER))
        _, page = await own.ask("GET", "/v1/inbox")
        assert page["bulletins"] == []
        reading = await Pen(bridge, KH, OFFICER).reading(sent)
        code = await own.code("POST", f"/v1/bulletins/{sent}/read", json=reading)
        assert code == "bulletin_unknown"
