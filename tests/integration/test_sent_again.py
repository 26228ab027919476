"""A case system that times out and repeats does not send twice (idempotency keys)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from saphan import Node
from saphan.api_rights import Right
from saphan.node.service import NodeService
from saphan.node.token_kept import Wanted
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.samples import sample
from support.api_tokens import Asking, holder, http_to, keeper
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, states

PATH = "/v1/bulletins"
KEY = "case-2026-000117"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made, made.broker_running():
        await made.enrol()
        yield made


def wished(name: str = "case_statistics", **fields: Any) -> dict[str, Any]:
    whole = sample(name)
    said = {"about": whole["about"], "body": whole["body"]}
    return {"to": [KH], "schema": f"saphan/{name}/1", "exercise": True, **said, **fields}


async def push(asking: Asking, key: str = KEY, **fields: Any) -> object:
    """The id that is answered, or the code of the error."""
    headers = {"Idempotency-Key": key}
    _, answer = await asking.ask("POST", PATH, json=wished(**fields), headers=headers)
    return answer.get("code", answer.get("id"))


def count(node: NodeService) -> int:
    return len(node.bulletins.sent(0, 100))


async def test_the_same_request_again_has_the_first_answer(bridge: Bridge) -> None:
    """Timeline: five at once and one after; the node starts anew; once more; one has gone out."""
    async with bridge.node_with_api(LA) as la, http_to(la) as http:
        await agreed(la)
        whole = await keeper(http, la)
        first, *others = await asyncio.gather(*(push(whole) for _ in range(5)))
        assert others == [first] * 4
        assert await push(whole, f'"{KEY}"') == first  # as the draft of the IETF quotes it
        assert count(la) == 1
    async with bridge.node_with_api(LA) as la, bridge.node(KH) as kh, http_to(la) as http:
        assert await push(await keeper(http, la)) == first
        await eventually(lambda: states(la, bytes.fromhex(str(first))) == ["accepted"])
        assert (count(la), len(kh.bulletins.inbox(0, 9))) == (1, 1)


async def test_a_key_stands_for_one_request_of_one_caller(bridge: Bridge) -> None:
    async with bridge.node_with_api(LA) as la, http_to(la) as http:
        await agreed(la)
        whole = await keeper(http, la)
        right = frozenset({Right.SEND})
        system = await holder(http, la, Wanted(name="cases", rights=right))
        first = await push(whole)
        assert await push(whole, urgency="immediate") == "repeat_differs"
        theirs = await push(system)
        assert theirs != first
        la.tokens.revoke("cases")
        system = await holder(http, la, Wanted(name="cases", rights=right))
        assert await push(system) == theirs  # the same system, with its next token
        assert await push(whole, "another-key") not in (first, theirs)
        assert count(la) == 3


async def test_what_was_refused_is_judged_afresh(bridge: Bridge) -> None:
    async with bridge.node_with_api(LA) as la, http_to(la) as http:
        whole = await keeper(http, la)
        await agreed(la)
        assert await push(whole, to=["vn.vks"]) == "mailbox_missing"
        assert await push(whole, to=["vn.vks"]) == "mailbox_missing"
        for key in ("short", "x" * 129, "with space", "laoລາວລາວ"):
            headers = {"Idempotency-Key": key}
            code = await whole.code("POST", PATH, json=wished(), headers=headers)
            assert code == "repeat_malformed", key
        assert count(la) == 0
        assert len(str(await push(whole))) == 64


async def test_a_bulletin_and_its_first_answer_are_kept_together(bridge: Bridge) -> None:
    """The disk takes the bulletin and not the answer: neither is kept, and again works."""
    async with bridge.node_with_api(LA) as la, http_to(la) as http:
        await agreed(la)
        whole = await keeper(http, la)
        await asyncio.to_thread(
            run,
            bridge,
            "CREATE TRIGGER full BEFORE INSERT ON repeats BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        assert len(str(await push(whole))) != 64
        assert count(la) == 0
        await asyncio.to_thread(run, bridge, "DROP TRIGGER full")
        first = await push(whole)
        assert (await push(whole), count(la)) == (first, 1)


def run(bridge: Bridge, statement: str) -> None:
    """Beside the node, as a fault of its disk."""
    with closing(sqlite3.connect(bridge.place / LA / "node" / "data" / "node.db")) as store, store:
        store.execute(statement)


async def test_first_answers_are_let_go_after_a_week(bridge: Bridge) -> None:
    async with bridge.node_with_api(LA) as la, http_to(la) as http:
        await agreed(la)
        whole = await keeper(http, la)
        await push(whole)
        bridge.node_clock.ahead = bridge.clock.ahead = LIMITS.repeats_ms + 1
        await push(whole, "another-key")
        assert [key for (key,) in la.db.rows("SELECT key FROM repeats")] == ["another-key"]


async def test_the_sdk_sends_attachments_again_without_sending_twice(
    bridge: Bridge, tmp_path: Path
) -> None:
    """The first bulletin has taken the uploads: what comes again brings them, and has its id."""
    file = tmp_path / "seal.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    async with bridge.node_with_api(LA) as la, Node(bridge.place / LA) as node:
        await agreed(la)
        whole = sample("drug_seizure")

        async def send(about: dict[str, Any]) -> str:
            return await node.send(
                to=KH, schema="saphan/drug_seizure/1", about=about, body=whole["body"],
                attachments=[file], idempotency_key=KEY, exercise=True,
            )  # fmt: skip

        first = await send(whole["about"])
        assert await send(whole["about"]) == first
        with pytest.raises(Refused, match="repeat_differs"):
            await send(sample("training_notice")["about"])
        assert count(la) == 1
