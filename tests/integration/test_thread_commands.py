"""Threads by commands and the local API: recipients that follow, refusals on every way in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from saphan import Node
from saphan.local_api import LocalNode
from saphan.node.api.views import View
from saphan.node.callers import Officer, System
from saphan_schemas import samples
from saphan_schemas.errors import InvalidInput, Refused
from support import officers
from support.bridge import KH, LA, OFFICERS, Bridge, eventually, states
from support.command import answered, saphan_here
from support.desks import DeskBridge, desk_bridge, ready_bridge
from support.threads import accepted, known, letter, owed, related

Run = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


@pytest.fixture
def run(tmp_path: Path) -> Run:
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text("open sesame of a test\n")

    async def command(*words: str | Path, status: int = 0, asks: bool = True) -> dict[str, Any]:
        """One command; its JSON, or that of its error. `asks`: it takes a passphrase."""
        line = (*words, *(("--passphrase-file", secret) if asks else ()))
        return await answered(*line, status=status)

    return command


def written(place: Path, name: str, of: bytes, **about: Any) -> Path:
    """A sample's file about another bulletin, which names no recipient."""
    value = samples.wish(name, of.hex())
    value.pop("attachments", None)
    value["about"] |= about
    path = place / f"{name}.json"
    path.write_text(json.dumps(value))
    return path


async def asked(world: DeskBridge, by: Any, to: str) -> bytes:
    request = await accepted(by, letter("info_request", (to,)))
    await known(world.kh if by is world.la else world.la, request)
    return request


async def test_an_officers_reply_and_its_correction_find_their_recipients(
    bridge: Bridge, run: Run, tmp_path: Path
) -> None:
    async with desk_bridge(bridge) as world:
        office, asker = ("--dir", bridge.place / LA), ("--dir", bridge.place / KH)
        request = await asked(world, world.kh, LA)
        before = await run("status", request.hex()[:12], *asker, asks=False)
        assert [(one["replier"], one["state"]) for one in before["owed"]] == [(LA, "waiting")]
        sent = await run("send", written(tmp_path, "info_reply_final", request), *office)
        reply = bytes.fromhex(sent["id"])
        await eventually(lambda: states(world.la, reply) == ["accepted"])
        assert owed(world.kh, request) == [(LA, "answered")]
        relations = [related("in_reply_to", request), related("corrects", reply)]
        better = written(
            tmp_path, "info_reply_final", request,
            relations=relations, message_kind="correction",
        )  # fmt: skip
        corrected = await run("send", better, *office)
        await eventually(lambda: states(world.la, bytes.fromhex(corrected["id"])) == ["accepted"])
        thread = await run("thread", request.hex()[:12], *asker, asks=False)
        assert [row["id"] for row in thread["bulletins"]] == [
            request.hex(), reply.hex(), corrected["id"],
        ]  # fmt: skip
        for lang, word in (("en", "took its place"), ("lo", "ໄດ້ແທນທີ່ແລ້ວ"), ("km", "បានជំនួសហើយ")):
            shown = await asyncio.to_thread(
                saphan_here, "--lang", lang, "thread", reply.hex()[:12], *asker
            )
            assert word in shown.out

        asks = ("--passphrase-file", tmp_path / "passphrase")
        old = await asyncio.to_thread(saphan_here, "read", reply.hex()[:12], *asker, *asks)
        assert f"read that one: saphan read {corrected['id'][:16]}" in old.err
        new = await asyncio.to_thread(saphan_here, "read", corrected["id"][:12], *asker, *asks)
        assert "read that one" not in new.err

        stranger = written(tmp_path, "info_reply_final", bytes(32))
        unknown = await run("send", stranger, *office, status=2)
        assert unknown["code"] == "bulletin_unknown"
        named = await run("send", stranger, "--to", KH, *office, status=3)
        assert (named["code"], named["field"]) == ("relation_unknown", "/about/relations/0")


