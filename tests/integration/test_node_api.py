"""The node's local API as a case system, an officer's client and a stranger meet it."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from saphan import Bulletin, Node
from saphan.cli.main import main
from saphan.compose import INNER_TYPE, Wish, compose
from saphan.corridors import Allowed
from saphan.local_api import LocalNode
from saphan.node.config import NodeConfig
from saphan.node.service import NodeService
from saphan_protocol.batch import sign_one
from saphan_protocol.identity import pae
from saphan_schemas.codec import encode, encode_content
from saphan_schemas.errors import InvalidInput, OperatorError, Refused, SaphanError
from saphan_schemas.records import PAE_TYPES, OfficerRead
from saphan_schemas.samples import sample
from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states


@asynccontextmanager
async def both(bridge: Bridge) -> AsyncIterator[tuple[NodeService, NodeService]]:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as la, bridge.node_with_api(KH) as kh:
            await agreed(la)
            await opened(kh)
            yield la, kh


def case_statistics() -> dict[str, Any]:
    content = sample("case_statistics")
    return {"about": content["about"], "body": content["body"]}


async def test_the_sdk_sends_and_receives(bridge: Bridge) -> None:
    la_dir, kh_dir = bridge.place / LA, bridge.place / KH
    async with both(bridge) as (node, _), Node(la_dir) as la, Node(kh_dir) as kh:
        received: list[Bulletin] = []

        async def receive() -> None:
            async for bulletin in kh.inbox():
                received.append(bulletin)
                if len(received) == 2:
                    return

        reader = asyncio.create_task(receive())
        schema = "saphan/case_statistics/1"
        first = await la.send(to=KH, schema=schema, exercise=True, **case_statistics())
        await eventually(lambda: received)
        # The second comes while the reader waits for news.
        second = await la.send(to=[KH], schema=schema, urgency="immediate", **case_statistics())
        await reader
        assert [b.id for b in received] == [first, second]
        assert received[0].body == case_statistics()["body"]
        assert (received[0].sender, received[0].exercise) == (LA, True)
        again = [b.id async for b in kh.inbox(after=received[0].seq, follow=False)]
        assert again == [second]
        await eventually(lambda: len(node.bulletins.status(bytes.fromhex(first))["timeline"]) == 4)
        timeline = (await la.status(first))["timeline"]
        assert (timeline[-1]["issuer"], timeline[-1]["code"]) == (KH, "system")


async def test_the_sdk_names_the_field_of_an_invalid_body(bridge: Bridge) -> None:
    async with both(bridge), Node(bridge.place / LA) as la:
        wrong = case_statistics()
        wrong["body"]["cells"][0]["value"] = "many"
        with pytest.raises(InvalidInput) as caught:
            await la.send(to=KH, schema="saphan/case_statistics/1", **wrong)
        assert caught.value.code == "schema_invalid"
        assert caught.value.field == "/body/cells/0/value"
        with pytest.raises(Refused, match="mailbox_missing"):
            await la.send(to="vn.vks", schema="saphan/case_statistics/1", **case_statistics())


async def test_an_officer_sends_reads_and_sees_what_happened(
    bridge: Bridge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("open sesame of a test\n")
    secret.chmod(0o600)
    file = tmp_path / "bulletin.json"
    file.write_text(
        json.dumps({"schema": "saphan/drug_seizure/1", "exercise": True, **drug_seizure()})
    )

    async def run(*arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        status = await asyncio.to_thread(main, [*arguments, "--json"])
        out = capsys.readouterr()
        assert status == 0, out.err
        found: dict[str, Any] = json.loads(out.out)
        return found

    la_dir, kh_dir = ("--dir", str(bridge.place / LA)), ("--dir", str(bridge.place / KH))
    phrase = ("--passphrase-file", str(secret))
    officers = bridge.place / LA / "officers"
    for name in ("bounmy.next.key", "bounmy.0123456789abcdef.old.key"):
        (officers / name).hardlink_to(officers / "bounmy.key")  # a rotation names no new officer
    async with both(bridge) as (la, _):
        sent = await run("send", str(file), "--to", KH, *la_dir, *phrase)
        await eventually(lambda: states(la, bytes.fromhex(sent["id"])) == ["accepted"])
        inbox = await run("inbox", *kh_dir)
        assert [(row["id"], row["author"], row["read"]) for row in inbox["bulletins"]] == [
            (sent["id"], "bounmy", False)
        ]
        read = await run("read", sent["id"][:12], *kh_dir, *phrase)
        assert read["content"]["body"] == drug_seizure()["body"]
        await run("read", sent["id"], *kh_dir, *phrase)  # a second reading states nothing new
        assert (await run("inbox", *kh_dir))["bulletins"][0]["read"]
        await eventually(
            lambda: len(la.bulletins.status(bytes.fromhex(sent["id"]))["timeline"]) == 4
        )
        status = await run("status", sent["id"][:8], *la_dir)
        assert [(e["event"], e["issuer"]) for e in status["timeline"]] == [
            ("submitted", LA),
            ("handover", KH),
            ("accepted", KH),
            ("read", KH),
        ]
        for words in (("status", sent["id"]), ("inbox",)):
            assert await asyncio.to_thread(main, [*words, *la_dir]) == 0
        assert await asyncio.to_thread(main, ["read", sent["id"], *kh_dir, *phrase]) == 0
        assert "Handed over" in capsys.readouterr().out


def drug_seizure() -> dict[str, Any]:
    content = sample("drug_seizure")
    return {"about": content["about"], "body": content["body"]}


def endless(name: str) -> bytes:
    """A bulletin that is right but for a time that no header can hold."""
    value = {"to": [KH], "schema": "saphan/drug_seizure/1", **drug_seizure()}
    return json.dumps(value | {name: 2**70}).encode()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/bulletins", b"{", 400, "malformed"),
        ("POST", "/v1/bulletins", b"[" * 1_000_000, 400, "too_large"),
        ("POST", "/v1/bulletins", b"[" * 200_000, 400, "malformed"),
        ("POST", "/v1/bulletins", b'{"a": "\xff"}', 400, "malformed"),
        ("POST", "/v1/bulletins", endless("expires"), 400, "malformed"),
        ("POST", "/v1/bulletins", endless("answer_by"), 400, "malformed"),
        ("POST", "/v1/bulletins", endless("retain_until"), 400, "malformed"),
        ("POST", "/v1/bulletins", b'{"schema": "x", "about": {}, "body": {}}', 400, None),
        ("POST", "/v1/bulletins/signed", b"{}", 400, "malformed"),
        ("POST", "/v1/directory", b"{}", 400, "malformed"),
        ("GET", f"/v1/bulletins/{'0' * 64}", None, 404, "bulletin_unknown"),
        ("GET", "/v1/bulletins/xyz", None, 400, "id_malformed"),
        ("GET", "/v1/inbox?limit=501", None, 400, "malformed"),
        ("GET", "/v1/inbox?limit=0", None, 400, "malformed"),
        ("GET", "/v1/inbox?after=-1", None, 400, "malformed"),
        ("GET", "/nothing", None, 404, "path_unknown"),
        ("DELETE", "/v1/inbox", None, 405, "method_unknown"),
    ],
)
async def test_bad_requests_get_a_code_and_leave_the_node_up(
    bridge: Bridge, method: str, path: str, body: bytes | None, status: int, code: str | None
) -> None:
    bridge.url = "ws://127.0.0.1:9"  # nobody there: the API works without a line
    async with bridge.node_with_api(LA, listen=("127.0.0.1", 0)) as node:
        token = node.config.token_file.read_text().strip()
        connector = aiohttp.UnixConnector(str(node.config.socket))
        async with aiohttp.ClientSession(connector=connector) as http:
            async with http.request(method, f"http://node{path}", data=body) as refused:
                assert refused.status == 401
                assert (await refused.json())["code"] == "token_wrong"
            headers = {"Authorization": f"Bearer {token}"}
            async with http.request(
                method, f"http://node{path}", data=body, headers=headers
            ) as response:
                value = await response.json()
                assert response.status == status, value
                assert set(value) - {"explained"} == {"code", "message", "field", "hint"}
                assert code is None or value["code"] == code
            async with http.get("http://node/healthz") as health:
                assert (await health.json())["status"] == "ok"


async def test_the_openapi_document_names_every_path(bridge: Bridge) -> None:
    bridge.url = "ws://127.0.0.1:9"
    async with bridge.node_with_api(LA) as node:
        headers = {"Authorization": f"Bearer {node.config.token_file.read_text().strip()}"}
        connector = aiohttp.UnixConnector(str(node.config.socket))
        async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
            async with http.get("http://node/v1/openapi.json") as response:
                document = await response.json()
            for path, methods in document["paths"].items():
                for method in methods:
                    async with http.request(
                        method.upper(),
                        "http://node" + re.sub(r"\{[a-z]+\}", "1" * 64, path),
                    ) as response:
                        found = {} if path == "/v1/events" else await response.json()
                        assert found.get("code") not in ("path_unknown", "method_unknown")


class Signing:
    """An officer's client that can be made to lie."""

    def __init__(self, bridge: Bridge) -> None:
        content = sample("training_notice")
        self.wish = Wish(
            to=(KH,),
            schema="saphan/training_notice/1",
            about=content["about"],
            body=content["body"],
            exercise=True,
        )
        self.bridge = bridge

    def body(self, agency: str = LA, handle: str = "bounmy", **parts: bytes) -> dict[str, str]:
        now, nonce = self.bridge.clock(), os.urandom(16)
        draft = compose(self.wish, sender=LA, now=now, nonce=nonce, allowed=Allowed(30))
        key = self.bridge.officer(agency)
        inner = draft.inner(handle, key.key_id)
        signature = encode(sign_one(key, INNER_TYPE, inner, os.urandom(32)))
        given = {
            "header": draft.header_bytes,
            "inner": inner,
            "signature": signature,
            "content": draft.content,
        }
        return {name: base64.b64encode(part).decode() for name, part in (given | parts).items()}


