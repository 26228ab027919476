"""A broker's quotas over real sockets and stores: refused plainly, sent again, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from saphan.node.service import NodeService
from saphan_broker.admin import administered
from saphan_broker.app import serving
from saphan_broker.broker import Broker
from saphan_broker.cli.status import page
from saphan_broker.cli.whole_status import added_up
from saphan_broker.metrics import MetricsPages
from saphan_broker.quotas import Quotas
from saphan_broker.socket_places import SOCKET_NAME
from saphan_protocol.quota import Quota, Use
from saphan_schemas.errors import OperatorError
from saphan_schemas.frames import Result
from saphan_schemas.limits import DAY_MS, LIMITS, MINUTE_MS, SECOND_MS
from saphan_schemas.records import Event, Marking, Role
from support.agency import Made, order_by
from support.bridge import KH, LA, agreed, bridged, eventually, states, wish
from support.brokers import Clock, World
from support.ceremony import revoke
from support.crews import Crew, until
from support.session import Line

A, B = LA, KH
PLENTY = Quota()


class Still(Clock):
    """A time that only the test moves: buckets drain by it."""

    def __init__(self) -> None:
        super().__init__()
        self._at = super().__call__()

    def __call__(self) -> int:
        return self._at + self.ahead


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A broker that runs, two agencies enrolled, one agreement logged."""
    world = World(tmp_path, A, B)
    world.clock = Still()
    await world.init()
    async with world.running():
        await world.enrol()
        yield world


def allow(broker: Broker, **quota: int) -> None:
    """What A may have logged; B has plenty."""
    broker.state.quotas = Quotas(PLENTY, {A: Quota(**quota)})


def make(world: World, count: int, **changes: Any) -> list[Made]:
    return [world.agencies[A].bulletin([B], world.clock(), **changes) for _ in range(count)]


async def submit(world: World, line: Line, made: Sequence[Made]) -> tuple[Result, ...]:
    items, batch = world.agencies[A].submissions(made, [world.agencies[B]])
    return await line.submit(items, batch)


async def state(world: World, line: Line, event: Event, *made: Made) -> None:
    about = [(one.bulletin_id, one.ciphertext_digest) for one in made]
    code = "stanza_unopenable" if event is Event.UNOPENED else None
    items, batch = world.agencies[B].statements(event, about, (A, B), world.clock(), code)
    for result in await line.state(items, batch):
        assert result.code is None, result


def codes(results: Sequence[Result]) -> list[str | None]:
    return [result.code for result in results]


async def logged(broker: Broker) -> int:
    """Entries, without the anchors among them."""
    return len(await broker.store.entries(0, broker.state.evidence.tree.size))


async def opened(broker: Broker) -> dict[str, int]:
    """Open deliveries as the sequencer knows them; it and the store must say the same."""
    known = {name: use.open for name, use in broker.state.used.items() if use.open}
    assert known == await broker.store.open_deliveries()
    return known


# --- rate ----------------------------------------------------------------------------------------


async def test_a_flood_is_answered_with_a_time_and_writes_nothing(world: World) -> None:
    allow(world.broker, bulletins_per_minute=3)
    line, before = await world.line(A), await logged(world.broker)
    made = make(world, 5)
    results = await submit(world, line, made)
    assert codes(results) == [None, None, None, "quota_rate", "quota_rate"]
    assert [result.indices for result in results[3:]] == [(), ()]
    assert [result.retry_after_ms for result in results[3:]] == [20_000, 20_000]
    assert await logged(world.broker) == before + 3
    world.clock.ahead += 20_000
    again = await submit(world, line, made[3:])
    assert codes(again) == [None, "quota_rate"]
    assert await logged(world.broker) == before + 4


async def test_what_was_admitted_gets_its_first_answer_whatever_is_used(world: World) -> None:
    allow(world.broker, bulletins_per_minute=1)
    line = await world.line(A)
    items, batch = world.agencies[A].submissions(make(world, 1), [world.agencies[B]])
    (first,) = await line.submit(items, batch)
    for _ in range(3):
        assert await line.submit(items, batch) == (first,)


