"""A schedule is the seed's alone, and what is written down is what is read again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from chaos.line import Weather
from chaos.nemesis import weather_of
from chaos.schedule import AGENCIES, BROKER, CALM_S, FORMS, Form, draw, lines, read, write

LONG: float = 600.0
"""So long a round has every kind of fault in it, for any seed that was tried."""


@pytest.mark.parametrize("form", FORMS)
def test_the_same_seed_draws_the_same_and_another_one_another(form: Form, tmp_path: Path) -> None:
    one = draw(7, 3, form, 60.0)
    assert one == draw(7, 3, form, 60.0)
    assert len({draw(seed, number, form, 60.0).faults for seed in (7, 8) for number in (3, 4)}) == 4
    write(one, tmp_path / "schedule.json")
    assert read(tmp_path / "schedule.json") == one


def test_a_file_that_is_no_schedule_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"seed": 1, "faults": []}')
    with pytest.raises(msgspec.ValidationError):
        read(tmp_path / "other.json")


@pytest.mark.parametrize("form", FORMS)
def test_every_party_and_every_line_has_its_faults(form: Form) -> None:
    faults = draw(1, 1, form, LONG).faults
    targets = {fault.target for fault in faults}
    assert targets >= {BROKER, *AGENCIES, *lines(form)}
    kinds = {fault.kind for fault in faults}
    wanted = {"kill", "stop", "file_limit", "slow_disk", "clock_step", "clock_leap", "clock_drift"}
    if form == "network":
        wanted |= {"unplug"}
    else:
        wanted |= {"cut", "drop", "hold", "hold_one_way", "delay", "throttle", "repeat"}
    if form == "valkey":
        assert targets >= {"sequencer", "valkey", "replica"}
    if form == "lost":
        wanted |= {"lose_data"}
    if form in ("sqlite", "lost"):
        wanted |= {"disk_full"}
    assert kinds == wanted


@pytest.mark.parametrize("form", FORMS)
def test_a_target_suffers_one_thing_at_a_time_and_the_end_is_calm(form: Form) -> None:
    schedule = draw(5, 1, form, 120.0)
    ends: dict[str, float] = {}
    for fault in schedule.faults:
        assert fault.at >= ends.get(fault.target, CALM_S), fault
        assert fault.end <= schedule.seconds - CALM_S / 2 + 0.02, fault
        ends[fault.target] = fault.end


def test_what_a_machine_does_not_allow_is_left_out() -> None:
    without = {"disk_full", "slow_disk"}
    assert not without & {
        fault.kind for fault in draw(1, 1, "sqlite", LONG, without=without).faults
    }


def test_each_fault_of_a_line_makes_it_another_one() -> None:
    for fault in draw(1, 1, "valkey", LONG).faults:
        if fault.target in lines("valkey"):
            assert weather_of(fault) != Weather(), fault
