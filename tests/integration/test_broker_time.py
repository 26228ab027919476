"""Deadlines act on witnessed time only, and nothing is logged on a clock that nodes contradict."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from saphan_broker.sequencing.work import NewHead
from saphan_schemas.codec import decode, encode
from saphan_schemas.frames import Ping
from saphan_schemas.limits import DAY_MS, SECOND_MS
from saphan_schemas.records import Event, Statement
from support.brokers import World
from support.session import Line

A, B = "la.ospp", "kh.gpo"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


async def cosign_newest(world: World, line: Line) -> None:
    """Wait for a head of the present time and cosign it."""
    origin = world.pins.evidence.origin
    now = world.clock() // 1000
    await line.until(lambda: line.heads[origin].time >= now - 5)
    await line.cosign(line.heads[origin])


async def test_undelivered_bulletin_expires_only_once_the_time_is_witnessed(world: World) -> None:
    sender = world.agencies[A]
    out = await world.line(A)
    made = sender.bulletin([B], world.clock())
    items, batch = sender.submissions([made], [world.agencies[B]])
    await out.submit(items, batch)
    await out.close()
    world.clock.ahead += 15 * DAY_MS
    await world.broker._sweep.look()
    row = (await world.broker.store.deliveries([(made.bulletin_id, B)]))[made.bulletin_id, B]
    assert row.state == "submitted"
    assert "time_unwitnessed" in {alarm.code for alarm in world.broker.state.alarms.active()}

    out = await world.line(A, resume=out)
    await cosign_newest(world, out)
    await out.until(lambda: any(e.type == "saphan/expired/1" for e, _ in out.entries.values()))
    (given,) = (g for e, g in out.entries.values() if e.type == "saphan/expired/1")
    said = decode(Statement, given.statement, 4096, "statement")
    assert (said.issuer, said.code, given.item) == ("broker", "undelivered", None)
    recipient = await world.line(B)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    late, batch = world.agencies[B].statements(Event.HANDOVER, about, (A, B), world.clock())
    (result,) = await recipient.state(late, batch)
    assert result.code == "already_decided"
    assert (await recipient.fetch_part(made.bulletin_id, 0)).code == "part_withdrawn"


async def test_delivered_bulletin_without_an_answer_expires_at_its_due_day(world: World) -> None:
    sender, recipient = world.agencies[A], world.agencies[B]
    out, into = await world.line(A), await world.line(B)
    made = sender.bulletin([B], world.clock())
    items, batch = sender.submissions([made], [recipient])
    await out.submit(items, batch)
    about = [(made.bulletin_id, made.ciphertext_digest)]
    said, batch = recipient.statements(Event.HANDOVER, about, (A, B), world.clock())
    await into.state(said, batch)
    await out.close()
    await into.close()
    for days, state in ((15, "handed_over"), (31, "expired")):
        world.clock.ahead += days * DAY_MS
        out = await world.line(A, resume=out)
        await cosign_newest(world, out)
        items, batch = sender.submissions([sender.bulletin([B], world.clock())], [recipient])
        await out.submit(items, batch)  # after the cosignature
        await world.broker._sweep.look()
        row = (await world.broker.store.deliveries([(made.bulletin_id, B)]))[made.bulletin_id, B]
        assert row.state == state
        await out.close()


async def test_nothing_is_logged_on_a_time_that_the_nodes_contradict(world: World) -> None:
    """Timeline: the broker's clock jumps a day; open sessions say so; it is set right again."""
    sender = world.agencies[A]
    out = await world.line(A)
    await out.until(lambda: bool(out.anchors) and out.anchors[-1][1] == 4)
    nodes_clock = world.clock()
    world.clock.ahead += DAY_MS
    await out.ws.send_bytes(encode(Ping(nodes_clock)))
    items, batch = sender.submissions([sender.bulletin([B], nodes_clock)], [world.agencies[B]])
    before = world.broker.state.evidence.tree.size
    (result,) = await out.submit(items, batch)
    assert result.code == "clock_disagrees"
    assert result.retry_after_ms > 0
    assert world.broker.state.evidence.tree.size == before
    assert not world.broker.ready().ready
    world.clock.ahead -= DAY_MS
    await out.ws.send_bytes(encode(Ping(nodes_clock)))
    (result,) = await out.submit(items, batch)
    assert result.code is None
    assert world.broker.ready().ready


async def test_bulletin_from_the_future_and_one_that_is_over_are_refused(world: World) -> None:
    sender = world.agencies[A]
    out = await world.line(A)
    now = world.clock()
    made = [
        sender.bulletin([B], now + 120_000),
        sender.bulletin([B], now - 3 * DAY_MS, expires=now - 1000),
        sender.bulletin([B], now - DAY_MS, retain_until=(now - DAY_MS) // DAY_MS),
        sender.bulletin([B], now),
    ]
    items, batch = sender.submissions(made, [world.agencies[B]])
    codes = [result.code for result in await out.submit(items, batch)]
    assert codes == ["created_in_future", "expired", "retention_over", None]


async def test_nothing_is_dated_before_a_head_that_does_not_cover_it(world: World) -> None:
    """The clock was 40 s fast for a head, and is right again: an auditor bounds what comes after
    that head by its time."""
    world.clock.ahead += 40 * SECOND_MS
    await world.broker.role.submit(NewHead()).outcome
    fast = world.broker.state.evidence.published
    world.clock.ahead -= 40 * SECOND_MS
    sender, out = world.agencies[A], await world.line(A)
    items, batch = sender.submissions([sender.bulletin([B], world.clock())], [world.agencies[B]])
    (result,) = await out.submit(items, batch)
    entry, _ = await out.entry(result.indices[0])
    assert fast is not None
    assert result.indices[0] >= fast.size
    assert entry.time >= fast.time * SECOND_MS
