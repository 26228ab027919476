"""By when an answer is owed: from a moment in the log, in the calendar of whoever was asked (T6).

Hours are exact. Days are those of the replier's zone and end at 24:00 there; the day on which the
request was accepted is day 0. Working days are Monday to Friday without the days of a holiday file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from typing import Final, Literal, get_args

from saphan_schemas.codes import code_attribute
from saphan_schemas.records import Urgency

from saphan.threads.holidays import Holidays

Unit = Literal["hours", "calendar_days", "working_days"]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
HOUR_MS: Final = 3_600_000
FRIDAY: Final = 4
TABLE: Final = "reply_time"
"""Code list with a count and a unit for each situation."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What was counted; `lengthened`: the requester has given more time than the table."""

    count: int
    unit: Unit
    lengthened: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """When an answer is owed, ms UTC, and why.

    Args:
        holiday_file_missing: working days were counted without knowing all their holidays.
    """

    moment: int
    basis: Basis
    holiday_file_missing: bool = False


def reply_time(urgency: Urgency, availability: str) -> Basis:
    """The time that a situation gives (`reply_time` of the code lists).

    Whoever does not know how the other side gets at it counts as asking for what is not direct: an
    urgent question must not have more time than one that is not.
    """
    direct = availability == "direct"
    if urgency == "immediate":
        return table_time("urgent_direct" if direct else "urgent_indirect")
    return table_time("normal_direct" if direct else "other")


def table_time(situation: str) -> Basis:
    """Count and unit of one line of the table."""
    look = partial(code_attribute, TABLE, situation)
    return Basis(look("count"), look("unit"))


def due_at(
    accepted: int,
    urgency: Urgency,
    availability: str,
    reply_within: tuple[int, Unit] | None,
    zone: tzinfo,
    holidays: Holidays | None,
) -> Due:
    """By when a request is to be answered.

    Args:
        accepted: when the replier's node accepted it, ms UTC; reply_within: (count, unit) that the
            requester gives; it lengthens the time and never shortens it.
        holidays: of the replier's country; None: there is no file.
    """
    given = end_of(accepted, reply_time(urgency, availability), zone, holidays)
    if reply_within is None:
        return given
    wished = end_of(accepted, Basis(*reply_within, lengthened=True), zone, holidays)
    if wished.moment > given.moment:
        return wished
    # Holidays that nobody knows of might have made the wished time the longer one.
    return replace(given, holiday_file_missing=wished.holiday_file_missing)


def end_of(start: int, basis: Basis, zone: tzinfo, holidays: Holidays | None) -> Due:
    """When that much time after `start` (ms UTC) is over."""
    if basis.unit == "hours":
        return Due(start + basis.count * HOUR_MS, basis)
    day = datetime.fromtimestamp(start / 1000, UTC).astimezone(zone).date()
    if basis.unit == "calendar_days":
        return Due(end_of_day(day + timedelta(days=basis.count), zone), basis)
    off = frozenset[date]() if holidays is None else holidays.days
    left, missing = basis.count, holidays is None
    while left > 0:
        day += timedelta(days=1)
        missing = missing or (holidays is not None and not holidays.covers(day))
        left -= day.weekday() <= FRIDAY and day not in off
    return Due(end_of_day(day, zone), basis, missing)


def end_of_day(day: date, zone: tzinfo) -> int:
    """24:00 in a zone, the first instant of the next day, ms UTC."""
    after = day + timedelta(days=1)
    return round(datetime(after.year, after.month, after.day, tzinfo=zone).timestamp() * 1000)
