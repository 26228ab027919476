"""The life of a token of the local API: made, used, listed, expired, revoked, not restored."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from saphan.api_rights import Right
from saphan.backup.restored_store import adopt_store
from saphan.doctor import examine
from saphan.keyring import revoke_key
from saphan.node import tokens
from saphan.node.token_kept import Wanted
from saphan.node.watching import Watching
from saphan.office import Office
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS, LIMITS, MINUTE_MS
from saphan_schemas.records import Role
from support.api_tokens import (
    Asking,
    Pen,
    another_officer,
    holder,
    http_to,
    keeper,
)
from support.bridge import LA, OFFICERS, SECRET, Bridge, bridged, eventually, opened
from support.officers import submit

SEEING = frozenset({Right.READ, Right.STATUS, Right.EVENTS})
SEIZURE = "saphan/drug_seizure/1"


async def test_a_token_ends_on_its_day_and_its_last_use_outlives_the_node(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        bridge.url = "ws://127.0.0.1:9"
        async with bridge.node_with_api(LA) as node, http_to(node) as http:
            wanted = Wanted(name="cases", rights=SEEING, days=30)
            system = await holder(http, node, wanted)
            await holder(http, node, Wanted(name="idle", rights=SEEING))
            bridge.node_clock.ahead += LIMITS.token_noted_ms
            assert await system.code("GET", "/v1/inbox") == 200
            bridge.node_clock.ahead += 1_000  # the first use was written down, this one is new
            assert await system.code("GET", "/v1/inbox") == 200
            (used, unused) = (row["used"] for row in node.tokens.listed())
            assert node.db.rows("SELECT 1 FROM tokens WHERE used < ?", (used,)) == [(1,)]
        bridge.node_clock.ahead = 30 * DAY_MS - MINUTE_MS
        async with bridge.node_with_api(LA) as node, http_to(node) as http:
            system = Asking(http, system.token)
            kept, idle = node.tokens.listed()
            assert (kept["used"], idle["used"], unused) == (used, None, None)
            assert used > kept["made"] + LIMITS.token_noted_ms
            assert idle["expires"] == idle["made"] + LIMITS.token_ms
            assert await warned(bridge) == [{"name": "cases", "days": 0}]
            assert await system.code("GET", "/v1/inbox") == 200
            bridge.node_clock.ahead += MINUTE_MS
            assert await system.code("GET", "/v1/inbox") == "token_expired"
            assert [row["state"] for row in node.tokens.listed()] == ["expired", "active"]
            again = await holder(http, node, wanted)  # the name is free again
            assert await again.code("GET", "/v1/inbox") == 200
            assert await system.code("GET", "/v1/inbox") == "token_expired"


async def warned(bridge: Bridge) -> list[dict[str, Any]]:
    """What the doctor says of tokens: those that are used, and end soon."""
    now = bridge.node_clock()
    found = await asyncio.to_thread(lambda: examine(Office(bridge.place / LA), now))
    return [dict(one.values) for one in found if one.key == "doctor.token_ends"]


async def test_a_token_ends_with_its_key_and_not_with_its_handle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timeline: the key is revoked by hand while the broker knows nothing; the broker hears of it;
    the same officer has a new key. What was made for the old one stays dead."""

    async def withheld(_: Watching) -> None:
        return

    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as node, http_to(node) as http:
            await opened(node)
            pen = await another_officer(bridge, node, "lim")
            wanted = Wanted(name="lims", officer="lim")
            old = await holder(http, node, wanted)
            assert await old.code("GET", "/v1/inbox") == 200
            monkeypatch.setattr(Watching, "_offer", withheld)
            package = await asyncio.to_thread(revocation, pen)
            await node.watching.import_bound("operation", package)
            assert await old.code("GET", "/v1/inbox") == "key_revoked"
            with pytest.raises(Refused, match="officer_unknown"):
                node.tokens.add(replace(wanted, name="more"))
            await submit(node, package)
            await another_officer(bridge, node, "lim")
            await eventually(lambda: node.logs.directory.keys(LA, Role.OFFICER)[-1].handle == "lim")
            new = await holder(http, node, replace(wanted, name="more"))
            assert await new.code("GET", "/v1/inbox") == 200
            assert await old.code("GET", "/v1/inbox") == "key_revoked"


def revocation(pen: Pen) -> bytes:
    """What the root signs when an officer's key is lost, before anybody else has seen it."""
    office, key = pen.bridge.offices[pen.agency], pen.key.key_id
    return revoke_key(office, key, SECRET, now=pen.bridge.clock()).operation.read_bytes()


