"""Who may do what at the local API: every path, for every kind of caller."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest
from saphan.api_rights import Right
from saphan.node import serving
from saphan.node.api.access import ACCESS, OPEN_PATH
from saphan.node.api.openapi import document
from saphan.node.api.routes import make_app
from saphan.node.token_kept import Wanted
from saphan_schemas.limits import LIMITS
from support.api_tokens import Asking, holder, http_to, keeper
from support.bridge import LA, OFFICERS, Bridge, eventually

OFFICERS_PATHS = {
    "GET /v1/openapi.json",
    "GET /v1/identity",
    "POST /v1/bulletins/signed",
    "GET /v1/bulletins",
    "GET /v1/schemas",
    "GET /v1/schemas/{owner}/{type}/{version}",
    "GET /v1/bulletins/{id}",
    "GET /v1/bulletins/{id}/thread",
    "POST /v1/bulletins/{id}/read",
    "GET /v1/bulletins/{id}/attachments/{number}",
    "GET /v1/attachments/{digest}",
    "PUT /v1/attachments/{digest}",
    "GET /v1/inbox",
    "GET /v1/events",
    "GET /v1/countersign",
    "POST /v1/countersign/{id}/read",
    "GET /v1/countersign/{id}/attachments/{number}",
    "POST /v1/countersign/{id}/sign",
    "POST /v1/countersign/{id}/refuse",
    "POST /v1/bulletins/{id}/recall",
    "GET /v1/bulletins/{id}/recall",
    "GET /v1/bulletins/{id}/retention",
    "POST /v1/bulletins/{id}/retention",
    "POST /v1/bulletins/{id}/recall/answer",
}
SYSTEMS_PATHS = {
    Right.SEND: {
        "POST /v1/bulletins",
        "GET /v1/attachments/{digest}",
        "PUT /v1/attachments/{digest}",
    },
    Right.READ: {
        "GET /v1/inbox",
        "GET /v1/bulletins/{id}/content",
        "GET /v1/bulletins/{id}/attachments/{number}",
    },
    Right.STATUS: {
        "GET /v1/bulletins",
        "GET /v1/bulletins/{id}",
        "GET /v1/bulletins/{id}/thread",
        "GET /v1/bulletins/{id}/recall",
        "GET /v1/bulletins/{id}/retention",
    },
    Right.EVENTS: {"GET /v1/events"},
    Right.IDENTITY: {"GET /v1/directory"},
    Right.LOG: {"GET /v1/log-token"},
    Right.RECALL: {"POST /v1/bulletins/{id}/recall"},
}
DUMMIES = {"number": "1", "name": "nobody", "version": "1"}
EVERY_SYSTEMS_PATHS = {
    "GET /v1/openapi.json",
    "GET /v1/schemas",
    "GET /v1/schemas/{owner}/{type}/{version}",
    "GET /v1/identity",
}
"""What is written here by hand is what docs/api-tokens.md promises."""


def concrete(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: DUMMIES.get(found[1], "0" * 64), path)


async def test_every_path_but_healthz_wants_a_token(bridge: Bridge) -> None:
    """Every route that the application has, without a token and with such as are none."""
    bridge.url = "ws://127.0.0.1:9"  # nobody there: the API works without a line
    async with bridge.node_with_api(LA) as node, http_to(node) as http:
        app = make_app(node, "x" * 43)
        routes = {
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None
        }
        plain = {one for one in routes if one[0] != "HEAD"}
        assert plain == {("GET", OPEN_PATH), *ACCESS}
        described = {
            (method.upper(), path)
            for path, methods in document()["paths"].items()
            for method in methods
        }
        assert described == plain
        ended = await holder(http, node, Wanted(name="ended", rights=frozenset(Right)))
        node.tokens.revoke("ended")
        wrong = (None, "", "Bearer", "Bearer ", "Basic eDp4", "Bearer " + "x" * 43, "\u0e81")
        for method, path in sorted(routes):
            for given in (*wrong, f"Bearer {ended.token}"):
                headers = {} if given is None else {"Authorization": given}
                async with http.request(method, concrete(path), headers=headers) as answer:
                    assert answer.status == (200 if path == OPEN_PATH else 401), (path, given)
        for method, path in (("GET", "/v1/nothing"), ("PATCH", "/v1/inbox"), ("GET", "/")):
            async with http.request(method, path) as answer:
                assert answer.status == 401  # what there is, is nobody else's business


async def allowed(asking: Asking) -> set[str]:
    """Paths at which the guard lets a caller through, whatever comes of it there."""
    found = set()
    for method, path in ACCESS:
        if path == "/v1/events":
            headers = {"Authorization": f"Bearer {asking.token}"}
            async with asking.http.get(path, headers=headers) as stream:
                code: object = stream.status if stream.status == 200 else "token_scope"
        else:
            code = await asking.code(method, concrete(path))
        if code != "token_scope":
            found.add(f"{method} {path}")
    return found


async def test_a_right_opens_its_own_paths_only(bridge: Bridge) -> None:
    bridge.url = "ws://127.0.0.1:9"
    async with bridge.node_with_api(LA) as node, http_to(node) as http:
        for right in Right:
            system = await holder(http, node, Wanted(name=right, rights=frozenset({right})))
            assert await allowed(system) == SYSTEMS_PATHS[right] | EVERY_SYSTEMS_PATHS
            _, identity = await system.ask("GET", "/v1/identity")
            assert ("keys" in identity) == (right is Right.IDENTITY)


async def test_an_officers_token_opens_what_officers_do(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as node, http_to(node) as http:
            await eventually(lambda: node.logs.directory.find(bridge.officer(LA).key_id))
            officer = await holder(http, node, Wanted(name="b", officer=OFFICERS[LA]))
            assert await allowed(officer) == OFFICERS_PATHS
            _, identity = await officer.ask("GET", "/v1/identity")
            assert (identity["agency"], "keys" in identity) == (LA, False)
            whole = await keeper(http, node)
            assert await allowed(whole) == {f"{method} {path}" for method, path in ACCESS}


async def test_a_request_that_does_not_parse_leaves_nothing_in_the_log(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    """A program's slip would write its token there; a stranger at the port would fill the disk."""
    bridge.url = "ws://127.0.0.1:9"
    slips = (b"Authorization: Bearer se\x01cret", b"Authorization: Bearer secret\nX: y", b"secret")
    async with bridge.node_with_api(LA) as node:
        for slip in slips:
            reader, writer = await asyncio.open_unix_connection(node.config.socket)
            writer.write(b"GET /v1/inbox HTTP/1.1\r\nHost: n\r\n" + slip + b"\r\n\r\n")
            assert b" 400 " in await reader.readline()
            writer.close()
    assert "cret" not in caplog.text


async def test_a_stranger_who_says_nothing_is_let_go(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection costs the node a file handle; whoever is at the port needs no token for it."""
    monkeypatch.setattr(serving, "LIMITS", replace(LIMITS, api_patience_ms=100))
    bridge.url = "ws://127.0.0.1:9"
    async with bridge.node_with_api(LA) as node:
        for begun in (b"", b"GET /v1/inbox HTTP/1.1\r\nHost: n\r\n"):
            reader, writer = await asyncio.open_unix_connection(node.config.socket)
            writer.write(begun)
            assert await reader.read() == b""
            writer.close()
