"""Figures of an audit: volumes, times, what is open and overdue at each day's end."""

from __future__ import annotations

import pytest
from saphan_protocol.audit.statistics import EDGES_MS, LEAP_DAYS, Spread, Statistics
from saphan_protocol.audit.telling import day_name, statistics_json
from saphan_schemas.limits import DAY_MS, HOUR_MS, MINUTE_MS
from saphan_schemas.records import Entry, Event, LeafType
from support.agency import Agency
from support.audits import BACK, KH, LA, THERE
from support.ceremony import NOW
from support.logbook import Logbook

START = (NOW // DAY_MS + 1) * DAY_MS
"""The first instant of a day."""


@pytest.fixture
def book() -> Logbook:
    return Logbook([Agency(LA, NOW), Agency(KH, NOW)], START)


def figures(book: Logbook) -> Statistics:
    report = book.audit()
    assert report.finding is None, report.finding
    return report.statistics


def test_volumes_and_times_by_day_and_by_pair(book: Logbook) -> None:
    book.time = START + HOUR_MS
    made, _ = book.submit(*THERE)
    book.time += 3 * MINUTE_MS
    book.state(Event.HANDOVER, made, THERE)
    book.time = START + DAY_MS + HOUR_MS
    book.state(Event.ACCEPTED, made, THERE)
    book.submit(*BACK)
    seen = figures(book)
    first, second = seen.days
    assert (first.day, second.day) == (START // DAY_MS, START // DAY_MS + 1)
    assert first.events == {"submitted": 1, "handover": 1}
    assert second.events == {"accepted": 1, "submitted": 1}
    assert (first.handover.count, first.handover.longest) == (1, 3 * MINUTE_MS)
    assert (first.answer.count, second.answer.count) == (0, 1)
    assert second.answer.longest == DAY_MS - 3 * MINUTE_MS
    assert (first.open, second.open) == (1, 1)
    assert seen.pairs[THERE].events == {"submitted": 1, "handover": 1, "accepted": 1}
    assert seen.pairs[BACK].events == {"submitted": 1}
    assert seen.pairs[THERE].handover == first.handover
    assert len(seen.waiting) == 1


def test_what_is_overdue_is_waited_for_by_its_own_deadline(book: Logbook) -> None:
    agency, noon = book.agencies[LA], START + DAY_MS // 2
    late = agency.bulletin([KH], book.time, expires=noon, answer_by=None)
    asked = agency.bulletin([KH], book.time, answer_by=noon + DAY_MS)
    for made in (late, asked):
        book.submit(*THERE, made)
    book.time += HOUR_MS
    book.state(Event.HANDOVER, asked, THERE)
    for day in range(1, 4):
        book.time = START + day * DAY_MS
        book.deliver(*BACK)
    seen = figures(book)
    # Day 0: `late` was not handed over at noon. Day 1: nor was `asked` answered. Day 3 is not over.
    assert [row.overdue for row in seen.days] == [1, 2, 2, 2]
    assert [row.open for row in seen.days] == [2, 2, 2, 2]
    book.broker_states(Event.EXPIRED, late, THERE, "undelivered")
    book.state(Event.ACCEPTED, asked, THERE)
    last = figures(book).days[-1]
    assert (last.open, last.overdue) == (0, 0)


def test_quiet_days_before_the_head_are_days_on_which_deadlines_pass(book: Logbook) -> None:
    late = book.agencies[LA].bulletin([KH], book.time, expires=START + DAY_MS // 2)
    book.submit(*THERE, late)
    book.time = START + 3 * DAY_MS + HOUR_MS
    assert [(row.open, row.overdue) for row in figures(book).days] == [(1, 1)] * 4
    # Within a minute of midnight a later entry may still be dated on the day before.
    book.time = START + 4 * DAY_MS + MINUTE_MS - 1000
    assert len(figures(book).days) == 4
    assert Logbook([Agency(LA, NOW), Agency(KH, NOW)], START).audit().statistics.days == []


def test_what_did_not_open_waits_for_its_handover_again(book: Logbook) -> None:
    agency = book.agencies[LA]
    made = agency.bulletin([KH], book.time, expires=START + DAY_MS // 2)
    book.submit(*THERE, made)
    book.state(Event.HANDOVER, made, THERE)
    book.time += DAY_MS // 4
    book.state(Event.UNOPENED, made, THERE, "stanza_unopenable")
    book.time = START + DAY_MS
    book.deliver(*BACK)
    assert [row.overdue for row in figures(book).days] == [1, 1]


def test_what_nobody_opened_is_in_no_figure(book: Logbook) -> None:
    book.deliver(*THERE)
    _, index = book.submit(*BACK)
    report = book.audit(book.pack([index]))
    assert report.finding is None
    assert [row.events for row in report.statistics.days] == [{"submitted": 1}]
    assert set(report.statistics.pairs) == {BACK}


def test_days_without_entries_have_rows_too_and_a_leap_of_years_has_none() -> None:
    seen = Statistics()
    for day in (10, 13, 13 + LEAP_DAYS + 1):
        entry = Entry(LA, KH, 1, None, day * DAY_MS, "saphan/read/1", bytes(32))
        seen.take(LeafType.READ, entry, bytes(32), None)
    assert [row.day for row in seen.days] == [10, 11, 12, 13, 13 + LEAP_DAYS + 1]
    assert day_name(2**60) == str(2**60)
    assert day_name(20_454) == "2026-01-01"
    assert statistics_json(seen)["days"][0]["day"] == "1970-01-11"


def test_a_spread_says_within_what_time() -> None:
    spread = Spread()
    assert spread.within(50) is None
    for seconds in (0.5, 1, 4, 59, 300):
        spread.add(int(seconds * 1000))
    assert (spread.within(40), spread.within(50), spread.within(60)) == (1000, 5000, 5000)
    assert (spread.within(80), spread.within(100)) == (60_000, 300_000)
    spread.add(10**12)
    assert (spread.within(100), spread.longest) == (10**12, 10**12)
    spread.add(-5)
    assert (sum(spread.classes), spread.count) == (7, 7)
    assert len(spread.classes) == len(EDGES_MS) + 1