async def test_an_officers_bulletin_is_judged_before_it_is_sealed(bridge: Bridge) -> None:
    """Every lie gets its own code; the honest one passes; the same again is answered the same."""
    async with both(bridge) as (la, kh):
        client, node = Signing(bridge), LocalNode(bridge.place / LA / "node")
        honest = client.body()
        other = encode_content(sample("training_notice") | {"attachments": ["x"]})
        broken = client.body()
        broken["signature"] = client.body()["signature"]
        lies = {
            "author_unknown": client.body(KH, "sokha"),
            "inner_mismatch": client.body(content=other),
            "signature_invalid": broken,
            "malformed": client.body(header=base64.b64decode(honest["header"]) + b"\x00"),
        }
        for code, lie in lies.items():
            with pytest.raises(SaphanError) as caught:
                await asyncio.to_thread(node.post, "/v1/bulletins/signed", lie)
            assert caught.value.code == code
        sent = await asyncio.to_thread(node.post, "/v1/bulletins/signed", honest)
        again = await asyncio.to_thread(node.post, "/v1/bulletins/signed", honest)
        assert again["id"] == sent["id"]
        await eventually(lambda: states(la, bytes.fromhex(sent["id"])) == ["accepted"])
        assert len(kh.bulletins.inbox(0, 9)) == 1
        assert kh.bulletins.inbox(0, 9)[0]["author"] == "bounmy"


