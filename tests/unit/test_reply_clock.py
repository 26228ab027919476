"""By when an answer is owed: hours, days and working days in the calendar of who was asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from saphan.node.alarms import Alarms
from saphan.node.policy.calendar import CalendarSettings
from saphan.node.policy.current import Current
from saphan.node.policy.settings import parse_settings
from saphan.threads.clock import Basis, Due, Unit, due_at, end_of, table_time
from saphan.threads.holidays import Holidays, parse_holidays
from saphan_schemas.errors import InvalidInput

LAO, UTC_ZONE = ZoneInfo("Asia/Vientiane"), ZoneInfo("UTC")
FILE = {
    "saphan": "holidays/1",
    "country": "la",
    "dated": "2026-01-05",
    "source": "Notice of the Prime Minister's Office",
    "from": "2026-01-01",
    "to": "2026-12-31",
    "days": ["2026-04-14", "2026-04-15", "2026-04-16"],
}


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def shown(due: Due, zone: ZoneInfo = LAO) -> str:
    return datetime.fromtimestamp(due.moment / 1000, zone).strftime("%Y-%m-%d %H:%M")


def file(**changes: Any) -> Holidays:
    return parse_holidays(json.dumps(FILE | changes).encode(), "la")


@pytest.mark.parametrize(
    ("urgency", "availability", "due"),
    [
        ("immediate", "direct", "2026-03-02 17:30"),
        ("immediate", "indirect", "2026-03-06 00:00"),
        ("priority", "direct", "2026-03-10 00:00"),
        ("routine", "direct", "2026-03-10 00:00"),
        ("routine", "indirect", "2026-03-17 00:00"),
        ("routine", "unknown", "2026-03-17 00:00"),
        ("immediate", "unknown", "2026-03-06 00:00"),
    ],
)
def test_the_table(urgency: Any, availability: str, due: str) -> None:
    accepted = ms("2026-03-02T09:30+07:00")  # a Monday
    assert shown(due_at(accepted, urgency, availability, None, LAO, None)) == due


def test_a_day_is_the_repliers_and_not_the_askers() -> None:
    accepted = ms("2026-03-02T18:30+00:00")  # 3 March in Vientiane
    assert shown(due_at(accepted, "routine", "direct", None, LAO, None)) == "2026-03-11 00:00"
    plain = due_at(accepted, "routine", "direct", None, UTC_ZONE, None)
    assert shown(plain, UTC_ZONE) == "2026-03-10 00:00"


def test_a_requester_lengthens_and_never_shortens() -> None:
    accepted = ms("2026-03-02T09:30+07:00")
    longer = due_at(accepted, "immediate", "direct", (2, "calendar_days"), LAO, None)
    assert (shown(longer), longer.basis) == (
        "2026-03-05 00:00",
        Basis(2, "calendar_days", lengthened=True),
    )
    shorter = due_at(accepted, "routine", "direct", (2, "hours"), LAO, None)
    assert (shown(shorter), shorter.basis) == ("2026-03-10 00:00", Basis(7, "calendar_days"))


def test_working_days_leave_out_weekends_and_the_days_of_the_file() -> None:
    friday, five = ms("2026-04-10T15:00+07:00"), Basis(5, "working_days")
    plain = end_of(friday, five, LAO, None)
    assert (shown(plain), plain.holiday_file_missing) == ("2026-04-18 00:00", True)
    known = end_of(friday, five, LAO, file())
    assert (shown(known), known.holiday_file_missing) == ("2026-04-23 00:00", False)


def test_a_file_that_ends_before_the_time_does_is_missing_for_the_rest() -> None:
    late = ms("2026-12-30T15:00+07:00")
    due = end_of(late, Basis(3, "working_days"), LAO, file())
    assert (shown(due), due.holiday_file_missing) == ("2027-01-05 00:00", True)
    assert not end_of(late, Basis(1, "working_days"), LAO, file()).holiday_file_missing


def test_days_and_hours_need_no_file() -> None:
    start = ms("2026-04-10T15:00+07:00")
    for basis in (Basis(8, "hours"), Basis(30, "calendar_days")):
        assert not end_of(start, basis, LAO, None).holiday_file_missing


@pytest.mark.parametrize("known", [None, {"from": "2026-01-01", "to": "2026-03-03", "days": []}])
def test_working_days_that_end_no_later_still_say_that_their_holidays_are_unknown(
    known: dict[str, Any] | None,
) -> None:
    """Monday: three working days end with three calendar days, unless one of them is a holiday."""
    monday = ms("2026-03-02T09:30+07:00")
    wish: tuple[int, Unit] = (3, "working_days")
    half = None if known is None else file(**known)
    due = due_at(monday, "immediate", "indirect", wish, LAO, half)
    assert (shown(due), due.holiday_file_missing) == ("2026-03-06 00:00", True)
    holiday = file(days=["2026-03-03"])
    due = due_at(monday, "immediate", "indirect", wish, LAO, holiday)
    assert (shown(due), due.holiday_file_missing) == ("2026-03-07 00:00", False)


@pytest.mark.parametrize(
    ("accepted", "zone", "basis", "due"),
    [
        # A Friday evening: hours run on over the weekend.
        ("2026-03-06T20:00+07:00", "Asia/Vientiane", (8, "hours"), "2026-03-07 04:00"),
        # The first instant of a day belongs to that day, the last one before it to the day before.
        (
            "2026-03-06T00:00:00.000+07:00",
            "Asia/Vientiane",
            (1, "calendar_days"),
            "2026-03-08 00:00",
        ),
        (
            "2026-03-05T23:59:59.999+07:00",
            "Asia/Vientiane",
            (1, "calendar_days"),
            "2026-03-07 00:00",
        ),
        ("2028-02-28T10:00+07:00", "Asia/Vientiane", (1, "calendar_days"), "2028-03-01 00:00"),
        ("2027-02-28T10:00+07:00", "Asia/Vientiane", (1, "calendar_days"), "2027-03-02 00:00"),
        # Accepted on a Saturday: Monday is the first working day.
        ("2026-03-07T10:00+07:00", "Asia/Vientiane", (1, "working_days"), "2026-03-10 00:00"),
        # The clocks go forward at midnight: the day ends when there is no 00:00 any more.
        ("2026-04-22T10:00+02:00", "Africa/Cairo", (1, "calendar_days"), "2026-04-24 01:00"),
        # Eight hours are eight hours when the clocks go forward.
        ("2026-03-07T22:00-05:00", "America/New_York", (8, "hours"), "2026-03-08 07:00"),
    ],
)
def test_the_edges_of_days(accepted: str, zone: str, basis: Any, due: str) -> None:
    there = ZoneInfo(zone)
    assert shown(end_of(ms(accepted), Basis(*basis), there, None), there) == due


def test_the_table_has_the_times_of_legal_assistance() -> None:
    assert table_time("mla_acknowledge") == Basis(5, "working_days")
    assert table_time("mla_status") == Basis(30, "calendar_days")


@pytest.mark.parametrize(
    "changes",
    [
        {"saphan": "holidays/2"},
        {"country": "kh"},
        {"country": "LA"},
        {"dated": "2026-13-05"},
        {"source": ""},
        {"to": "2026-04-15"},
        {"from": "2026-04-15"},
        {"days": ["2026-04-15", "2026-04-14"]},
        {"days": ["2026-04-14", "2026-04-14"]},
        {"days": ["2026-02-30"]},
        {"days": ["໒໐໒໖-04-14"]},
        {"days": 3},
        {"days": [], "from": "2026-12-31", "to": "2026-01-01"},
        {"more": 1},
        {"source": "x" * 70_000},
    ],
)
def test_a_bad_holiday_file_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        file(**changes)
    assert refused.value.code == "holidays_malformed"
    assert refused.value.message.startswith("the holiday file of la does not parse: ")


def test_zones_are_the_agencys_then_the_countrys_then_those_built_in() -> None:
    settings = CalendarSettings(zones={"th": "Asia/Bangkok", "kh.sea": "Asia/Tokyo"})
    found = [settings.zone(name) for name in ("la.ospp", "kh.gpo", "kh.sea", "th.oncb", "vn.vks")]
    keys = [None if zone is None else zone.key for zone in found]
    assert keys == ["Asia/Vientiane", "Asia/Phnom_Penh", "Asia/Tokyo", "Asia/Bangkok", None]


@pytest.mark.parametrize("zone", ["Asia/Nowhere", "../../etc/passwd", "", "Asia"])
def test_a_zone_that_this_machine_does_not_know_is_refused(zone: str) -> None:
    text = json.dumps({"saphan": "settings/1", "calendar": {"zones": {"th": zone}}})
    with pytest.raises(InvalidInput, match="settings do not parse"):
        parse_settings(text.encode())


def test_files_are_read_by_country_and_bad_ones_are_missing(tmp_path: Path) -> None:
    good, bad = tmp_path / "la.json", tmp_path / "kh.json"
    good.write_text(json.dumps(FILE))
    bad.write_text(json.dumps(FILE))  # another country's
    gone = str(tmp_path / "gone.json")
    paths = {"la": str(good), "kh": str(bad), "th": gone}
    found, failed = CalendarSettings(holidays=paths).read_holidays()
    assert list(found) == ["la"]
    assert found["la"].days == {date(2026, 4, 14), date(2026, 4, 15), date(2026, 4, 16)}
    assert [error.code for error in failed] == ["holidays_malformed", "file_missing"]


def test_a_bad_file_is_an_alarm_and_missing_until_it_is_good(tmp_path: Path) -> None:
    days, path = tmp_path / "la.json", tmp_path / "settings.json"
    calendar = {"holidays": {"la": str(days)}}
    path.write_text(json.dumps({"saphan": "settings/1", "calendar": calendar}))
    path.chmod(0o600)
    alarms = Alarms(lambda: 0)
    current = Current(path, alarms)
    assert (current.holidays, [one.code for one in alarms.standing()]) == ({}, ["file_missing"])
    days.write_text("{}")
    current.reread()
    assert [one.code for one in alarms.standing()] == ["holidays_malformed"]
    days.write_text(json.dumps(FILE))
    current.reread()
    assert (list(current.holidays), list(alarms.standing())) == (["la"], [])
    path.write_text(json.dumps({"saphan": "settings/1"}))
    current.reread()
    assert current.holidays == {}


def test_a_machine_without_zones_counts_in_utc_and_says_so(tmp_path: Path) -> None:
    """A small container may have no list of zones, and then not even one called UTC."""
    (tmp_path / "tzdata.py").write_text("raise ImportError", encoding="utf-8")
    told = """
from saphan.node.policy.calendar import CalendarSettings
from saphan.node.threads.calendar import Calendar
class Current:
    now = type("Settings", (), {"calendar": CalendarSettings()})
    holidays = {}
running = Calendar(Current()).table(0, "mla_status", "la.ospp")
print(running.due, running.zone, running.zone_known)
"""
    lacking = {**os.environ, "PYTHONTZPATH": "", "PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", told], env=lacking, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [str(31 * 24 * 3_600_000), "UTC", "False"]
