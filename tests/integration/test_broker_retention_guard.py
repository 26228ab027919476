"""Before anything is destroyed: a rule that somebody has seen and armed, time without a leap."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from saphan_broker.admin import administered
from saphan_broker.retention.armed import NAME, Armed
from saphan_broker.retention.rule import RULE
from saphan_broker.store.sqlite_file import STORE_NAME
from saphan_schemas.errors import Refused
from saphan_schemas.limits import DAY_MS, HOUR_MS, LIMITS
from support.asked import A, B, witnessed_now
from support.broker_command import BrokerRan, saphan_broker
from support.brokers import World
from support.due import DUE_DAYS, carried, kept, row_of, sweep, witnessed_after


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """Two agencies enrolled, one agreement logged; nothing runs."""
    world = World(tmp_path, A, B)
    await world.init()
    async with world.running():
        await world.enrol()
    return world


def alarms(world: World) -> set[str]:
    return {alarm.code for alarm in world.broker.state.alarms.active()}


async def command(world: World, *words: str, status: int = 0) -> BrokerRan:
    """`saphan-broker retention ...` against the running broker's socket."""
    given = ("retention", *words, "--data", str(world.data))
    return await asyncio.to_thread(lambda: saphan_broker(*given, status=status))


async def test_a_clock_that_leaps_a_year_destroys_nothing(world: World) -> None:
    async with world.running(), administered(world.broker, world.data):
        out, into = await world.line(A), await world.line(B)
        made = await carried(world, out, into)
        await into.close()
        broker = world.broker
        broker.witnessed.heard(world.clock() + 366 * DAY_MS)  # all witnesses leap with us
        await sweep(world).look()
        assert "retention_leap" in alarms(world)
        assert await kept(world, made) == (True, True)
        before = broker.state.keys.day
        plan = await command(world, "plan")
        assert "saphan-broker retention confirm" in plan.out
        told = await command(world, "confirm", "--reason", "clocks were compared by telephone")
        assert "Destruction goes on" in told.out
        await broker._sweep.look()
        await sweep(world).look()
        assert "retention_leap" not in alarms(world)
        assert await kept(world, made) == (False, False)
        assert broker.state.keys.day > before


async def test_a_leap_is_found_after_a_restart_too(world: World) -> None:
    """What was acted on last is kept outside the store: memory alone would forget it."""
    async with world.running():
        out, into = await world.line(A), await world.line(B)
        made = await carried(world, out, into)
        await out.close()
    world.clock.ahead += LIMITS.retention_leap_ms + 2 * HOUR_MS
    async with world.running():
        world.broker.witnessed.heard(world.clock())
        await sweep(world).look()
        assert "retention_leap" in alarms(world)
        assert await kept(world, made) == (True, True)


async def test_a_broker_that_was_made_long_before_its_first_bulletin_is_no_leap(
    world: World,
) -> None:
    world.clock.ahead += 2 * LIMITS.retention_leap_ms
    async with world.running():
        world.broker.witnessed.heard(world.clock())
        await sweep(world).look()
        assert "retention_leap" not in alarms(world)
        assert world.broker.retention.armed.acted == world.broker.witnessed.now


async def test_a_host_that_was_down_for_days_goes_on_by_itself(world: World) -> None:
    async with world.running():
        out, into = await world.line(A), await world.line(B)
        made = await carried(world, out, into)
        due = (await row_of(world, made)).due_day
        await out.close()
    world.clock.ahead += (DUE_DAYS + 3) * DAY_MS
    async with world.running():
        await witnessed_now(world, await world.line(A, resume=out))
        await sweep(world).look()
        assert not {"retention_leap", "retention_unarmed"} & alarms(world)
        assert await kept(world, made) == (False, False)
        assert world.broker.state.keys.day == due + 3


async def test_a_broker_of_an_earlier_release_destroys_nothing_before_somebody_has_looked(
    world: World,
) -> None:
    (world.keys / NAME).unlink()
    async with world.running(), administered(world.broker, world.data):
        out, into = await world.line(A), await world.line(B)
        made = await carried(world, out, into)
        out = await witnessed_after(world, out, DUE_DAYS)
        await sweep(world).look()
        assert "retention_unarmed" in alarms(world)
        assert await kept(world, made) == (True, True)

        refused = await command(world, "arm", status=3)
        assert refused.code == "rule_not_seen"
        day = datetime.fromtimestamp(world.clock() / 1000, UTC).date()
        plan = await command(world, "plan", "--json")
        assert plan.json["armed"] is False
        assert plan.json["digest"] == RULE.digest.hex()
        (overdue, *later) = plan.json["days"]
        assert overdue["day"] == day.isoformat()
        assert (overdue["overdue"], overdue["deliveries"], overdue["held"]) == (True, 1, 0)
        assert overdue["bytes"] == len(made.ciphertext)
        assert all(one["day"] <= (day + timedelta(30)).isoformat() for one in later)
        assert await kept(world, made) == (True, True)

        assert "armed from now on" in (await command(world, "arm")).out
        await sweep(world).look()
        assert await kept(world, made) == (False, False)
        assert "retention_unarmed" not in alarms(world)
        assert "Nothing was needed" in (await command(world, "arm")).out
    assert Armed.open(world.keys).armed


async def test_time_that_leaps_after_the_rule_was_armed_before_any_witness_is_a_leap(
    world: World,
) -> None:
    (world.keys / NAME).unlink()
    async with world.running() as broker:
        out, into = await world.line(A), await world.line(B)
        made = await carried(world, out, into)
        broker.witnessed.now = 0  # as after a start: no node has come yet
        await broker.retention.plan(world.clock() // DAY_MS, 30)
        assert await broker.retention.arm() is False
        broker.witnessed.heard(world.clock() + 366 * DAY_MS)
        await sweep(world).look()
        assert "retention_leap" in alarms(world)
        assert await kept(world, made) == (True, True)


async def test_another_rule_than_the_one_that_was_seen_is_not_armed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed = Armed.open(world.keys)
    armed.show()
    monkeypatch.setattr("saphan_broker.retention.armed.RULE", RULE.__class__(1, 2, 3))
    changed = Armed.open(world.keys)
    assert (changed.armed, changed.shown) == (False, False)
    with pytest.raises(Refused, match="rule_not_seen"):
        changed.arm(0)


async def test_status_and_metrics_say_how_destruction_stands(world: World) -> None:
    async with world.running(), administered(world.broker, world.data):
        words = ("status", "--data", str(world.data))
        ran = await asyncio.to_thread(lambda: saphan_broker(*words, "--json"))
        told = ran.json["retention"]
        assert told["armed"] is True
        assert (told["destroyed"], told["lag_seconds"]) == (0, 0)
        ran = await asyncio.to_thread(lambda: saphan_broker(*words))
        assert "Destroyed since the start: 0" in ran.out


async def test_who_reads_for_hours_and_keeps_traces_is_an_alarm(world: World) -> None:
    async with world.running():
        out, into = await world.line(A), await world.line(B)
        made = await carried(world, out, into)
        await into.close()
        with closing(sqlite3.connect(world.data / STORE_NAME, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM leaf").fetchone()
            out = await witnessed_after(world, out, DUE_DAYS)
            await sweep(world).look()
            assert await kept(world, made) == (False, False)
            assert "retention_traces" not in alarms(world)
            await witnessed_after(world, out, 1)
            await sweep(world).look()
            assert "retention_traces" in alarms(world)
        await sweep(world).look()
        assert "retention_traces" not in alarms(world)
