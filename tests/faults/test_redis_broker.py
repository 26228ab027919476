"""A broker whose server runs out of memory, replicas or promises: it says so, and goes on after."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker import health
from saphan_broker.admin import administered
from saphan_broker.opening import StoreChoice
from saphan_schemas.frames import Result, Submission
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import BatchSignature
from support.broker_command import saphan_broker
from support.crews import Crew, until
from support.servers import Server
from support.session import Line

A, B = "la.ospp", "kh.gpo"
Item = tuple[Submission, BatchSignature]


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    crew = Crew(tmp_path, A, B)
    async with crew.carried(1):
        await crew.enrol()
        yield crew


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Server]:
    with await asyncio.to_thread(Server(tmp_path / "replica").start) as started:
        yield started


def one(crew: Crew) -> Item:
    made = crew.agencies[A].bulletin([B], crew.clock())
    (item,), batch = crew.agencies[A].submissions([made], [crew.agencies[B]])
    return item, batch


async def brought(crew: Crew, line: Line, item: Item) -> Result:
    """What a node does: sends the same again, on a new line if need be, while it is told to."""
    async with asyncio.timeout(30):
        while True:
            try:
                result = await sent(line, item)
            except (asyncio.CancelledError, ConnectionError):
                line = await crew.line(A, resume=line)
                continue
            if not result.retry_after_ms:
                return result
            await asyncio.sleep(0.05)


async def sent(line: Line, item: Item) -> Result:
    (result,) = await line.submit([item[0]], item[1])
    return result


def head(crew: Crew) -> list[bytes | None]:
    """Size and newest note of the evidence log, as its server has them."""
    with crew.server.client() as client:
        key = "saphan:{bridge.example/evidence}:head"
        found: list[bytes | None] = client.hmget(key, ["size", "note"])
        return found


async def check_told(crew: Crew, item: Item, line: Line, code: str) -> None:
    """A submission that waits, an alarm that says why, nothing in the log."""
    before = head(crew)
    result = await sent(line, item)
    assert result.indices == ()
    assert result.retry_after_ms > 0
    assert not crew.broker.ready().ready
    assert code in {alarm.code for alarm in crew.broker.state.alarms.active()}
    assert head(crew) == before


async def test_a_broker_whose_server_has_no_memory_goes_on_when_it_has_some(crew: Crew) -> None:
    line = await crew.line(A)
    assert (await sent(line, one(crew))).code is None
    crew.server.set("maxmemory", "1mb")
    item = one(crew)
    await check_told(crew, item, line, "store_memory_full")
    crew.server.set("maxmemory", "0")
    assert (await brought(crew, line, item)).code is None
    await until(lambda: crew.broker.ready().ready)


async def test_a_broker_stops_when_somebody_makes_its_server_forgetful(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await crew.line(A)
    assert (await sent(line, one(crew))).code is None
    often = dataclasses.replace(LIMITS, store_examine_ms=0)
    monkeypatch.setattr("saphan_broker.store.redis.writer.LIMITS", often)
    crew.server.set("maxmemory-policy", "allkeys-lru")
    item = one(crew)
    await check_told(crew, item, line, "store_lossy")
    crew.server.set("maxmemory-policy", "noeviction")
    assert (await brought(crew, line, item)).code is None
    await until(lambda: crew.broker.ready().ready)


async def test_a_broker_answers_nothing_while_its_replica_is_behind(
    tmp_path: Path, replica: Server
) -> None:
    crew = Crew(tmp_path, A, B)
    await asyncio.to_thread(crew.server.start)
    await asyncio.to_thread(replica.follow, crew.server)
    crew.choice = StoreChoice(redis=crew.server.address(replicas=1, wait_ms=1_000))
    async with crew.carried(1):
        await crew.enrol()
        line = await crew.line(A)
        assert (await sent(line, one(crew))).code is None
        size, note = head(crew)
        replica.pause()
        item = one(crew)
        result = await sent(line, item)
        assert result.indices == ()
        assert result.retry_after_ms > 0
        assert head(crew)[0] != size  # it is in the primary
        assert head(crew)[1] == note  # and not signed
        replica.resume()
        assert (await brought(crew, line, item)).code is None
        await until(lambda: crew.broker.ready().ready)


async def test_a_server_that_hangs_holds_up_nobody_who_looks(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the operator's status say that a broker takes bulletins whose server is gone."""
    monkeypatch.setattr(health, "PATIENCE_S", 0.1)
    looking = health.Health(crew.broker, crew.data)
    crew.server.pause()
    try:
        assert set(await looking.reasons()) == {"store_silent"}
        assert await looking.counts() is None
    finally:
        crew.server.resume()
    async with asyncio.timeout(20):
        while await looking.reasons():  # noqa: ASYNC110 - nobody tells a test that it is well
            await asyncio.sleep(0.05)
    assert await looking.counts() is not None
    await asyncio.to_thread(crew.server.kill)
    async with administered(crew.broker, crew.data):
        ran = await asyncio.to_thread(saphan_broker, "status", "--data", crew.data, "--json")
    assert not ran.json["ready"]
    assert "redis_unreachable" in {reason["code"] for reason in ran.json["reasons"]}