async def test_the_local_api_finds_recipients_and_refuses(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        request = await asked(world, world.la, KH)
        api = LocalNode(bridge.place / KH / "node")

        def post(name: str, of: bytes, **about: Any) -> Any:
            value = samples.wish(name, of.hex())
            value.pop("attachments", None)
            value["about"] |= about
            return api.post("/v1/bulletins", value)

        made = await asyncio.to_thread(post, "info_reply_final", request)
        reply = bytes.fromhex(made["id"])
        await eventually(lambda: states(world.kh, reply) == ["accepted"])
        life = await asyncio.to_thread(api.get, f"/v1/bulletins/{request.hex()}")
        assert [one["state"] for one in life["owed"]] == ["answered"]
        async with Node(bridge.place / KH) as system:
            value = samples.sample("info_reply_final", request.hex())
            value["about"] |= {"message_kind": "correction"}
            value["about"]["relations"].append(related("corrects", reply))
            again = await system.send(
                schema="saphan/info_reply/1",
                about=value["about"],
                body=value["body"],
                exercise=True,
            )
            thread = await system.thread(again)
        assert [row["direction"] for row in thread["bulletins"]] == ["received", "sent", "sent"]
        assert thread["bulletins"][2]["recipients"] == [LA]
        with pytest.raises(InvalidInput) as nobody:
            await asyncio.to_thread(post, "info_request", bytes(32))
        assert nobody.value.code == "recipients_missing"
        foreign = {"relations": [related("supersedes", request)], "message_kind": "update"}
        with pytest.raises(InvalidInput) as none:
            await asyncio.to_thread(lambda: post("info_request", request, **foreign))
        assert none.value.code == "recipients_missing"


async def test_a_desk_replies_and_is_refused_before_anybody_signs_second(
    bridge: Bridge, run: Run, tmp_path: Path
) -> None:
    async with desk_bridge(bridge) as world:
        desk = (await world.desk("dao")).folder
        at = ("--desk", desk)
        request = await asked(world, world.la, KH)
        assert (await run("inbox", *at))["bulletins"][0]["id"] == request.hex()
        life = await run("status", request.hex()[:12], *at)
        assert [one["state"] for one in life["owed"]] == ["waiting"]
        everybody = {"*": {"clearance": "red", "languages": ["km"]}}
        await officers.settings(bridge, world.kh, four_eyes=[{}], officers=everybody)
        false = written(
            tmp_path, "info_request", request, message_kind="correction",
            relations=[related("corrects", request)],
        )  # fmt: skip
        refused = await run("send", false, "--to", LA, *at, status=3)
        assert refused["code"] == "relation_foreign"
        assert (await run("countersign", "list", *at))["drafts"] == []
        await officers.settings(bridge, world.kh)
        sent = await run("send", written(tmp_path, "info_reply_final", request), *at)
        await eventually(lambda: states(world.kh, bytes.fromhex(sent["id"])) == ["accepted"])
        assert (await run("status", request.hex()[:12], *at))["owed"][0]["state"] == "answered"


async def test_an_officer_is_shown_of_a_thread_what_they_are_cleared_for(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        green = {"tlp": "green", "codes": ["H1", "H2"]}
        request = await accepted(world.kh, letter("info_request", (LA,), marking=green))
        await known(world.la, request)
        reply = await accepted(world.la, letter("info_reply_final", (KH,), request))
        await officers.settings(bridge, world.kh, officers={"*": {"clearance": "green"}})
        sokha = View(world.kh, Officer(handle=OFFICERS[KH], key=bytes(32)))
        thread = await asyncio.to_thread(sokha.thread, request.hex())
        assert [row["id"] for row in thread["bulletins"]] == [request.hex()]
        assert thread["bulletins"][0]["owed"][0]["state"] == "waiting"
        with pytest.raises(InvalidInput):
            await asyncio.to_thread(sokha.thread, reply.hex())
        shown = {one["id"] for one in world.kh.showings.rows(0, 99, handle=OFFICERS[KH])}
        assert shown == {request.hex()}
        await officers.settings(bridge, world.kh, officers={"*": {"clearance": "red"}})
        life = await asyncio.to_thread(sokha.status, request.hex())
        assert life["owed"][0]["replies"] == [reply.hex()]


async def test_what_a_system_may_not_see_gives_it_no_recipients(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        request = await asked(world, world.la, KH)
        about = {"relations": [related("in_reply_to", request)]}
        blind = System(name="cases", rights=frozenset(), schemas=frozenset({"saphan/x/1"}))
        with pytest.raises(InvalidInput, match="no bulletin"):
            View(world.kh, blind).follow(about)
        seeing = System(name="cases", rights=frozenset(), schemas=None)
        assert View(world.kh, seeing).follow(about) == (LA,)
        assert View(world.kh, seeing).follow({"relations": [3, {"kind": "corrects"}]}) == ()
        with pytest.raises(Refused):
            await world.kh.send(letter("info_reply", (LA,)))
