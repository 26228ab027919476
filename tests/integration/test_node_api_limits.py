"""What programs of the agency hold open, or send slowly, does not keep the others from the node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from saphan.node.api import requests
from saphan.node.api import routes as api
from saphan.node.service import NodeService
from saphan_schemas.errors import OperatorError
from saphan_schemas.limits import LIMITS
from support.bridge import LA, Bridge, bridged, eventually

SHORT = replace(LIMITS, api_streams=1, api_patience_ms=50)


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path) as made:
        made.url = "ws://127.0.0.1:9"  # nobody there: the API works without a line
        yield made


async def ask(node: NodeService, head: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request as written by hand, with the token."""
    token = await asyncio.to_thread(node.config.token_file.read_text)
    reader, writer = await asyncio.open_unix_connection(node.config.socket)
    lines = f"{head} HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {token.strip()}\r\n"
    writer.write(lines.encode())
    return reader, writer


async def test_listeners_leave_the_requests_their_places(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "LIMITS", SHORT)
    async with bridge.node_with_api(LA) as node:
        token = await asyncio.to_thread(node.config.token_file.read_text)
        headers = {"Authorization": f"Bearer {token.strip()}"}
        connector = aiohttp.UnixConnector(str(node.config.socket))
        async with (
            aiohttp.ClientSession("http://node", connector=connector, headers=headers) as http,
            http.get("/v1/events") as first,
            http.get("/v1/events") as second,
            http.get("/v1/inbox") as inbox,
        ):
            assert [first.status, second.status, inbox.status] == [200, 503, 200]
            assert (await second.json())["code"] == "api_busy"


async def test_a_listener_that_takes_nothing_is_let_go(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "LIMITS", SHORT)
    async with bridge.node_with_api(LA) as node:
        others = node.events.listeners
        _, writer = await ask(node, "GET /v1/events")
        writer.write(b"\r\n")
        await eventually(lambda: node.events.listeners > others)

        def heard() -> bool:
            node.events.publish([{"type": "line", "state": "x" * 60_000}])
            return node.events.listeners > others

        await eventually(lambda: not heard())
        writer.close()


async def test_a_listener_that_goes_away_is_no_error(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    async with bridge.node_with_api(LA) as node:
        others = node.events.listeners
        reader, writer = await ask(node, "GET /v1/events")
        writer.write(b"\r\n")
        await reader.readuntil(b": listening")
        assert node.events.listeners > others
        writer.close()

        def heard() -> bool:
            node.events.publish([{"type": "line", "state": "waiting"}])
            return node.events.listeners > others

        await eventually(lambda: not heard())
    assert [record.message for record in caplog.records if record.exc_info] == []


async def test_a_body_that_trickles_in_is_refused(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "LIMITS", SHORT)
    async with bridge.node_with_api(LA) as node:
        reader, writer = await ask(node, "POST /v1/bulletins")
        writer.write(b'Content-Length: 100\r\n\r\n{"to"')
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"too_slow"' in answer
        writer.close()


@pytest.mark.parametrize("token", (b"", b"\n", b"short\n", b"\xff" * 43, b"x" * 30 + b"\n" * 13))
async def test_a_token_file_that_holds_no_token_starts_no_node(
    bridge: Bridge, token: bytes
) -> None:
    path = bridge.place / LA / "node" / "api.token"
    path.write_bytes(token)
    path.chmod(0o600)
    with pytest.raises(OperatorError, match="token_damaged"):
        async with bridge.node_with_api(LA):
            pass