async def test_a_reading_is_shown_only_to_the_officer_who_signed_it(bridge: Bridge) -> None:
    async with both(bridge) as (la, kh):
        content = case_statistics()
        bulletin = await la.send(
            Wish(to=(KH,), schema="saphan/case_statistics/1", exercise=True, **content)
        )
        await eventually(lambda: states(kh, bulletin) == ["accepted"])
        key = bridge.officer(KH)

        def record(**fields: Any) -> bytes:
            given: dict[str, Any] = {
                "bulletin": bulletin,
                "agency": KH,
                "handle": "sokha",
                "key": key.key_id,
                "time": bridge.clock(),
            }
            return encode(OfficerRead(**(given | fields)))

        def signed(body: bytes) -> bytes:
            return encode(sign_one(key, PAE_TYPES[OfficerRead], body, os.urandom(32)))

        lies = (
            (record(bulletin=b"x" * 32), "read_mismatch"),
            (record(agency=LA), "read_mismatch"),
            (record(handle="dara"), "key_foreign"),
            (record(key=bridge.officer(LA).key_id), "key_foreign"),
            (record(time=bridge.clock() - 120_000), "read_time"),
        )
        for body, code in lies:
            with pytest.raises(SaphanError) as caught:
                await kh.read(bulletin, body, signed(body))
            assert caught.value.code == code
        with pytest.raises(InvalidInput, match="signature_invalid"):
            await kh.read(bulletin, record(), signed(record(time=bridge.clock() - 1)))
        assert kh.db.rows("SELECT 1 FROM readings") == []
        body = record()
        assert (await kh.read(bulletin, body, signed(body)))["content"]["body"] == content["body"]
        # The log learns that it was read, once, and not by whom: a salted commitment.
        (row,) = kh.db.rows("SELECT body FROM statements WHERE event = 'read'")
        (salt,) = kh.db.row("SELECT salt FROM readings") or (b"",)
        expected = hmac.digest(salt, pae(PAE_TYPES[OfficerRead], body), "sha256")
        assert expected in row[0]
        assert b"sokha" not in row[0]


