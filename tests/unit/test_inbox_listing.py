"""The order of the inbox, whatever it is narrowed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saphan.desk.listed import InboxRow
from saphan.web.inbox.listing import (
    GROUPS,
    ON_A_PAGE,
    STATES,
    Filters,
    Line,
    Listing,
    line_of,
    listing,
)
from support.bare_desk import row

NOW = 1_790_000_000_000
HOUR_MS = 3_600_000
SENDERS = ("la.ospp", "vn.vks")
TYPES = ("saphan/case_statistics/1", "saphan/info_request/1")
URGENCIES = ("immediate", "priority", "routine")


def line(seq: int, **fields: Any) -> Line:
    return line_of(msgspec.convert(row(seq, **fields), InboxRow))


def order(found: Listing) -> list[int]:
    return [one.row.seq for _, _, lines in found.groups for one in lines]


def of(*lines: Line, owed: Mapping[str, int | None] | None = None, **filters: str) -> Listing:
    newest = sorted(lines, key=lambda one: -one.row.seq)
    return listing(newest, owed or {}, Filters(**filters), NOW, 1)


def test_what_is_overdue_is_first_however_often_it_was_read() -> None:
    late = line(1, read=True, urgency="routine")
    soon = line(2, read=True, urgency="routine")
    unread = line(3, urgency="immediate")
    owed = {late.row.id: NOW - 1, soon.row.id: NOW + HOUR_MS}
    found = of(late, soon, unread, owed=owed)
    assert [(name, count) for name, count, _ in found.groups] == [
        ("overdue", 1),
        ("immediate", 1),
        ("routine", 1),
    ]
    assert order(found) == [1, 3, 2]
    # The request whose time does not run yet asks for attention, without a clock.
    ((name, _, (waiting,)),) = of(late, owed={late.row.id: None}).groups
    assert (name, waiting.deadline) == ("routine", None)
    assert "owed" in waiting.states


def test_the_nearest_deadline_stands_before_what_has_none() -> None:
    lines = [
        line(1, answer_by=NOW + 2 * HOUR_MS),
        line(2),
        line(3, answer_by=NOW + HOUR_MS),
        line(4),
    ]
    assert order(of(*lines)) == [3, 1, 4, 2]
    # Once it was read, the sender's wish is no clock any more.
    (read,) = of(line(5, answer_by=NOW + HOUR_MS, read=True)).groups[0][2]
    assert read.deadline is None


@pytest.mark.parametrize("gone", ["recalled", "erased"])
def test_what_was_taken_back_asks_for_no_attention(gone: str) -> None:
    taken = line(1, urgency="immediate", **{gone: "due"})
    found = of(taken, owed={taken.row.id: NOW - 1})
    assert [name for name, _, _ in found.groups] == ["seen"]
    assert found.unread == 0
    assert not taken.stands


def test_an_address_says_what_the_list_is_narrowed_to() -> None:
    filters = Filters.of({"type": "a/b&c/1", "state": "owed", "page": "3", "evil": "x"})
    assert filters == Filters(type="a/b&c/1", state="owed")
    assert filters.href() == "/inbox?type=a%2Fb%26c%2F1&state=owed"
    assert filters.href("%d") == "/inbox?type=a%2Fb%26c%2F1&state=owed&page=%d"
    assert (Filters().href(), Filters().href(2)) == ("/inbox", "/inbox?page=2")
    assert not Filters()
    assert len(Filters.of({"type": "x" * 1_000}).type) == 128


rows = st.builds(
    lambda seq, sender, schema, urgency, read, recalled, exercise, owed: (
        line(seq, sender=sender, schema=schema, urgency=urgency, read=read,
             recalled=recalled, exercise=exercise),
        owed,
    ),
    st.integers(1, 10_000), st.sampled_from(SENDERS), st.sampled_from(TYPES),
    st.sampled_from(URGENCIES), st.booleans(), st.sampled_from([None, "error"]), st.booleans(),
    st.sampled_from([(), (None,), (NOW - HOUR_MS,), (NOW + HOUR_MS,)]),
)  # fmt: skip
filters = st.builds(
    Filters, st.sampled_from(["", *TYPES]), st.sampled_from(["", *SENDERS]),
    st.sampled_from(["", *STATES]), st.sampled_from(["", *URGENCIES]),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(found=st.lists(rows, max_size=110, unique_by=lambda one: one[0].row.seq), wanted=filters)
def test_every_line_that_a_filter_lets_through_is_on_one_page_and_counts_are_what_is_found(
    found: list[tuple[Line, tuple[int | None, ...]]], wanted: Filters
) -> None:
    lines = sorted((one for one, _ in found), key=lambda one: -one.row.seq)
    owed = {one.row.id: times[0] for one, times in found if times}
    first = listing(lines, owed, wanted, NOW, 1)
    shown = [
        (name, one)
        for page in range(1, first.pages + 1)
        for name, _, part in listing(lines, owed, wanted, NOW, page).groups
        for one in part
    ]
    assert len(shown) == first.total <= len(lines)
    assert len({one.row.seq for _, one in shown}) == len(shown)
    assert [GROUPS.index(name) for name, _ in shown] == sorted(
        GROUPS.index(name) for name, _ in shown
    )
    assert all(len(part) <= ON_A_PAGE for _, _, part in first.groups)
    for name in ("type", "corridor", "state", "urgency"):
        for value, count in first.counts[name].items():
            other = listing(lines, owed, wanted.but(**{name: value}), NOW, 1)
            assert other.total == count, (name, value)