async def test_while_the_directory_grows_the_api_goes_on(tmp_path: Path) -> None:
    """Whether an officer's key is active waits for the directory, and nobody else does."""
    held, go = threading.Event(), threading.Event()
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as node, http_to(node) as http:
            await eventually(lambda: node.logs.directory.find(bridge.officer(LA).key_id))
            officer = await holder(http, node, Wanted(name="hers", officer=OFFICERS[LA]))

            def grow() -> bool:
                with node.logs.lock:
                    held.set()
                    return go.wait(10)

            growing = asyncio.create_task(asyncio.to_thread(grow))
            await asyncio.to_thread(held.wait)
            asking = asyncio.create_task(officer.code("GET", "/v1/inbox"))
            whole = await keeper(http, node)
            for _ in range(3):
                assert await whole.code("GET", "/v1/tokens") == 200
            go.set()
            assert await growing
            assert await asking == 200


async def test_the_store_knows_a_token_only_by_its_hash(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        bridge.url = "ws://127.0.0.1:9"
        async with bridge.node_with_api(LA) as node, http_to(node) as http:
            system = await holder(http, node, Wanted(name="cases", rights=SEEING))
            assert await system.code("GET", "/v1/inbox") == 200
        files = [path for path in (bridge.place / LA).rglob("*") if path.is_file()]
        assert any(b"cases" in path.read_bytes() for path in files)
        secret = system.token.encode()
        assert [path for path in files if secret in path.read_bytes()] == []


async def test_a_restored_node_has_no_tokens_of_the_time_of_its_backup(tmp_path: Path) -> None:
    """One of them may have been revoked since."""
    async with bridged(tmp_path) as bridge:
        bridge.url = "ws://127.0.0.1:9"
        async with bridge.node_with_api(LA) as node, http_to(node) as http:
            system = await holder(http, node, Wanted(name="cases", rights=SEEING))
        await asyncio.to_thread(adopt_store, bridge.place / LA, bridge.node_clock())
        async with bridge.node_with_api(LA) as node, http_to(node) as http:
            assert node.tokens.listed() == []
            assert await Asking(http, system.token).code("GET", "/v1/inbox") == "token_wrong"


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"name": "Cases", "rights": ["read"]}, "token_malformed"),
    ({"name": "cases"}, "token_malformed"),
    ({"name": "cases", "rights": ["read"], "officer": "bounmy"}, "token_malformed"),
    ({"name": "cases", "officer": "bounmy", "schemas": [SEIZURE]}, "token_malformed"),
    ({"name": "cases", "rights": ["read"], "days": 0}, "token_malformed"),
    ({"name": "cases", "rights": ["read"], "days": 367}, "token_malformed"),
    ({"name": "cases", "rights": ["read"], "schemas": ["saphan/none/1"]}, "schema_unknown"),
    ({"name": "cases", "rights": ["keeper"]}, "malformed"),
    ({"name": "cases", "officer": "nobody"}, "officer_unknown"),
    ({"name": "taken", "rights": ["read"]}, "token_exists"),
)


async def test_a_token_that_nobody_should_have_is_not_made(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        bridge.url = "ws://127.0.0.1:9"
        async with bridge.node_with_api(LA) as node, http_to(node) as http:
            whole = await keeper(http, node)
            first = {"name": "taken", "rights": ["send"]}
            assert await whole.code("POST", "/v1/tokens", json=first) == 201
            for wanted, code in REFUSED:
                assert await whole.code("POST", "/v1/tokens", json=wanted) == code, wanted
            assert [row["name"] for row in node.tokens.listed()] == ["taken"]
            assert await whole.code("DELETE", "/v1/tokens/nobody") == "token_unknown"


async def test_of_too_many_tokens_those_that_have_ended_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "LIMITS", replace(LIMITS, tokens=2))
    async with bridged(tmp_path) as bridge:
        bridge.url = "ws://127.0.0.1:9"
        async with bridge.node(LA) as node:
            node.tokens.add(Wanted(name="one", rights=SEEING))
            node.tokens.add(Wanted(name="two", rights=SEEING))
            with pytest.raises(Refused, match="tokens_full"):
                node.tokens.add(Wanted(name="three", rights=SEEING))
            node.tokens.revoke("one")
            node.tokens.add(Wanted(name="three", rights=SEEING))
            assert [row["name"] for row in node.tokens.listed()] == ["two", "three"]
