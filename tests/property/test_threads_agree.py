"""Two readers of threads.md come to the same end of time and the same standing, whatever comes."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from saphan.threads.clock import UNITS, due_at
from saphan.threads.holidays import parse_holidays
from saphan.threads.owing import Reply, owing
from saphan.threads.words import Answered, Asked
from support.second_threads import SECOND

HOUR = 3_600_000
NUMBERS = ("1", "2", "3")
ANSWERS = st.dictionaries(
    st.sampled_from(NUMBERS), st.sampled_from(("answered", "no_trace", "pending", "refused"))
)
SAID = {
    "at": st.integers(0, 50),
    "outcome": st.sampled_from(
        ("full", "partial", "interim", "no_trace", "refused", "transferred")
    ),
    "answers": ANSWERS.map(lambda found: [list(pair) for pair in found.items()]),
    "expected": st.none() | st.integers(0, 90),
}
EARLIER = st.lists(st.fixed_dictionaries(SAID), max_size=2)
REPLIES = st.lists(st.fixed_dictionaries(SAID | {"earlier": EARLIER}), max_size=5)


def answered(one: dict[str, Any]) -> Answered:
    return Answered(bytes(32), one["outcome"], tuple(map(tuple, one["answers"])), one["expected"])


@given(REPLIES, st.integers(0, 40), st.integers(0, 99))
def test_a_standing(replies: list[dict[str, Any]], due: int, now: int) -> None:
    said = [
        (
            one,
            Reply(
                bytes(32),
                one["at"],
                answered(one),
                tuple((before["at"], answered(before)) for before in one["earlier"]),
            ),
        )
        for one in replies
    ]
    said.sort(key=lambda pair: pair[1].first)
    replies = [one for one, _ in said]
    vector = {"questions": list(NUMBERS), "replies": replies, "due": due, "now": now}
    found = owing(Asked(NUMBERS, "direct"), [reply for _, reply in said], due, now)
    ours = found.state, [one.state for one in found.questions], found.late, found.until
    assert ours == SECOND.standing(vector)


def holidays(first: date, length: int, off: set[int]) -> dict[str, Any]:
    days = sorted(first + timedelta(days=each) for each in off if each <= length)
    return {
        "saphan": "holidays/1", "country": "la", "dated": "2026-01-01", "source": "drawn",
        "from": first.isoformat(), "to": (first + timedelta(days=length)).isoformat(),
        "days": [day.isoformat() for day in days],
    }  # fmt: skip


FILES = st.builds(
    holidays,
    st.dates(date(2025, 12, 1), date(2026, 3, 1)),
    st.integers(0, 60),
    st.sets(st.integers(0, 60), max_size=20),
)


@given(
    st.integers(1_767_225_600_000, 1_772_323_200_000),
    st.sampled_from(("routine", "priority", "immediate")),
    st.sampled_from(("direct", "indirect", "unknown")),
    st.none() | st.tuples(st.integers(1, 60), st.sampled_from(UNITS)),
    st.sampled_from(("Asia/Vientiane", "UTC", "America/New_York", "Asia/Kathmandu")),
    st.none() | FILES,
)
def test_an_end(
    accepted: int, urgency: Any, availability: str, within: Any, zone: str, file: Any
) -> None:
    wished = None if within is None else {"count": within[0], "unit": within[1]}
    vector = {
        "accepted": accepted, "urgency": urgency, "availability": availability, "zone": zone,
        "reply_within": wished, "holidays": file,
    }  # fmt: skip
    known = None if file is None else parse_holidays(json.dumps(file).encode(), "la")
    due = due_at(accepted, urgency, availability, within, ZoneInfo(zone), known)
    assert (due.moment, due.holiday_file_missing) == SECOND.clock(vector)
