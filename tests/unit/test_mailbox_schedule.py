"""The schedule of weekly mailbox keys: terms that follow each other, and which key is sealed to."""

from __future__ import annotations

import pytest
from saphan.keys.mailbox_schedule import (
    WEEK_MS,
    choose,
    first_schedule,
    make_keys,
    planned_until,
    schedule,
)
from saphan_protocol.directory import Directory, KeyInfo, operation_leaf
from saphan_protocol.operation import sign_operation
from saphan_schemas.directory_records import Change, Operation
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Role
from support.agency import Agency

NOW = 1_800_000_000_000


def enrolled(weeks: int) -> tuple[Directory, list[KeyInfo]]:
    """A directory in which an agency has weekly keys from NOW on, and no other mailbox key."""
    agency = Agency("la.ospp", NOW)
    changes = tuple(change for _, change in make_keys(schedule(NOW, weeks)))
    directory = Directory()
    directory.apply(operation_leaf(agency.enrolment()))
    _, last, _ = directory.version(agency.name)
    assert last is not None
    gone = Change("revoke", Role.MAILBOX, agency.mailbox.key_id, None, None, None)
    directory.apply(operation_leaf(agency.operation(2, last, (gone, *changes))))
    return directory, directory.keys("la.ospp", Role.MAILBOX)


def test_weeks_follow_each_other_and_overlap() -> None:
    terms = schedule(NOW, 3)
    for week, term in enumerate(terms, start=1):
        assert term.seal_until == NOW + week * WEEK_MS + 2 * DAY_MS
        assert term.open_until == term.seal_until + 60 * DAY_MS


@pytest.mark.parametrize("weeks", [-1, 0, 25])
def test_an_operation_takes_so_many_weeks(weeks: int) -> None:
    with pytest.raises(InvalidInput, match="weekly keys"):
        schedule(NOW, weeks)


def test_the_first_weeks_are_no_alarm() -> None:
    assert len(first_schedule(NOW)) > LIMITS.mailbox_warn_weeks


def test_24_weeks_fit_into_one_operation() -> None:
    agency = Agency("la.ospp", NOW)
    changes = tuple(change for _, change in make_keys(schedule(NOW, LIMITS.mailbox_weeks)))
    record = Operation(agency.name, 2, bytes(32), 1, NOW, changes)
    signed = sign_operation(record, [agency.root] * 8, [], [], [bytes(32)] * 8)
    assert len(signed) < LIMITS.operation_bytes


def test_one_key_is_used_after_the_other() -> None:
    directory, keys = enrolled(4)
    month = 30 * DAY_MS
    for week, key in enumerate(keys):
        begin = NOW + week * WEEK_MS
        assert choose(directory, "la.ospp", begin + 1, begin + month) == key
        assert choose(directory, "la.ospp", begin + WEEK_MS, begin + month) == key
    # The last key's overlap is used when there is nothing better, and then there is nothing.
    late = NOW + 4 * WEEK_MS + DAY_MS
    assert choose(directory, "la.ospp", late, late + month) == keys[-1]
    with pytest.raises(Refused, match="no mailbox key"):
        choose(directory, "la.ospp", late + 2 * DAY_MS, late + month)


def test_a_later_deadline_takes_the_key_of_a_later_week() -> None:
    directory, keys = enrolled(4)
    week_later = NOW + 30 * DAY_MS + WEEK_MS + 3 * DAY_MS
    assert choose(directory, "la.ospp", NOW, week_later) == keys[1]
    # No key leaves the month after this deadline; one leaves the time until it.
    assert choose(directory, "la.ospp", NOW, NOW + 68 * DAY_MS) == keys[0]
    with pytest.raises(Refused):
        choose(directory, "la.ospp", NOW, NOW + 200 * DAY_MS)


def test_what_is_planned_ends_with_the_last_week() -> None:
    _, keys = enrolled(4)
    assert planned_until(keys, NOW) == NOW + 4 * WEEK_MS
    assert planned_until([], NOW) == NOW
