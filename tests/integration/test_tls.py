"""Lines under TLS: the right server is taken, every other one is refused with its own reason."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from saphan.audit.fetch import fetch_logs
from saphan.desk.folder import DeskId
from saphan.desk.line import connected
from saphan.node.service import NodeService
from saphan.trust import client, line_error
from saphan_broker.app import make_app, serving
from saphan_broker.tls_files import Shown
from saphan_protocol import tls
from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import Refused, SaphanError
from saphan_schemas.records import Role
from support import certificates
from support.bridge import LA, Bridge, bridged, eventually, opened
from support.brokers import World
from support.relay import relaying

PIN = tls.key_pin(certificates.KEY)
OTHER_PIN = tls.key_pin(certificates.OTHER_KEY)


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridged(tmp_path, LA) as made:
        yield made


async def refused(node: NodeService) -> str:
    """The code for which the node's line is down; nothing was ever opened."""
    code = await eventually(lambda: node.line.state.code)
    assert node.line.token is None
    assert any(alarm.code == code and alarm.hint for alarm in node.alarms.standing())
    return code


async def enrolled(bridge: Bridge) -> None:
    await bridge.broker.admit_operation(bridge.offices[LA].enrolment.read_bytes())


async def test_a_pinned_key_is_taken_and_the_session_bound_to_the_certificate(
    bridge: Bridge, tmp_path: Path
) -> None:
    bridge.shown = certificates.own(tmp_path)
    async with bridge.broker_running() as broker:
        await enrolled(bridge)
        async with bridge.node(LA, pin=PIN) as node:
            await opened(node)
            assert broker.state.certificate == bridge.shown.fingerprint
    # Renewed with the same key: another certificate, and nobody has to do anything.
    before = bridge.shown.fingerprint
    bridge.shown = certificates.own(tmp_path, days=(-1, 300))
    assert bridge.shown.fingerprint != before
    async with bridge.broker_running(), bridge.node(LA, pin=PIN) as node:
        await opened(node)


@pytest.mark.parametrize(
    ("days", "pin", "code"),
    (
        ((-1, 1), OTHER_PIN, "tls_pin_differs"),
        ((-2, -1), PIN, "certificate_expired"),
        ((1, 2), PIN, "certificate_early"),
        # Whoever has not even the key is not told about dates.
        ((-2, -1), OTHER_PIN, "tls_pin_differs"),
    ),
)
async def test_another_key_or_another_time_is_refused_before_a_word_is_said(
    bridge: Bridge, tmp_path: Path, days: tuple[int, int], pin: bytes, code: str
) -> None:
    bridge.shown = certificates.own(tmp_path, days=days)
    async with bridge.broker_running() as broker:
        await enrolled(bridge)
        async with bridge.node(LA, pin=pin) as node:
            assert await refused(node) == code
        assert broker.stats().sessions == 0


async def test_a_nodes_own_clock_judges_the_dates(bridge: Bridge, tmp_path: Path) -> None:
    bridge.shown = certificates.own(tmp_path)
    async with bridge.broker_running():
        await enrolled(bridge)
        bridge.node_clock.ahead = 3 * 86_400_000
        async with bridge.node(LA, pin=PIN) as node:
            assert await refused(node) == "certificate_expired"


async def test_a_man_in_the_middle_who_relays_everything_gets_no_session(
    bridge: Bridge, tmp_path: Path
) -> None:
    """He has even brought the node to pin his own key; the broker sees another certificate."""
    (tmp_path / "his").mkdir()
    his = certificates.own(tmp_path / "his", key=certificates.OTHER_KEY)
    bridge.shown = certificates.own(tmp_path)
    async with bridge.broker_running() as broker:
        await enrolled(bridge)
        port = int(bridge.url.rpartition(":")[2])
        async with relaying(port, his) as relay:
            bridge.url = f"https://127.0.0.1:{relay}"
            async with bridge.node(LA, pin=OTHER_PIN) as node:
                assert await refused(node) == "tls_differs"
            async with bridge.node(LA, pin=PIN) as node:
                assert await refused(node) == "tls_pin_differs"
        assert broker.stats().sessions == 0


async def test_a_login_that_names_another_certificate_than_it_signs_is_refused(
    tmp_path: Path,
) -> None:
    """The man in the middle may rewrite what the node says that it sees, but not sign it."""
    world = World(tmp_path, "la.ospp")
    await world.init()
    async with world.running() as broker:
        await broker.admit_operation(world.agencies["la.ospp"].enrolment())
        broker.state.certificate = bytes(32)
        codes = []
        for login in ({}, {"tls": bytes(32)}):
            line = await world.line("la.ospp", login=login)
            assert line.closing is not None
            codes.append(line.closing.code)
        assert codes == ["tls_differs", "signature_invalid"]


async def test_an_agency_that_is_not_admitted_is_told_what_to_do(
    bridge: Bridge, tmp_path: Path
) -> None:
    bridge.shown = certificates.own(tmp_path)
    async with bridge.broker_running(), bridge.node(LA, pin=PIN) as node:
        assert await refused(node) == "agency_unknown"
        assert "enrol.saphan" in (node.line.state.hint or "")


