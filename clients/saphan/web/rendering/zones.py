"""Whose clocks a page shows: the zone of the desk's own country and of the others on the line."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

COUNTRIES: Final = ("la", "kh")
"""Shown on every page: the two that the page is written for."""

_ZONES: Final = {
    "la": ("Asia/Vientiane", 420),
    "kh": ("Asia/Phnom_Penh", 420),
    "th": ("Asia/Bangkok", 420),
    "vn": ("Asia/Ho_Chi_Minh", 420),
    "mm": ("Asia/Yangon", 390),
    "cn": ("Asia/Shanghai", 480),
}
"""IANA's name, and minutes from UTC for a machine that has no table of zones (none of the six
has moved its clocks for decades)."""


def countries(agency: str | None) -> tuple[str, ...]:
    """Whose clocks are shown to an officer of this agency: their own country's first."""
    own = (agency or "").partition(".")[0]
    first = (own,) if own in _ZONES else ()
    return first + tuple(one for one in COUNTRIES if one not in first)


@functools.cache
def zone(country: str) -> tzinfo:
    """The zone of one of the `countries`."""
    name, minutes = _ZONES[country]
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        return timezone(timedelta(minutes=minutes))


def read_zones() -> None:
    """Read the tables of zones, once, before anybody waits for a page; blocking."""
    for country in _ZONES:
        zone(country)


def local_times(
    millis: int, shown: tuple[str, ...]
) -> tuple[tuple[datetime, tuple[str, ...]], ...]:
    """A time on each clock that differs, with the countries that keep it; the first is their own.

    Args:
        millis: ms UTC; shown: from `countries`.

    Raises:
        OverflowError, ValueError, OSError: the time is beyond every calendar.
    """
    at = datetime.fromtimestamp(millis / 1000, UTC)
    found: dict[timedelta | None, tuple[datetime, tuple[str, ...]]] = {}
    for country in shown:
        here = at.astimezone(zone(country))
        known = found.get(here.utcoffset())
        found[here.utcoffset()] = (here, (*(known[1] if known else ()), country))
    return tuple(found.values())


def offset_words(at: datetime) -> str:
    """How far a clock is from UTC: "UTC+07:00"."""
    return f"UTC{at:%z}"[:6] + ":" + f"{at:%z}"[3:5]
