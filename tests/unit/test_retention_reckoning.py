"""Days of a bulletin from facts alone (domain section 6)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace
from saphan.retention.facts import Facts, facts_of
from saphan.retention.reckoning import Closing, Days, Kept, add_months, reckon
from saphan_schemas.retention import default_table
from saphan_schemas.samples import sample

TABLE = default_table()
TYPES = (
    "asset_lead", "case_statistics", "controlled_delivery", "drug_disposal", "drug_seizure",
    "info_reply", "info_request", "mla_request", "precursor_incident", "subject_notice",
    "trafficking_alert", "training_notice",
)  # fmt: skip


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


CREATED = day("2026-11-22")
FACTS = Facts("original", None, True, ("suspect",), None, None)


def kept(name: str, facts: Facts | None = FACTS, **fields: Any) -> Kept:
    given = {"created": CREATED, "retain_until": day("2060-01-01"), **fields}
    return Kept(schema=f"saphan/{name}/1", facts=facts, **given)


def closed(text: str, word: str = "closed") -> Closing:
    return Closing(day(text), word)


@pytest.mark.parametrize(
    ("name", "facts", "fields", "erase", "rule", "review"),
    [
        ("drug_seizure", {}, {}, "2030-02-20", "review", "2029-11-22"),
        ("drug_seizure", {"persons": False}, {}, "2032-02-20", "review", "2031-11-22"),
        ("precursor_incident", {"roles": ("minors",)}, {}, "2028-08-20", "review", "2028-05-22"),
        ("precursor_incident", {"roles": ("victim",)}, {}, "2028-08-20", "review", "2028-05-22"),
        # Nobody is asked once it was closed by the wrong person: thirty days.
        (
            "subject_notice",
            {},
            {"closing": closed("2026-12-01", "wrong_person")},
            "2026-12-31",
            "cancelled",
            None,
        ),
        ("info_request", {}, {}, "2060-01-01", "due", None),
        (
            "info_request",
            {},
            {"closing": closed("2027-01-31"), "extended": day("2028-12-31")},
            "2029-01-31",
            "closed",
            "2028-12-31",
        ),
        (
            "info_reply",
            {"word": "no_trace"},
            {"closing": closed("2027-01-31", "no_trace")},
            "2028-01-31",
            "closed",
            None,
        ),
        (
            "mla_request",
            {},
            {"closing": closed("2027-01-31"), "extended": day("2036-12-31")},
            "2037-01-31",
            "closed",
            "2036-12-31",
        ),
        (
            "trafficking_alert",
            {"valid_until": day("2027-01-01")},
            {"extended": day("2027-12-31")},
            "2028-01-01",
            "valid_until",
            "2027-12-31",
        ),
        ("controlled_delivery", {"word": "position"}, {}, "2026-12-22", "review", None),
        ("case_statistics", {"persons": False}, {}, "2060-01-01", "due", None),
        ("case_statistics", {"persons": False, "review": day("2027-11-22")}, {}, "2028-02-20",
         "review", "2027-11-22"),
        ("training_notice", {}, {}, "2028-02-20", "review", "2027-11-22"),
    ],
)  # fmt: skip
def test_days_by_the_table(
    name: str,
    facts: dict[str, Any],
    fields: dict[str, Any],
    erase: str,
    rule: str,
    review: str | None,
) -> None:
    found = reckon(kept(name, replace(FACTS, **facts), **fields), TABLE)
    assert found == Days(day(erase), rule, None if review is None else day(review))


def test_nothing_is_kept_beyond_its_last_day() -> None:
    for name in TYPES:
        last = CREATED + 100
        assert reckon(kept(name, retain_until=last), TABLE).erase <= last
    extended = kept("drug_seizure", retain_until=CREATED + 100, extended=CREATED + 5_000)
    assert reckon(extended, TABLE) == Days(CREATED + 100, "due", None)


def test_what_was_over_before_it_was_created_is_no_day_of_long_ago() -> None:
    """A sender's `valid_until` of 1960 would be a day that no sweep ever comes to."""
    facts = replace(FACTS, valid_until=day("1960-01-01"))
    found = reckon(kept("trafficking_alert", facts, extended=day("2027-06-01")), TABLE)
    assert found == Days(day("2027-08-30"), "review", day("2027-06-01"))
    assert reckon(kept("trafficking_alert", facts), TABLE).erase > CREATED


def test_what_is_not_open_here_has_its_last_day_alone() -> None:
    assert reckon(kept("drug_seizure", None), TABLE) == Days(day("2060-01-01"), "due", None)


def test_an_extension_puts_off_the_review_and_the_time_since_its_creation() -> None:
    later = day("2033-01-01")
    found = reckon(kept("drug_seizure", extended=later), TABLE)
    assert found == Days(later + TABLE.undecided_days, "review", later)


def test_an_earlier_closing_is_never_put_off_by_an_extension() -> None:
    wrong = closed("2027-01-01", "wrong_person")
    found = reckon(kept("subject_notice", closing=wrong, extended=day("2030-01-01")), TABLE)
    assert found == Days(day("2027-01-31"), "cancelled", None)


def test_who_is_named_in_the_body_counts_whatever_its_author_says_of_it() -> None:
    content = sample("drug_seizure")
    content["about"]["personal_data"] = {"present": False, "minors": False}
    found = facts_of("saphan/drug_seizure/1", content)
    assert (found.persons, found.roles) == (True, ())
    content["body"]["persons"][0]["roles"] = ["witness", "driver"]
    assert facts_of("saphan/drug_seizure/1", content).roles == ("witness",)
    del content["body"]["persons"]  # counts of arrests by age name nobody
    assert not facts_of("saphan/drug_seizure/1", content).persons


def test_every_type_has_its_line_and_other_types_have_one_too() -> None:
    assert set(TABLE.types) == {f"saphan/{name}" for name in TYPES}
    assert TABLE.of("la.ospp/arrest_notice/1") is TABLE.other_types
    for name in TYPES:
        content = sample(name)
        facts = facts_of(f"saphan/{name}/1", content)
        assert facts.persons == content["about"]["personal_data"]["present"]
        assert facts.review is not None


@pytest.mark.parametrize(
    ("begin", "months", "end"),
    [
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-11-22", 0, "2026-11-22"),
    ],
)
def test_months_end_where_the_month_ends(begin: str, months: int, end: str) -> None:
    assert add_months(day(begin), months) == day(end)