@pytest.mark.parametrize(
    ("days", "pin", "code"),
    (
        ((-1, 1), OTHER_PIN, "tls_pin_differs"),
        ((-1, 1), None, "certificate_untrusted"),
        ((-2, -1), PIN, "certificate_expired"),
    ),
)
async def test_an_auditor_fetches_logs_from_the_right_server_only(
    bridge: Bridge, tmp_path: Path, days: tuple[int, int], pin: bytes | None, code: str
) -> None:
    bridge.shown = certificates.own(tmp_path, days=days)
    async with bridge.broker_running():
        with pytest.raises(SaphanError) as caught:
            await fetch_logs(bridge.url, tmp_path / "logs", None, None, print, pin)
    assert caught.value.code == code
    assert not (tmp_path / "logs").exists()


async def test_a_server_that_speaks_no_tls_is_named(bridge: Bridge) -> None:
    async with bridge.broker_running():
        bridge.url = bridge.url.replace("http://", "https://")
        async with bridge.node(LA, pin=PIN) as node:
            assert await eventually(lambda: node.line.state.code) == "tls_failed"


async def test_a_stranger_in_the_place_of_a_desks_node_reads_nothing(tmp_path: Path) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.read())
        writer.close()

    shown = certificates.own(tmp_path, key=certificates.OTHER_KEY)
    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=shown.context) as server:
        port = server.sockets[0].getsockname()[1]
        desk = DeskId(agency=LA, address=f"127.0.0.1:{port}", tls=PIN, handle="dao")
        key = SigningKey(Role.OFFICER, bytes(64))
        with pytest.raises(Refused) as caught:
            async with connected(desk, key, certificates.now):
                pytest.fail("a stranger was taken for the node")
        assert caught.value.code == "tls_pin_differs"
        assert await heard.get() == b""


async def test_a_server_that_sends_elsewhere_is_not_followed() -> None:
    """Elsewhere may be without TLS, and the node has promised never to speak there."""
    asked = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/other"}, body=bytes(100_000))

    app = web.Application()
    app.router.add_get("/{name:.*}", elsewhere)
    async with (
        serving(app, "127.0.0.1", 0) as (host, port),
        client(None, certificates.now) as http,
    ):
        with pytest.raises(Refused) as caught:
            await http.ws_connect(f"ws://{host}:{port}/v1/session")
    assert caught.value.code == "line_redirected"
    assert asked == ["/v1/session"]


# --- an ordinary authority's certificate ----------------------------------------------------------


async def reached(shown: Shown, trusted: Path | None, url: str = "https://127.0.0.1") -> str:
    """What a client that trusts an authority says about a server: "200", or the code."""
    app = web.Application()
    app.router.add_get("/", _ok)
    context = ssl.create_default_context(cafile=trusted)
    async with (
        serving(app, "127.0.0.1", 0, shown.context) as (_host, port),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as http,
    ):
        try:
            async with http.get(f"{url}:{port}/") as answer:
                return str(answer.status)
        except aiohttp.ClientError as error:
            found = line_error(error, url)
            assert found.hint
            return found.code


async def _ok(_request: web.Request) -> web.Response:
    return web.Response()


@pytest.mark.parametrize(
    ("name", "days", "code"),
    (
        ("127.0.0.1", (-1, 1), "200"),
        ("127.0.0.2", (-1, 1), "certificate_untrusted"),
        ("127.0.0.1", (-2, -1), "certificate_expired"),
        ("127.0.0.1", (1, 2), "certificate_early"),
    ),
)
async def test_an_authoritys_certificate_holds_for_its_name_and_time(
    tmp_path: Path, name: str, days: tuple[int, int], code: str
) -> None:
    vouching = certificates.authority()
    chain = vouching.chain(name, certificates.KEY, days)
    shown = certificates.listening(tmp_path, chain, certificates.KEY, days)
    assert await reached(shown, vouching.write(tmp_path / "ca.pem")) == code


async def test_an_authority_that_this_machine_does_not_know_vouches_for_nothing(
    tmp_path: Path,
) -> None:
    chain = certificates.authority().chain("127.0.0.1", certificates.KEY)
    shown = certificates.listening(tmp_path, chain, certificates.KEY)
    other = certificates.authority().write(tmp_path / "other.pem")
    assert await reached(shown, other) == "certificate_untrusted"


async def test_without_a_pin_only_authorities_count(tmp_path: Path) -> None:
    """What a node without a pin connects with takes no certificate of anybody's own making."""
    world = World(tmp_path, "la.ospp")
    await world.init()
    shown = certificates.own(tmp_path)
    async with (
        world.running() as broker,
        serving(make_app(broker), "127.0.0.1", 0, shown.context) as (host, port),
        client(None, certificates.now) as http,
    ):
        with pytest.raises(aiohttp.ClientConnectorCertificateError) as caught:
            await http.get(f"https://{host}:{port}/evidence/checkpoint")
        found: SaphanError = line_error(caught.value, "x")
        assert found.code == "certificate_untrusted"
