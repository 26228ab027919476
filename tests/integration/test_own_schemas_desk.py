"""An agency's own type for people: at a desk without its line, and over the node's local API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan.base64_text import bytes_of
from saphan.desk.drafts import Written
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox
from saphan.desk.second import SecondEyes
from saphan.desk.syncing import sync
from saphan.desk.types import DeskTypes
from saphan.local_api import LocalNode
from saphan.node.callers import Right
from saphan.node.token_kept import Wanted
from saphan.own_types.told import types_for
from saphan_schemas.errors import InvalidInput, OperatorError
from support import officers
from support.bridge import KH, LA, Bridge, bridged, eventually, states
from support.command import answered
from support.desks import at, desk_bridge, on_line
from support.own_bridge import register, rules
from support.own_types import OWN, bundle, content


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    """Two agencies whose agreement names the own type."""
    async with bridged(tmp_path) as made:
        async with made.broker_running():
            await made.enrol(rules=rules())
        yield made


def report(**body: Any) -> Written:
    told = content(**body)
    value = {"schema": OWN, "about": told["about"], "body": told["body"], "exercise": True}
    return Written(json.dumps(value).encode(), (LA,))


async def test_an_officer_writes_in_it_without_the_line(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with on_line(folder, bridge) as (desk, line):
            await sync(desk, line)
            assert OWN not in DeskTypes(desk).all()  # nobody has registered it yet
        await register(bridge, world.la, bundle())
        await eventually(lambda: OWN in world.kh.own.types)
        async with on_line(folder, bridge) as (desk, line):
            await sync(desk, line)
        async with at(folder, bridge) as desk:
            outbox = Outbox(desk)
            corridors = await asyncio.to_thread(Inbox(desk).corridors)
            with pytest.raises(InvalidInput) as refused:
                await asyncio.to_thread(outbox.queue, report(patrols=-1), corridors)
            assert refused.value.field == "/body/patrols"
            await asyncio.to_thread(outbox.queue, report(), corridors)
        async with on_line(folder, bridge) as (desk, line):
            (sent,) = (await sync(desk, line)).sent
        assert sent.bulletin is not None
        await eventually(lambda: states(world.kh, sent.bulletin or b"") == ["accepted"])


async def test_a_program_gets_it_over_the_local_api(bridge: Bridge) -> None:
    async with bridge.broker_running(), bridge.node_with_api(LA) as la:
        await eventually(lambda: la.line.is_open())
        await register(bridge, la, bundle())
        await eventually(lambda: OWN in la.own.types)
        node = LocalNode(bridge.place / LA / "node")
        listed = (await asyncio.to_thread(node.get, "/v1/schemas"))["schemas"]
        (own,) = [one for one in listed if one["agency"] is not None]
        assert (own["name"], own["agency"], own["here"]) == (OWN, LA, True)
        found = await asyncio.to_thread(node.get, f"/v1/schemas/{OWN}")
        assert bytes_of(found["exact"]) == bundle()
        types = await asyncio.to_thread(types_for, node.get, OWN)
        assert types.get(OWN).digest.hex() == own["digest"]
        for name in ("kh.gpo/none/1", "saphan/none/1"):
            with pytest.raises(InvalidInput) as refused:
                await asyncio.to_thread(node.get, f"/v1/schemas/{name}")
            assert refused.value.code == "schema_unknown"


def test_another_type_than_was_asked_for_is_never_written_in() -> None:
    def lies(path: str) -> dict[str, Any]:
        return {"name": OWN, "digest": "00" * 32, "exact": ""}

    with pytest.raises(OperatorError) as refused:
        types_for(lies, OWN)
    assert refused.value.code == "node_answer"


async def test_a_system_has_a_token_for_it(bridge: Bridge) -> None:
    def wanted(name: str) -> Wanted:
        rights = frozenset({Right.SEND})
        return Wanted(name="cases", rights=rights, schemas=frozenset({name}), officer=None)

    async with bridge.broker_running(), bridge.node(KH) as kh, bridge.node(LA) as la:
        await eventually(lambda: la.line.is_open() and kh.line.is_open())
        with pytest.raises(InvalidInput):
            await asyncio.to_thread(kh.tokens.add, wanted(OWN))
        await register(bridge, la, bundle())
        await eventually(lambda: OWN in kh.own.types)
        text, _ = await asyncio.to_thread(kh.tokens.add, wanted(OWN))
        assert text


async def test_officers_send_and_read_it_by_the_commands(bridge: Bridge, tmp_path: Path) -> None:
    """At the nodes: refused before anybody has the type, then checked against it, sent and read."""
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text("open sesame of a test\n")
    told = content(remarks="two boats at the confluence")
    value = {"schema": OWN, "about": told["about"], "body": told["body"], "exercise": True}
    letter = tmp_path / "report.json"
    letter.write_text(json.dumps(value))

    def at_node(agency: str) -> tuple[str | Path, ...]:
        return ("--dir", bridge.place / agency, "--passphrase-file", secret)

    async with (
        bridge.broker_running(),
        bridge.node_with_api(LA) as la,
        bridge.node_with_api(KH) as kh,
    ):
        await eventually(lambda: la.line.is_open() and kh.line.is_open())
        early = await answered("send", letter, "--to", KH, *at_node(LA), status=2)
        assert early["code"] == "schema_unknown"
        await register(bridge, la, bundle())
        await eventually(lambda: OWN in kh.own.types)
        value["body"] = content(patrols=-1)["body"]
        wrong = tmp_path / "wrong.json"
        wrong.write_text(json.dumps(value))
        refused = await answered("send", wrong, "--to", KH, *at_node(LA), status=2)
        assert (refused["code"], refused["field"]) == ("schema_invalid", "/body/patrols")
        sent = await answered("send", letter, "--to", KH, *at_node(LA))
        await eventually(lambda: states(la, bytes.fromhex(sent["id"])) == ["accepted"])
        found = await answered("read", sent["id"], *at_node(KH))
        assert found["content"]["body"]["remarks"] == "two boats at the confluence"


async def test_a_second_officer_sees_it_at_a_desk_that_never_heard_of_it(bridge: Bridge) -> None:
    """Her desk asks for the type before it shows a word: she signs what she could check."""
    async with desk_bridge(bridge) as world:
        await register(bridge, world.la, bundle())
        await eventually(lambda: OWN in world.kh.own.types)
        everybody = {"*": {"clearance": "red", "languages": ["km"]}}
        await officers.settings(bridge, world.kh, four_eyes=[{}], officers=everybody)
        author, second = await world.desk("dao"), await world.desk("lek")
        async with on_line(author, bridge) as (desk, line):
            await sync(desk, line)
            corridors = await asyncio.to_thread(Inbox(desk).corridors)
            await asyncio.to_thread(Outbox(desk).queue, report(), corridors)
            await sync(desk, line)
        async with on_line(second, bridge) as (desk, line):
            eyes = SecondEyes(desk)
            (waits,) = await eyes.waiting(line)
            assert OWN not in await asyncio.to_thread(DeskTypes(desk).all)
            exact = await eyes.open(line, bytes.fromhex(waits["id"]))
            assert exact.content["body"] == content()["body"]
            sent = bytes.fromhex(await eyes.sign(line, exact))
        await eventually(lambda: states(world.kh, sent) == ["accepted"])
