"""Bad input at a node from its own side: case systems, officers' programs, keys, ports, disk."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from saphan.compose import INNER_TYPE, compose
from saphan.corridors import Allowed
from saphan.node.service import NodeService
from saphan_protocol.batch import sign_one
from saphan_protocol.identity import CONTENT_TYPE, identity
from saphan_schemas.codec import encode
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Header, Inner
from saphan_schemas.samples import sample
from support.agency import Agency
from support.bridge import KH, LA, OFFICERS, Bridge, agreed, eventually, states, wish


class Client:
    """A program of the agency that speaks to the node's local API."""

    def __init__(self, node: NodeService, http: aiohttp.ClientSession) -> None:
        self._node, self._http = node, http

    async def post(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        async with self._http.post(f"http://node{path}", data=body) as response:
            return response.status, await response.json()


@asynccontextmanager
async def client(node: NodeService) -> AsyncIterator[Client]:
    token = node.config.token_file.read_text().strip()
    connector = aiohttp.UnixConnector(str(node.config.socket))
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        yield Client(node, http)


def explained(answer: tuple[int, dict[str, Any]], code: str) -> None:
    status, value = answer
    assert value.get("code") == code, value
    assert 400 <= status < 600
    assert value["message"]
    assert value["hint"], f"{code} has no hint"


# --- a case system --------------------------------------------------------------------------------


def pushed(**changes: Any) -> bytes:
    """A good bulletin as JSON, with members changed or (None) left out."""
    content = sample("case_statistics")
    made = {
        "to": [KH],
        "schema": "saphan/case_statistics/1",
        "about": content["about"],
        "body": content["body"],
        "exercise": True,
    }
    return json.dumps({k: v for k, v in (made | changes).items() if v is not None}).encode()


def kept_here() -> dict[str, Any]:
    """The common fields of a bulletin that may be marked red: nobody is told."""
    about: dict[str, Any] = sample("case_statistics")["about"]
    about["handling"]["onward"] = "none"
    return about


def _twice(data: bytes) -> bytes:
    return data[:-1] + b', "schema": "saphan/drug_seizure/1"}'


DEEP: Any = {"a": 1}
for _ in range(60):
    DEEP = {"a": DEEP}

PUSHED: dict[str, tuple[str, bytes]] = {
    "cut off": ("malformed", pushed()[:-1]),
    "a member that stands twice": ("malformed", _twice(pushed())),
    "a member of its own": ("malformed", pushed(colour="red")),
    "not UTF-8": ("malformed", pushed().replace(b"case", b"c\xe4se", 1)),
    "not a number": ("malformed", pushed()[:-1] + b', "expires": NaN}'),
    "nested a million deep": ("too_large", b"[" * 1_000_000),
    "nested as deep as may be sent": ("malformed", b'{"body": ' + b"[" * 200_000),
    "nested deeper than content may be": ("malformed", pushed(body=DEEP)),
    "too long": ("too_large", pushed(body={"text": "x" * 250_000})),
    "longer than content may be": ("too_large", pushed(body={"text": "x" * 100_000})),
    "unknown schema": ("schema_unknown", pushed(schema="saphan/unheard_of/1")),
    "body of another schema": ("schema_invalid", pushed(schema="saphan/drug_seizure/1")),
    "unknown agency": ("mailbox_missing", pushed(to=["vn.vks"])),
    "no agency's name": ("header_invalid", pushed(to=["KH GPO"])),
    "nobody": ("recipients_missing", pushed(to=[])),
    "the sender itself": ("recipients_malformed", pushed(to=[LA])),
    "already over": ("times_malformed", pushed(expires=1)),
    "marked higher than agreed": (
        "agreement_marking",
        pushed(marking={"tlp": "red", "codes": ["H0"]}, about=kept_here()),
    ),
}


# --- an officer's program -------------------------------------------------------------------------


def signed(bridge: Bridge, *, header: dict[str, Any] | None = None, **parts: Any) -> bytes:
    """A bulletin signed by the officer over a header with fields changed; parts replaced after."""
    officer, now = bridge.officer(LA), bridge.clock()
    draft = compose(wish(), sender=LA, now=now, nonce=bytes(16), allowed=Allowed(30))
    fields = {name: getattr(draft.header, name) for name in Header.__struct_fields__}
    header_bytes = encode(Header(**(fields | (header or {}))))
    inner = encode(
        Inner(
            OFFICERS[LA],
            officer.key_id,
            identity("saphan/header/1", header_bytes),
            identity(CONTENT_TYPE, draft.content),
            (),
        )
    )
    signature = encode(sign_one(parts.pop("by", officer), INNER_TYPE, inner, bytes(32)))
    made = {
        "header": header_bytes,
        "inner": inner,
        "signature": signature,
        "content": draft.content,
    }
    made |= {name: work(made[name]) for name, work in parts.items()}
    return json.dumps({k: base64.b64encode(v).decode() for k, v in made.items()}).encode()


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _dated(created: int) -> dict[str, Any]:
    return {"created": created, "expires": created + DAY_MS}


def _signed_cases(bridge: Bridge) -> dict[str, tuple[str, bytes]]:
    now = bridge.clock()
    stranger = Agency("th.stranger", now).officer
    return {
        "suite of another program": ("suite_unknown", signed(bridge, header={"suite": 2})),
        "another agency's header": ("sender_not_peer", signed(bridge, header={"sender": KH})),
        "wrong schema digest": (
            "schema_unknown",
            signed(bridge, header={"schema_digest": bytes(32)}),
        ),
        "expired": ("expired", signed(bridge, header=_dated(now - 2 * DAY_MS))),
        "from the future": ("created_in_future", signed(bridge, header=_dated(now + DAY_MS))),
        "content changed after signing": ("inner_mismatch", signed(bridge, content=_another)),
        "content that is not canonical": ("not_canonical", signed(bridge, content=_unsorted)),
        "inner changed after signing": ("malformed", signed(bridge, inner=lambda b: b[:-1])),
        "signature of a stranger": ("author_unknown", signed(bridge, by=stranger)),
        "signature changed": ("signature_invalid", signed(bridge, signature=_flipped)),
    }


def _another(content: bytes) -> bytes:
    value = msgspec.msgpack.decode(content)
    return msgspec.msgpack.Encoder(order="sorted").encode(value | {"attachments": ["x"]})


def _unsorted(content: bytes) -> bytes:
    value = msgspec.msgpack.decode(content)
    return msgspec.msgpack.encode(dict(sorted(value.items(), reverse=True)))


async def test_what_a_program_of_the_agency_pushes_wrongly_is_refused(bridge: Bridge) -> None:
    """Nothing of it is kept, and the node takes the next good one."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as node, client(node) as system:
            await agreed(node)
            for name, (code, body) in PUSHED.items():
                answer = await system.post("/v1/bulletins", body)
                assert answer[1].get("code") == code, (name, answer)
                explained(answer, code)
            for name, (code, body) in _signed_cases(bridge).items():
                answer = await system.post("/v1/bulletins/signed", body)
                assert answer[1].get("code") == code, (name, answer)
                explained(answer, code)
            for table in ("bulletins", "consignments", "deliveries"):
                assert node.db.rows(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608
            status, value = await system.post("/v1/bulletins", pushed())
            assert status == 202, value
            status, value = await system.post("/v1/bulletins/signed", signed(bridge))
            assert status == 202, value


# --- the machine ----------------------------------------------------------------------------------


async def test_a_full_disk_refuses_whole_and_the_node_goes_on(bridge: Bridge) -> None:
    """Timeline: no room at la.ospp, then room; no room at kh.gpo while one arrives, then room."""
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as la, client(la) as system, bridge.node(KH) as kh:
            await agreed(la)
            await agreed(kh)
            fill(la)
            for _ in range(3):
                explained(await system.post("/v1/bulletins", pushed()), "disk_full")
            assert la.db.rows("SELECT count(*) FROM bulletins") == [(0,)]
            free(la)
            fill(kh)
            status, value = await system.post("/v1/bulletins", pushed())
            assert status == 202, value
            bulletin = bytes.fromhex(value["id"])
            await eventually(lambda: "disk_full" in [alarm.code for alarm in kh.alarms.standing()])
            assert kh.db.rows("SELECT count(*) FROM bulletins") == [(0,)]
            free(kh)
            await eventually(lambda: states(la, bulletin) == ["accepted"])
            assert len(kh.bulletins.inbox(0, 9)) == 1


def fill(node: NodeService) -> None:
    """No page more for the store of this node, and none left over."""
    with node.db._writing:
        node.db._writer.execute("VACUUM")
        (pages,) = node.db._writer.execute("PRAGMA page_count").fetchone()
        node.db._writer.execute(f"PRAGMA max_page_count={pages}")


def free(node: NodeService) -> None:
    with node.db._writing:
        node.db._writer.execute("PRAGMA max_page_count=1000000")


@pytest.mark.parametrize("name", ["node.key", "witness.key"])
async def test_a_key_file_that_others_can_read_starts_no_node(bridge: Bridge, name: str) -> None:
    bridge.url = "ws://127.0.0.1:9"
    path = bridge.place / LA / "node" / name
    path.chmod(0o640)
    with pytest.raises(OperatorError) as caught:
        async with bridge.node(LA):
            pass
    assert caught.value.code == "key_file_exposed"
    assert caught.value.hint
    path.chmod(0o600)
    async with bridge.node(LA):  # nothing was left locked or half-made
        pass


async def test_a_taken_port_starts_no_node(bridge: Bridge) -> None:
    bridge.url = "ws://127.0.0.1:9"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = ("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OperatorError) as caught:
            async with bridge.node_with_api(LA, listen=listen):
                pass
    assert caught.value.code == "port_taken"
    assert caught.value.hint
    async with bridge.node_with_api(LA, listen=listen):
        pass


async def test_a_broker_that_does_not_answer_is_named_and_nothing_waits_for_it(
    bridge: Bridge,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        bridge.url = f"ws://127.0.0.1:{unused.getsockname()[1]}"
    async with bridge.node_with_api(LA) as node, client(node) as system:
        await eventually(lambda: node.line.state.code == "broker_unreachable")
        assert node.line.state.hint
        explained(await system.post("/v1/bulletins", pushed()), "mailbox_missing")
