"""Renewing an agreement, and terms that differ by type."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import msgspec
import pytest
from saphan.agency_file import AgencyFile
from saphan.agreements.draft import propose
from saphan.agreements.renewal import next_reference, renew, renewed_terms
from saphan.agreements.terms import Terms, first_terms, format_terms, parse_terms, terms_of
from saphan.keys.keyfiles import new_key
from saphan_protocol.agreement import AGREEMENT_TYPE
from saphan_protocol.identity import identity
from saphan_schemas.bodies import NAMES
from saphan_schemas.directory_records import CorridorRule
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import Role
from support.pin_files import pins

TODAY = date(2025, 7, 16)
NOW = 1_752_624_000_000
PARTIES = [
    AgencyFile(agency=name, threshold=1, roots=(new_key(Role.ROOT).public,))
    for name in ("la.ospp", "kh.gpo", "vn.vks")
]
SEIZURE = "saphan/drug_seizure/1"


def terms(**changes: Any) -> Terms:
    value = json.loads(first_terms([p.agency for p in PARTIES], TODAY))
    return parse_terms(json.dumps(value | changes).encode())


OLD = propose(terms(), PARTIES, pins()).text


def test_the_next_one_names_the_old_one_and_is_otherwise_the_same() -> None:
    draft = renew(OLD, renewed_terms(OLD, date(2040, 1, 1), NOW), PARTIES, pins(), NOW)
    old, new = propose(terms(), PARTIES, pins()).agreement, draft.agreement
    assert new.replaces == identity(AGREEMENT_TYPE, OLD)
    assert new.reference == f"{old.reference}.2"
    assert new.valid_from == NOW
    assert new.valid_until > old.valid_until
    same = {"replaces": None, "reference": old.reference, "valid_until": old.valid_until}
    assert msgspec.structs.replace(new, **same) == old


def test_terms_go_into_a_file_and_come_back() -> None:
    agreement = propose(terms(), PARTIES, pins()).agreement
    assert parse_terms(format_terms(terms_of(agreement))) == terms_of(agreement)


def test_who_has_not_agreed_to_the_end_is_not_left_out() -> None:
    new = renewed_terms(OLD, date(2040, 1, 1), NOW)
    with pytest.raises(SaphanError, match=r"without vn\.vks.*agreement_replaces"):
        renew(OLD, new, PARTIES[:2], pins(), NOW)


def test_it_begins_at_once_for_the_old_one_ends_at_once() -> None:
    later = msgspec.structs.replace(terms(), valid_from=date(2025, 7, 17))
    with pytest.raises(SaphanError, match="renewal_later"):
        renew(OLD, later, PARTIES, pins(), NOW)
    renew(OLD, later, PARTIES, pins(), NOW + DAY_MS)


def test_it_does_not_end_the_old_one_with_terms_that_are_over() -> None:
    over = msgspec.structs.replace(
        terms(), valid_from=date(2020, 1, 1), valid_until=date(2025, 7, 16)
    )
    with pytest.raises(SaphanError, match="agreement_dates"):
        renew(OLD, over, PARTIES, pins(), NOW)
    renew(OLD, over, PARTIES, pins(), NOW - 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("la-kh", "la-kh.2"),
        ("la-kh.2", "la-kh.3"),
        ("la.9999", "la.10000"),
        ("la-kh-2025", "la-kh-2025.2"),
        ("a" * 63, "a" * 61 + ".2"),
    ],
)
def test_references_are_numbered(before: str, after: str) -> None:
    assert next_reference(before) == after


def rules(**changes: Any) -> tuple[CorridorRule, ...]:
    rule = {"from": "la.ospp", "to": "kh.gpo", "schemas": NAMES, "retain_days": 900} | changes
    return propose(terms(rules=[rule]), PARTIES, pins()).agreement.rules


def test_retention_may_differ_by_type() -> None:
    (rule,) = rules()
    assert (rule.schemas, rule.retain_days) == (NAMES, 900)
    most, seizures = rules(retain_days_by_type={SEIZURE: 30})
    assert (most.retain_days, set(most.schemas)) == (900, set(NAMES) - {SEIZURE})
    assert (seizures.retain_days, seizures.schemas) == (30, (SEIZURE,))


def test_a_retention_of_a_type_that_is_not_agreed_is_a_mistake() -> None:
    with pytest.raises(SaphanError, match="terms_malformed"):
        rules(schemas=["saphan/training_notice/1"], retain_days_by_type={SEIZURE: 30})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("H1", "H2")),
        ({"default_handling": None}, ("H1", "H2")),
        ({"default_handling": None, "handling": ["H0", "H2"]}, ("H2",)),
        ({"default_handling": None, "handling": ["H0"]}, ("H0",)),
        ({"default_handling": ["H3"]}, ("H3",)),
    ],
)
def test_originator_control_is_the_default(
    changes: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert propose(terms(**changes), PARTIES, pins()).agreement.default_handling == expected


def test_a_default_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(SaphanError, match="agreement_malformed"):
        propose(terms(handling=["H0"], default_handling=["H1"]), PARTIES, pins())


def rule(tlp: str, days: int, **changes: Any) -> dict[str, Any]:
    pair = {"from": "la.ospp", "to": "kh.gpo", "schemas": [SEIZURE]}
    return pair | {"tlp_ceiling": tlp, "retain_days": days} | changes


@pytest.mark.parametrize(
    "hidden",
    [
        [rule("amber", 30), rule("amber", 900)],
        [rule("red", 900), rule("amber", 30)],
        [rule("amber", 30), rule("red", 30)],
        [rule("amber", 30, schemas=[SEIZURE, SEIZURE])],
    ],
)
def test_a_rule_that_a_wider_one_makes_void_is_no_rule(hidden: list[dict[str, Any]]) -> None:
    """Who reads `amber, 30 days` on page 2 must not have to look for `red, 900` on page 40."""
    with pytest.raises(SaphanError, match="allows all that another does"):
        propose(terms(rules=hidden), PARTIES, pins())


def test_what_is_marked_lower_may_be_kept_longer() -> None:
    propose(terms(rules=[rule("red", 30), rule("amber", 900)]), PARTIES, pins())


@pytest.mark.parametrize("field", ["handling", "default_handling", "languages"])
def test_nothing_is_listed_twice(field: str) -> None:
    twice = {"handling": ["H1", "H2", "H1"], "default_handling": ["H1", "H1"]}
    with pytest.raises(SaphanError, match=f"{field} has a value twice"):
        propose(terms(**{field: twice.get(field, ["lo", "lo"])}), PARTIES, pins())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rules": [rule("amber", 0)]}, r"rules\[0\]\.retain_days"),
        ({"rules": []}, "`rules`"),
        ({"valid_from": "0001-01-01"}, "`valid_from`"),
    ],
)
def test_a_value_out_of_bounds_is_named_as_people_wrote_it(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(SaphanError, match=f"{named}.*terms_malformed"):
        propose(terms(**changes), PARTIES, pins())
