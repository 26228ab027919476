"""An own entry without its witnesses for ten minutes of an open line is an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan.node.alarms import Alarms
from saphan.node.proving.witness_lag import BEHIND, LOOKS, WitnessLag
from saphan_schemas.limits import DAY_MS, MINUTE_MS
from support.proven_logs import NOW, OTHER, OWN, ProvenLogs


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[ProvenLogs]:
    made = ProvenLogs(tmp_path)
    yield made
    made.db.close()


class Looks:
    """A node that looks once a minute; `open` is its line."""

    def __init__(self, shown: ProvenLogs) -> None:
        self.now, self.open = NOW * 1000, True
        self.alarms = Alarms(lambda: self.now)
        self._lag = WitnessLag(
            OWN, shown.db, shown.logs, self.alarms, lambda: self.open, lambda: self.now
        )

    def look(self, minutes: int, jump: int = 0) -> list[str]:
        """Codes that stand after so many looks; `jump`: of the clock, in ms, before them."""
        self.now += jump
        for _ in range(minutes):
            self.now += MINUTE_MS
            self._lag.look()
        return [alarm.code for alarm in self.alarms.standing()]


def test_a_witness_that_is_missing_for_ten_minutes_is_an_alarm(shown: ProvenLogs) -> None:
    looks = Looks(shown)
    assert looks.look(LOOKS + 20) == []  # nothing of ours waits, however long
    size = shown.show(2)
    assert looks.look(LOOKS) == []
    assert looks.look(1) == [BEHIND]
    (alarm,) = looks.alarms.standing()
    assert OTHER in alarm.message
    assert OWN not in alarm.message
    shown.cosign(size, OTHER)
    shown.proofs.settle()
    assert looks.look(1) == []


def test_a_line_that_is_cut_each_minute_hides_no_missing_witness(shown: ProvenLogs) -> None:
    looks = Looks(shown)
    shown.show(2)
    for _ in range(LOOKS):
        looks.open = False
        assert looks.look(1) == []  # what witnesses did meanwhile is not known
        looks.open = True
        assert looks.look(1) == []
    assert looks.look(1) == [BEHIND]
    looks.open = False
    assert looks.look(60) == [BEHIND]
    looks.open = True
    assert looks.look(1) == [BEHIND]


def test_a_clock_that_jumps_makes_no_alarm_and_hides_none(shown: ProvenLogs) -> None:
    looks = Looks(shown)
    shown.show(1)
    assert looks.look(1, jump=DAY_MS) == []
    assert looks.look(LOOKS, jump=-2 * DAY_MS) == [BEHIND]


def test_a_witness_that_is_late_with_every_entry_is_behind_too(shown: ProvenLogs) -> None:
    """Each entry has its witness after twelve minutes, and there is a new one each minute."""
    looks, sizes, found = Looks(shown), [], []
    for _ in range(20):
        sizes.append(shown.show(1))
        if len(sizes) > 12:
            shown.cosign(sizes.pop(0), OTHER)
            shown.proofs.settle()
        found.append(looks.look(1))
    assert found[LOOKS:] == [[BEHIND]] * 10
