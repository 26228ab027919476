"""The day's budget of a line: counted, kept over a restart, new at midnight, set anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan.node.alarms import Alarms
from saphan.node.budget import PACKET_BYTES, PRIORITY, SESSION_BYTES, Budget
from saphan.node.policy.current import Current
from saphan.node.policy.settings import LEAST_BUDGET
from saphan.node.rows.db import Database
from saphan_schemas.limits import DAY_MS

MIDNIGHT = 20_000 * DAY_MS


class Place:
    """A node's store, settings and clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = MIDNIGHT + 1
        self.db = Database(folder)
        self.alarms = Alarms(lambda: self.now)
        self.allow(LEAST_BUDGET)
        self.settings = Current(folder / "settings.json", self.alarms)

    def allow(self, most: int | None) -> None:
        path = self.folder / "settings.json"
        path.write_text(json.dumps({"saphan": "settings/1", "budget_bytes_per_day": most}))
        path.chmod(0o600)

    def budget(self) -> Budget:
        return Budget(self.db, self.settings, self.alarms, lambda: self.now)

    def codes(self) -> list[str]:
        return [one.code for one in self.alarms.standing()]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.db.close()


def test_a_frame_costs_what_the_network_adds_to_it(place: Place) -> None:
    budget = place.budget()
    budget.spend(11)
    assert budget.cost == 11 + PACKET_BYTES
    budget.spend(13_000)
    assert budget.cost == 11 + 13_000 + 12 * PACKET_BYTES
    before = budget.cost
    budget.spend_session()
    assert budget.cost - before == SESSION_BYTES


def test_proofs_of_long_ago_leave_half_of_the_day_to_bulletins(place: Place) -> None:
    half = LEAST_BUDGET // 2
    budget = place.budget()
    seen = []
    while budget.cost < LEAST_BUDGET:
        seen.append((budget.cost < half, budget.ample))
        budget.spend(1000)
    assert set(seen) == {(True, True), (False, False)}
    place.allow(None)
    place.settings.reread()
    assert budget.ample


def test_spent_is_an_alarm_until_midnight(place: Place) -> None:
    budget = place.budget()
    budget.spend(LEAST_BUDGET // 2)
    assert (budget.spent, budget.least, place.codes()) == (False, 0, [])
    budget.spend(LEAST_BUDGET // 2)
    assert (budget.spent, budget.least, place.codes()) == (True, PRIORITY, ["budget_spent"])
    place.now = MIDNIGHT + DAY_MS - 1
    budget.look()
    assert budget.spent
    place.now = MIDNIGHT + DAY_MS
    budget.look()
    assert (budget.spent, budget.cost, place.codes()) == (False, 0, [])


def test_a_restart_does_not_give_a_second_budget(place: Place) -> None:
    budget = place.budget()
    budget.spend(LEAST_BUDGET)
    budget.save()
    assert place.budget().spent
    place.now = MIDNIGHT - 1  # a clock that is set back gives none either
    assert place.budget().spent
    place.now = MIDNIGHT + DAY_MS
    assert not place.budget().spent


def test_a_clock_that_once_ran_ahead_does_not_hold_bulletins_for_years(place: Place) -> None:
    """A machine that starts in 2099 until NTP corrects it, and has its count written meanwhile."""
    right = place.now
    place.now = MIDNIGHT + 25_000 * DAY_MS
    place.budget().save()
    place.now = right
    budget = place.budget()
    budget.spend(LEAST_BUDGET)
    budget.save()
    assert budget.spent
    place.now = MIDNIGHT + DAY_MS
    budget.look()
    assert (budget.spent, budget.cost) == (False, 0)
    assert not place.budget().spent


def test_a_larger_budget_lets_all_flow_again(place: Place) -> None:
    budget = place.budget()
    budget.spend(LEAST_BUDGET)
    place.allow(2 * LEAST_BUDGET)
    place.settings.reread()
    budget.look()
    assert budget.least == 0
    budget.spend(LEAST_BUDGET)
    assert budget.least == PRIORITY
    place.allow(None)
    place.settings.reread()
    budget.look()
    assert (budget.least, place.codes()) == (0, [])


async def test_who_waits_hears_that_it_turned(place: Place) -> None:
    budget = place.budget()
    heard = asyncio.create_task(budget.turned_from(False))
    await asyncio.sleep(0)
    assert not heard.done()
    budget.spend(LEAST_BUDGET)
    assert await heard is True
    assert await budget.turned_from(False) is True