@pytest.mark.parametrize(
    ("quota", "over", "drained"),
    [
        ({"bulletins_per_minute": 2}, "quota_rate", MINUTE_MS),
        ({"bytes_per_day": 2 * LIMITS.quota_refusal_bytes}, "quota_bytes", DAY_MS // 2),
    ],
)
async def test_records_of_refusals_are_counted_too(
    world: World, quota: dict[str, int], over: str, drained: int
) -> None:
    """Each would be a leaf: a flood of what no agreement allows fills neither log nor disk."""
    allow(world.broker, **quota)
    line, before = await world.line(A), await logged(world.broker)
    made = make(world, 5, marking=Marking("red", ("H0",)))
    results = await submit(world, line, made)
    assert codes(results) == ["agreement_marking"] * 2 + [over] * 3
    assert await logged(world.broker) == before + 2
    world.clock.ahead += drained
    line = await world.line(A)
    assert codes(await submit(world, line, made[4:])) == ["agreement_marking"]


async def test_statements_out_of_order_are_counted_and_good_ones_are_not(world: World) -> None:
    world.broker.state.quotas = Quotas(PLENTY, {B: Quota(bulletins_per_minute=1)})
    out, into = await world.line(A), await world.line(B)
    made = make(world, 3)
    assert codes(await submit(world, out, made)) == [None] * 3
    about = [(one.bulletin_id, one.ciphertext_digest) for one in made]
    early, batch = world.agencies[B].statements(Event.ACCEPTED, about, (A, B), world.clock())
    found = codes(await into.state(early, batch))
    assert found == ["order_illegal", "quota_rate", "quota_rate"]
    await state(world, into, Event.HANDOVER, *made)
    await state(world, into, Event.ACCEPTED, *made)


async def test_of_one_agency_s_flood_another_one_feels_nothing(world: World) -> None:
    allow(world.broker, bulletins_per_minute=1)
    line, other = await world.line(A), await world.line(B)
    assert codes(await submit(world, line, make(world, 3)))[1:] == ["quota_rate"] * 2
    sender = world.agencies[B]
    made = [sender.bulletin([A], world.clock()) for _ in range(3)]
    items, batch = sender.submissions(made, [world.agencies[A]])
    assert codes(await other.submit(items, batch)) == [None] * 3


async def test_groups_that_are_judged_while_others_are_written_share_one_bucket(
    world: World,
) -> None:
    allow(world.broker, bulletins_per_minute=150)
    line = await world.line(A)
    frames = [world.agencies[A].submissions(make(world, 64), [world.agencies[B]]) for _ in range(4)]
    answers = [await line.send_submit(items, batch) for items, batch in frames]
    found = [code for answer in answers for code in codes(await answer)]
    assert found == [None] * 150 + ["quota_rate"] * 106
    assert await opened(world.broker) == {A: 150}


# --- bytes ---------------------------------------------------------------------------------------


async def test_bytes_are_those_of_everything_that_is_kept(world: World) -> None:
    line = await world.line(A)
    (made,) = make(world, 1, attachments=[b"scan" * 20_000])
    await line.bring(made.attachments)
    items, batch = world.agencies[A].submissions([made], [world.agencies[B]])
    (item,) = items
    size = sum(map(len, (item.header, item.consignment, item.ciphertext, *item.stanzas)))
    size += len(made.attachments[0])
    allow(world.broker, bytes_per_day=size - 1)
    (over,) = await line.submit(items, batch)
    assert (over.code, over.retry_after_ms) == ("quota_bytes", LIMITS.quota_wait_ms)
    allow(world.broker, bytes_per_day=size)
    assert codes(await line.submit(items, batch)) == [None]
    assert codes(await submit(world, line, make(world, 1))) == ["quota_bytes"]


# --- open deliveries -----------------------------------------------------------------------------


async def test_an_outcome_makes_room_for_a_delivery(world: World) -> None:
    allow(world.broker, open_deliveries=2)
    out, into = await world.line(A), await world.line(B)
    made = make(world, 3)
    results = await submit(world, out, made)
    assert codes(results) == [None, None, "quota_deliveries"]
    assert results[2].retry_after_ms == LIMITS.quota_open_wait_ms
    await state(world, into, Event.HANDOVER, made[0])
    assert codes(await submit(world, out, made[2:])) == ["quota_deliveries"]
    await state(world, into, Event.ACCEPTED, made[0])
    assert await opened(world.broker) == {A: 1}
    assert codes(await submit(world, out, made[2:])) == [None]
    assert await opened(world.broker) == {A: 2}


async def test_what_time_ends_makes_room_too(world: World) -> None:
    allow(world.broker, open_deliveries=1)
    out = await world.line(A)
    assert codes(await submit(world, out, make(world, 1))) == [None]
    await out.close()
    world.clock.ahead += 15 * DAY_MS
    out = await world.line(A, resume=out)
    origin, now = world.pins.evidence.origin, world.clock() // SECOND_MS
    await out.until(lambda: out.heads[origin].time >= now)
    await out.cosign(out.heads[origin])
    await out.until(lambda: any(e.type == "saphan/expired/1" for e, _ in out.entries.values()))
    assert await opened(world.broker) == {}
    assert codes(await submit(world, out, make(world, 1))) == [None]


async def test_consigning_anew_opens_nothing(world: World) -> None:
    allow(world.broker, open_deliveries=1)
    out, into = await world.line(A), await world.line(B)
    made = make(world, 1)
    assert codes(await submit(world, out, made)) == [None]
    await state(world, into, Event.HANDOVER, *made)
    await state(world, into, Event.UNOPENED, *made)
    assert codes(await submit(world, out, made)) == [None]
    assert await opened(world.broker) == {A: 1}


async def test_who_starts_again_counts_what_is_open(world: World, tmp_path: Path) -> None:
    line = await world.line(A)
    assert codes(await submit(world, line, make(world, 3))) == [None] * 3
    await world.broker.stop()
    again = World(tmp_path, A, B)
    again.clock, again._pins = world.clock, world.pins
    async with again.running() as broker:
        allow(broker, open_deliveries=4)
        line = await again.line(A)
        assert await opened(broker) == {A: 3}
        found = codes(await submit(again, line, make(again, 2)))
        assert found == [None, "quota_deliveries"]


async def test_a_group_that_is_not_written_uses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(world.broker, bulletins_per_minute=2, open_deliveries=64)
    line, store = await world.line(A), world.broker.store
    made = make(world, 2)

    async def full(*_args: object) -> None:
        raise OperatorError("disk_full", "the disk of the store is full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "commit", full)
        assert codes(await submit(world, line, made)) == ["broker_stopped"] * 2
    assert codes(await submit(world, line, made)) == [None] * 2
    assert await opened(world.broker) == {A: 2}


async def test_whoever_takes_over_counts_what_is_open(tmp_path: Path) -> None:
    crew = Crew(tmp_path, A, B)
    crew.clock = Still()
    async with crew.carried(2):
        await crew.enrol()
        holder, follower = crew.members
        for member in crew.members:
            allow(member.broker, open_deliveries=3)
        line = await crew.line_at(follower, A)
        made = make(crew, 4)
        results = await submit(crew, line, made)
        assert codes(results) == [None, None, None, "quota_deliveries"]
        assert results[3].retry_after_ms == LIMITS.quota_open_wait_ms
        await holder.broker.stop()
        await until(lambda: follower.broker.role.holding)
        assert await opened(follower.broker) == {A: 3}
        assert codes(await submit(crew, line, made[3:])) == ["quota_deliveries"]
        into = await crew.line_at(follower, B)
        await state(crew, into, Event.HANDOVER, made[0])
        await state(crew, into, Event.ACCEPTED, made[0])
        assert codes(await submit(crew, line, made[3:])) == [None]


# --- for the operator ----------------------------------------------------------------------------


async def test_the_operator_sees_who_has_used_how_much_and_metrics_name_nobody(
    world: World,
) -> None:
    allow(world.broker, bulletins_per_minute=8, open_deliveries=64)
    line = await world.line(A)
    assert codes(await submit(world, line, make(world, 4))) == [None] * 4
    connector = aiohttp.UnixConnector(str(world.data / SOCKET_NAME))
    async with (
        administered(world.broker, world.data),
        aiohttp.ClientSession(connector=connector) as session,
        session.get("http://broker/status") as response,
    ):
        status = added_up([await response.json()])
    used = {name: part["used"] for name, part in status["quotas"][A].items()}
    assert (used["bulletins_per_minute"], used["open_deliveries"]) == (0.5, 4 / 64)
    assert 0 < used["bytes_per_day"] < 0.001
    assert [part["used"] for part in status["quotas"][B].values()] == [0.0, 0.0, 0.0]
    (shown,) = [line for line in page(status) if line.startswith("  ")]
    assert shown.startswith(f"  {A} has used 50% of its bulletins a minute, 0% of")
    app = web.Application()
    app.add_routes(MetricsPages(world.broker, world.data).routes())
    async with (
        serving(app, "127.0.0.1", 0) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as session,
        session.get("/metrics") as response,
    ):
        text = await response.text()
    assert 'saphan_quota_used{of="bulletins"} 0.5' in text
    assert 'saphan_quota_used{of="deliveries"} 0.0625' in text
    assert A not in text


# --- the directory -------------------------------------------------------------------------------


async def test_an_order_key_alone_cannot_fill_the_directory_for_everyone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Suspending and resuming for ever: each is an entry that everybody replays."""
    monkeypatch.setattr("saphan_protocol.quota.LIMITS", replace(LIMITS, quota_directory=2))
    thief, other = await world.line(A), await world.line(B)
    (agreed,) = world.broker.state.directory.agreements_of(A)
    agency = world.agencies[A]

    def order(number: int) -> bytes:
        return order_by(agency, agreed.name, ("resume", "suspend")[number % 2], number)

    assert [(await thief.register(order=order(n))).code for n in (1, 2)] == [None, None]
    size = world.broker.state.directory.size
    over = await thief.register(order=order(3))
    assert (over.code, over.retry_after_ms) == ("quota_directory", LIMITS.quota_wait_most_ms)
    assert world.broker.state.directory.size == size
    version, newest, _ = world.broker.state.directory.version(A)
    assert newest is not None
    operation = agency.operation(version + 1, newest, [revoke(Role.OFFICER, agency.officer.key_id)])
    assert (await thief.register(operation=operation)).code is None  # of its own kind
    assert (await other.register(order=order(3))).code is None  # another party may bring it
    world.clock.ahead += DAY_MS // 2
    thief = await world.line(A)
    assert (await thief.register(order=order(4))).code is None


# --- a real node ---------------------------------------------------------------------------------


async def test_a_node_sends_again_by_itself_what_was_over_the_quota(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge, bridge.broker_running() as broker:
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH):
            await agreed(la)
            allow(broker, bulletins_per_minute=6_000)
            full = Use(bridge.clock(), 6_100 * MINUTE_MS)  # drained in a second
            broker.state.used[LA] = full
            sent = [await la.send(wish()) for _ in range(5)]
            await eventually(lambda: [one.code for one in la.alarms.standing()] == ["quota_rate"])
            assert broker.state.counters.refused["quota_rate"] >= 1
            for bulletin in sent:
                await eventually(lambda b=bulletin: states(la, b) == ["accepted"])  # type: ignore[misc]
            await _counted(broker, la)


async def _counted(broker: Broker, node: NodeService) -> None:
    """Every one went once into the log."""
    rows = node.db.rows("SELECT count(*) FROM bulletins WHERE sender = ?", (LA,))
    await asyncio.sleep(0)
    assert [(count,) for count in ((await broker.store.counts()).bulletins,)] == rows
