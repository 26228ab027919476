"""`saphan schema` beside a running node: replies from the form, agencies' own types."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from saphan.form.filling import Filling
from saphan.form.question import Scalar
from saphan_schemas import samples
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.messages import LANGUAGES
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states
from support.command import answered, saphan
from support.desks import desk_bridge, ready_bridge
from support.forms import filled
from support.own_bridge import has_it, register, rules
from support.own_types import OWN, bundle
from support.threads import accepted, known, letter, owed


@pytest.fixture
async def ready() -> AsyncIterator[Bridge]:
    async with ready_bridge() as made:
        yield made


async def test_a_reply_is_written_in_the_form_and_sent(ready: Bridge, tmp_path: Path) -> None:
    """The officer gives the first digits of the request; the rest follows by Enter."""
    async with desk_bridge(ready) as world:
        request = await accepted(world.kh, letter("info_request", (LA,)))
        await known(world.la, request)
        whole = samples.wish("info_reply_final", request.hex()) | {"to": [KH]}
        proposed = {"/to/0", "/body/request_id", "/about/relations/0?"}
        proposed |= {f"/about/relations/0/{name}" for name in ("kind", "bulletin_id")}
        typed = filled(_with_proposals(whole, request), whole, enter=proposed)
        out = tmp_path / "reply.json"
        office = ready.place / LA
        words = ("schema", "new", "info_reply", "--replies", request.hex()[:12])
        await asyncio.to_thread(
            saphan, *words, "--dir", office, "--out", out, stdin="\n".join([*typed, "", ""])
        )
        assert json.loads(out.read_text())["to"] == [KH]
        secret = tmp_path / "passphrase"
        secret.touch(mode=0o600)
        secret.write_text("open sesame of a test\n")
        sent = await answered("send", out, "--dir", office, "--passphrase-file", secret)
        await eventually(lambda: states(world.la, bytes.fromhex(sent["id"])) == ["accepted"])
        assert owed(world.kh, request) == [(LA, "answered")]


def _with_proposals(whole: dict[str, Any], request: bytes) -> Filling:
    defaults: dict[str, Scalar] = {
        "/to/0": KH,
        "/body/request_id": request.hex(),
        "/about/relations/0?": True,
        "/about/relations/0/kind": "in_reply_to",
        "/about/relations/0/bulletin_id": request.hex(),
    }
    return Filling(BUILT_IN.get(whole["schema"]), "en", defaults)


async def test_an_own_type_is_listed_shown_and_checked(bridge: Bridge, tmp_path: Path) -> None:
    async with bridge.broker_running():
        await bridge.enrol(rules=rules())
        async with bridge.node_with_api(LA) as la:
            await agreed(la)
            await opened(la)
            await register(bridge, la, bundle())
            await eventually(lambda: has_it(la))
            at = ("--dir", bridge.place / LA)
            listed = (await answered("schema", "list", *at))["types"]
            assert OWN in [row["name"] for row in listed]
            shown = await answered("schema", "show", OWN, *at)
            assert "patrols" in shown["schema"]["properties"]["body"]["properties"]
            path = tmp_path / "report.json"
            value = {"schema": OWN, **samples.sample("training_notice")}
            value["body"] = {"patrols": -1, "remarks": "x"}
            value["about"]["personal_data"] = {"present": False, "minors": False}
            path.write_text(json.dumps(value))
            error = await answered("schema", "check", path, *at, status=2)
            assert error["field"] == "/body/patrols"
            assert error["explained"].startswith("patrols:")
            value["body"]["patrols"] = 3
            path.write_text(json.dumps(value))
            assert (await answered("schema", "check", path, *at))["valid"] is True
        away = await answered("schema", "show", OWN, *at, status=4)
        assert away["code"] == "node_unreachable"
        assert OWN not in [row["name"] for row in (await answered("schema", "list", *at))["types"]]


async def test_a_case_system_is_told_in_every_language(ready: Bridge) -> None:
    async with desk_bridge(ready) as world:
        config = world.la.config
        value = samples.wish("drug_seizure") | {"to": [KH]}
        value["body"]["substances"][0]["unit"] = "tab"
        headers = {"Authorization": f"Bearer {config.token_file.read_text().strip()}"}
        connector = aiohttp.UnixConnector(str(config.socket))
        async with (
            aiohttp.ClientSession(connector=connector, headers=headers) as http,
            http.post("http://node/v1/bulletins", json=value) as answer,
        ):
            assert answer.status == 400
            error = await answer.json()
        assert (error["code"], error["field"]) == ("schema_invalid", "/body/substances/0/unit")
        assert set(error["explained"]) == set(LANGUAGES)
        assert "ກຣາມ" in error["explained"]["lo"]
        assert all("tab" not in said.split() for said in error["explained"].values())
