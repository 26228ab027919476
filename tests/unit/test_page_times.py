"""Times and numbers on the officer's page: both countries' clocks, ASCII digits, each language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

import pytest
from jinja2 import Environment
from saphan.web.rendering import numbers, times, zones
from saphan_schemas.messages import LANGUAGES

AT = int(datetime(2025, 10, 13, 23, 40, tzinfo=UTC).timestamp() * 1000)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
FAR = 2**62
"""A time that a hostile header may name and no calendar has."""


@dataclass(frozen=True)
class Me:
    agency: str


def shown(template: str, lang: str = "en", agency: str | None = "la.ospp", **values: object) -> str:
    made = Environment(autoescape=True)
    made.filters |= {**times.FILTERS, **numbers.FILTERS}
    me = None if agency is None else Me(agency)
    return made.from_string(template).render(lang=lang, now=AT, me=me, **values)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2025-10-14", "14 October 2025"),
        ("2025-01-04", "4 January 2025"),
        ("2025-10", "October 2025"),
        ("1962", "1962"),
        (date(2024, 2, 29), "29 February 2024"),
        (AT, "13 October 2025"),
        ("2025-13-01", "2025-13-01"),
        ("about 1962", "about 1962"),
        (FAR, str(FAR)),
    ],
)
def test_days_in_words(value: date | str | int, words: str) -> None:
    assert times.day_words(value, "en") == words


def test_days_in_lao_and_khmer() -> None:
    assert times.day_words("2025-10-14", "lo") == "14 ຕຸລາ 2025"
    assert times.day_words("2025-10-14", "km") == "14 តុលា 2025"


def test_one_clock_is_shown_once() -> None:
    """Vientiane and Phnom Penh keep the same time: an evening in UTC is their next morning."""
    assert times.stamp_words(AT, "en", "la.ospp") == "14 October 2025, 06:40"
    assert times.stamp_words(AT, "en", "kh.gpo") == "14 October 2025, 06:40"
    assert times.stamp_words(AT, "en", None) == "14 October 2025, 06:40"


def test_clocks_that_differ_are_shown_each() -> None:
    assert times.stamp_words(AT, "en", "mm.ccdac") == (
        "14 October 2025, 06:10 (Yangon); 14 October 2025, 06:40 (Vientiane, Phnom Penh)"
    )


def test_whose_times_they_are() -> None:
    assert times.zones_words(AT, "en", "kh.gpo") == (
        "Times are those of Phnom Penh, Vientiane (UTC+07:00)."
    )
    assert "Yangon" in times.zones_words(AT, "en", "mm.ccdac")


def test_a_machine_without_zones_shows_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_there(name: str) -> object:
        raise ZoneInfoNotFoundError(name)

    before = {one: times.stamp_words(AT, "en", f"{one}.x") for one in zones._ZONES}
    zones.zone.cache_clear()
    monkeypatch.setattr(zones, "ZoneInfo", none_there)
    try:
        assert {one: times.stamp_words(AT, "en", f"{one}.x") for one in before} == before
    finally:
        zones.zone.cache_clear()


@pytest.mark.parametrize("country", sorted(zones._ZONES))
def test_minutes_are_those_of_the_zone(country: str) -> None:
    offset = datetime.fromtimestamp(AT / 1000, zones.zone(country)).utcoffset()
    assert offset == timedelta(minutes=zones._ZONES[country][1])


@pytest.mark.parametrize(
    ("millis", "words"),
    [
        (0, "0 s"),
        (999, "0 s"),
        (1_000, "1 s"),
        (61_000, "1 min 1 s"),
        (45 * MINUTE, "45 min"),
        (3 * HOUR + 5 * MINUTE + 9_000, "3 h 5 min"),
        (3 * HOUR + 9_000, "3 h"),
        (2 * DAY + 3 * HOUR, "2 d 3 h"),
        (90 * DAY, "90 d"),
    ],
)
def test_durations(millis: int, words: str) -> None:
    assert times.duration_words(millis, "en") == words


def test_time_left_and_time_over() -> None:
    assert times.left_words(AT + 2 * HOUR, AT, "en") == "2 h left"
    assert times.left_words(AT - 26 * HOUR, AT, "en") == "1 d 2 h overdue"
    assert times.left_words(AT + 2 * HOUR, AT, "km") == "នៅសល់ 2 ម៉ោង"


def test_a_clock_changes_its_tone() -> None:
    for rest, tone in ((2 * DAY, "good"), (HOUR, "warn"), (0, "bad"), (-HOUR, "bad")):
        assert f'class="clock {tone}"' in shown("{{ at|clock }}", at=AT + rest)


def test_a_stamp_is_a_time_element_with_utc() -> None:
    assert shown("{{ at|stamp }}", at=AT) == (
        '<time datetime="2025-10-13T23:40:00Z" title="2025-10-13 23:40:00 UTC">'
        "14 October 2025, 06:40</time>"
    )
    full = shown("{{ at|stamp_full }}", at=AT)
    assert "06:40 (Vientiane, Phnom Penh) · 13 October 2025, 23:40 UTC" in full


def test_lists_show_the_minute_today_and_the_day_before() -> None:
    assert ">06:40</time>" in shown("{{ at|brief }}", at=AT)
    # 16:59 UTC was still the day before in both countries
    assert ">13 October 2025</time>" in shown("{{ at|brief }}", at=AT - 6 * HOUR - 41 * MINUTE)


@pytest.mark.parametrize("name", ["stamp", "stamp_full", "brief", "day", "left", "clock"])
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("at", [FAR, -FAR, 0])
def test_no_time_breaks_a_page(name: str, lang: str, at: int) -> None:
    assert shown(f"{{{{ at|{name} }}}}", lang, at=at)


@pytest.mark.parametrize(
    ("value", "lang", "words"),
    [
        (1_234_567, "en", "1,234,567"),
        ("1234567.50", "en", "1,234,567.50"),
        ("1234567.50", "lo", "1.234.567,50"),
        ("1234567.50", "km", "1,234,567.50"),
        ("9007199254740993.1", "en", "9,007,199,254,740,993.1"),
        (-1_000, "en", "-1,000"),
        (999, "lo", "999"),
        (0.25, "lo", "0,25"),
        ("x<y", "en", "x<y"),
    ],
)
def test_numbers(value: int | float | str, lang: str, words: str) -> None:
    assert numbers.number_words(value, lang) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (25_000_000, "25.0 MB"),
    ],
)
def test_sizes(count: int, words: str) -> None:
    assert numbers.size_words(count, "en") == words


def test_what_is_shown_is_escaped() -> None:
    assert (
        shown("{{ v|number }}{{ v|day }}", v="<b>")
        == '&lt;b&gt;<span class="nowrap">&lt;b&gt;</span>'
    )