async def test_a_taken_port_is_named(bridge: Bridge) -> None:
    bridge.url = "ws://127.0.0.1:9"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OperatorError, match="port_taken"):
            async with bridge.node_with_api(LA, listen=other.getsockname()[:2]):
                pass


def test_the_api_listens_on_this_machine_only(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not_loopback"):
        NodeConfig(folder=tmp_path, broker="wss://bridge.test", listen=("0.0.0.0", 8471))  # noqa: S104


async def test_a_key_file_that_others_can_read_stops_the_node(bridge: Bridge) -> None:
    bridge.url = "ws://127.0.0.1:9"
    (bridge.place / LA / "node" / "node.key").chmod(0o644)
    with pytest.raises(OperatorError, match="key_file_exposed"):
        async with bridge.node(LA):
            pass


async def test_an_unreachable_broker_is_shown_and_the_node_stays_up(bridge: Bridge) -> None:
    bridge.url = "ws://127.0.0.1:9"
    async with bridge.node_with_api(LA) as node:
        await eventually(lambda: node.line.state.code == "broker_unreachable")
        found = await asyncio.to_thread(LocalNode(bridge.place / LA / "node").get, "/v1/identity")
        assert (found["line"]["state"], found["agency"]) == ("waiting", LA)
        assert found["line"]["hint"]


async def test_a_watched_inbox_shows_a_bulletin_as_it_comes(bridge: Bridge) -> None:
    async with both(bridge) as (la, _):
        watching = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "saphan", "inbox", "--watch", "--json",
            "--dir", str(bridge.place / KH),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert watching.stdout is not None
        for _ in range(2):
            bulletin = await la.send(
                Wish(to=(KH,), schema="saphan/case_statistics/1", **case_statistics())
            )
            shown = json.loads(await watching.stdout.readline())
            assert (shown["id"], shown["read"]) == (bulletin.hex(), False)
        watching.send_signal(signal.SIGINT)
        assert await watching.wait() == 130


async def test_events_are_told_as_they_happen(bridge: Bridge) -> None:
    async with both(bridge) as (la, kh):
        headers = {"Authorization": f"Bearer {kh.config.token_file.read_text().strip()}"}
        connector = aiohttp.UnixConnector(str(kh.config.socket))
        async with (
            aiohttp.ClientSession(connector=connector, headers=headers) as http,
            http.get("http://node/v1/events") as stream,
        ):
            assert await stream.content.readline() == b": listening\n"
            wish = Wish(to=(KH,), schema="saphan/case_statistics/1", **case_statistics())
            bulletin = await la.send(wish)
            told: list[str] = []
            async with asyncio.timeout(20):
                async for line in stream.content:
                    if line.startswith(b"data: "):
                        event = json.loads(line[6:])
                        told.append(event.get("event", event["type"]))
                        assert event.get("id", bulletin.hex()) == bulletin.hex()
                    if "accepted" in told and "inbox" in told:
                        break
            assert [name for name in told if name not in ("line", "directory")] == [
                "submitted",
                "handover",
                "inbox",
                "accepted",
            ]
