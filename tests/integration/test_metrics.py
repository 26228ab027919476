"""Health, readiness and metrics: for this machine only, true, and naming nobody."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from saphan_broker import health
from saphan_broker.app import serving
from saphan_broker.broker import open_broker
from saphan_broker.metrics import MetricsPages, counter, escape, family, number
from saphan_schemas.codec import encode
from saphan_schemas.frames import Ping
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Event
from support.brokers import World

A, B = "la.ospp", "kh.gpo"
LINE = re.compile(
    r"# HELP [a-z_]+ .+|# TYPE [a-z_]+ (counter|gauge|summary)"
    r'|[a-z_]+(\{[a-z]+="[a-z_]+"\})? -?[0-9.e+-]+',
    re.ASCII,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        line = await world.line(B)
        await line.until(lambda: bool(line.anchors) and line.anchors[-1][1] == 4)
        await line.close()
        yield world


@asynccontextmanager
async def shown(world: World, *, everyone: bool = False) -> AsyncIterator[aiohttp.ClientSession]:
    """The pages of the running broker on a port."""
    app = web.Application()
    app.add_routes(MetricsPages(world.broker, world.data, everyone=everyone).routes())
    async with (
        serving(app, "127.0.0.1", 0) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as session,
    ):
        yield session


async def numbers(session: aiohttp.ClientSession) -> dict[str, float]:
    async with session.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await response.text()
    assert text.endswith("\n")
    for line in text.splitlines():
        assert LINE.fullmatch(line), line
    assert A not in text
    assert B not in text
    rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    assert len({name for name, _ in rows}) == len(rows)
    return {name: float(value) for name, value in rows}


async def reasons(session: aiohttp.ClientSession) -> list[str]:
    async with session.get("/readyz") as response:
        value = await response.json()
        assert response.status == (200 if value["ready"] else 503)
        assert value["ready"] == (not value["reasons"])
        return [reason["code"] for reason in value["reasons"]]


async def test_a_broker_at_work_is_alive_and_ready(world: World) -> None:
    async with shown(world) as session:
        async with session.get("/healthz") as response:
            assert (response.status, await response.json()) == (200, {"alive": True})
        assert await reasons(session) == []
        async with session.get("/readyz") as response:
            value = await response.json()
        assert (value["role"], value["holder"], value["accepted_losses"]) == ("alone", True, [])
        shown_numbers = await numbers(session)
        assert shown_numbers["saphan_sequences"] == shown_numbers["saphan_holder_known"] == 1
        assert shown_numbers["saphan_accepted_losses"] == 0


async def test_what_happens_is_counted(world: World) -> None:
    sender, recipient = world.agencies[A], world.agencies[B]
    async with shown(world) as session:
        before = await numbers(session)
        assert before["saphan_operations_logged_total"] == 3
        out = await world.line(A)
        made = [sender.bulletin([B], world.clock()) for _ in range(3)]
        replay = sender.bulletin([B], world.clock(), nonce=made[0].header.nonce)
        items, batch = sender.submissions([*made, replay], [recipient])
        results = await out.submit(items, batch)
        said, batch = recipient.statements(
            Event.HANDOVER,
            [(made[0].bulletin_id, made[0].ciphertext_digest)],
            (A, B),
            world.clock(),
        )
        into = await world.line(B)
        (handed,) = await into.state(said, batch)
        await into.entry(handed.indices[0])
        await out.entry(handed.indices[0])
        after = await numbers(session)
    assert [result.code for result in results] == [None, None, None, "replay"]
    assert after["saphan_items_logged_total"] - before["saphan_items_logged_total"] == 4
    assert after['saphan_items_refused_total{code="replay"}'] == 1
    # Three bulletins, the record of the refusal, the handover; the anchors came before.
    key = 'saphan_log_leaves{log="evidence"}'
    assert after[key] - before[key] == 5
    assert after['saphan_log_unsigned_leaves{log="evidence"}'] == 0
    assert after['saphan_log_signed_leaves{log="evidence"}'] == after[key]
    assert after["saphan_bulletins_total"] == 3
    assert after["saphan_deliveries_waiting"] == 3
    assert after["saphan_sessions"] == 2
    assert after["saphan_queue_items"] == after["saphan_queue_bytes"] == 0
    assert after["saphan_commit_seconds_count"] > before["saphan_commit_seconds_count"]
    assert after["saphan_commit_seconds_sum"] > before["saphan_commit_seconds_sum"] >= 0
    assert after["saphan_ready"] == 1


async def test_the_slowest_session_and_the_witness_are_seen(world: World) -> None:
    sender = world.agencies[A]
    async with shown(world) as session:
        assert "saphan_witness_lag_seconds" not in await numbers(session)
        out = await world.line(A)
        made = sender.bulletin([B], world.clock())
        items, batch = sender.submissions([made], [world.agencies[B]])
        (result,) = await out.submit(items, batch)
        await out.entry(result.indices[0])
        await out.cosign(out.heads[out.pins.evidence.origin])
        # An answer to a later request tells that the cosignature was read.
        await out.stanzas(made.bulletin_id)
        found = await numbers(session)
    assert found["saphan_cosignatures_total"] == 1
    assert 0 <= found["saphan_witness_lag_seconds"] < 60
    assert found["saphan_feed_behind_leaves"] == 0


async def test_a_broker_that_no_node_was_heard_by_is_not_ready(tmp_path: Path) -> None:
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running(), shown(world) as session:
        assert await reasons(session) == []
        await world.enrol()
    async with world.running(), shown(world) as session:
        assert await reasons(session) == ["node_not_heard"]
        assert (await numbers(session))["saphan_ready"] == 0
        await world.line(A)
        assert await reasons(session) == []


async def test_a_clock_a_day_off_is_said(world: World) -> None:
    sender = world.agencies[A]
    async with shown(world) as session:
        out = await world.line(A)
        await out.ws.send_bytes(encode(Ping(world.clock() + DAY_MS)))
        items, batch = sender.submissions(
            [sender.bulletin([B], world.clock())], [world.agencies[B]]
        )
        (result,) = await out.submit(items, batch)
        assert result.code == "clock_disagrees"
        found = await numbers(session)
        assert found['saphan_alarm{code="clock_disagrees"}'] == 1
        assert found["saphan_ready"] == 0
        assert await reasons(session) == ["clock_disagrees"]
        await out.ws.send_bytes(encode(Ping(world.clock())))
        (result,) = await out.submit(items, batch)
        assert result.code is None
        assert await reasons(session) == []
        assert found["saphan_alarms_total"] == 1


async def test_a_nearly_full_disk_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DISK_RESERVE_BYTES", 2**62)
    async with shown(world) as session:
        assert await reasons(session) == ["disk_low"]


async def test_a_store_that_does_not_answer_is_said(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.init()
    broker = await open_broker(world.data, world.keys)  # not started: nothing repairs it
    app = web.Application()
    app.add_routes(MetricsPages(broker, world.data).routes())
    try:
        async with (
            serving(app, "127.0.0.1", 0) as (host, port),
            aiohttp.ClientSession(f"http://{host}:{port}") as session,
        ):
            assert await reasons(session) == ["node_not_heard"]
            await broker.store.close()
            assert await reasons(session) == ["node_not_heard", "store_closed"]
            found = await numbers(session)
            assert found["saphan_ready"] == 0
            assert "saphan_bulletins_total" not in found
            async with session.get("/healthz") as response:
                assert response.status == 200
    finally:
        await broker.stop()


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
async def test_nothing_is_shown_through_a_proxy(world: World, header: str) -> None:
    async with shown(world) as session:
        for page in ("/healthz", "/readyz", "/metrics"):
            async with session.get(page, headers={header: "203.0.113.9"}) as response:
                assert response.status == 404
    async with (
        shown(world, everyone=True) as session,
        session.get("/metrics", headers={header: "203.0.113.9"}) as response,
    ):
        assert response.status == 200


def test_labels_are_escaped_and_numbers_exact() -> None:
    assert escape('a"b\\c\nd') == r"a\"b\\c\nd"
    assert family("gauge", "x", "X", "l", {'"': 1})[-1] == r'x{l="\""} 1'
    assert counter("x", "X", 2**60)[-1] == f"x_total {2**60}"
    assert number(0.1) == "0.1"


async def test_a_connected_witness_that_cosigns_nothing_is_an_alarm(world: World) -> None:
    """Timeline: B is told a head, and is silent for ten minutes; then it cosigns."""
    async with shown(world) as session:
        line = await world.line(B)
        await line.until(lambda: world.pins.evidence.origin in line.heads)
        world.clock.ahead += LIMITS.witness_lag_ms
        world.broker.state.lag.look()
        found = await numbers(session)
        assert found["saphan_witness_behind_seconds"] >= LIMITS.witness_lag_ms / 1000
        assert found['saphan_alarm{code="witness_behind"}'] == 1
        assert not await reasons(session)
        (alarm,) = world.broker.state.alarms.active()
        assert B in alarm.message
        await line.cosign(line.heads[world.pins.evidence.origin])
        await line.prove(line.heads[world.pins.evidence.origin].ref)  # the cosignature was read
        world.broker.state.lag.look()
        found = await numbers(session)
        assert found["saphan_witness_behind_seconds"] == 0
        assert 'saphan_alarm{code="witness_behind"}' not in found
