"""An agency's own periods: in the place of the shipped ones, and told apart by their digest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from saphan.node.policy.retention import WITHOUT, rules_digest
from saphan.node.policy.settings import parse_settings
from saphan_schemas.errors import InvalidInput
from saphan_schemas.retention import default_table

NOTICE = "saphan/subject_notice"
BOTH = {"after": "created", "days": 1, "months": 1}


def parsed(**retention: Any) -> Any:
    return parse_settings(
        json.dumps({"saphan": "settings/1", "retention": retention}).encode()
    ).retention


def test_what_is_left_out_stays_as_shipped() -> None:
    rule = {"review": None, "erase": [{"after": "created", "days": 10}]}
    table = parsed(types={NOTICE: {"with_persons": rule}}).table
    shipped = default_table()
    found = table.of(f"{NOTICE}/1")
    assert found.with_persons.review is None
    assert found.with_persons.erase[0].days == 10
    assert found.without_persons == shipped.of(NOTICE).without_persons
    assert found.keep_months == shipped.of(NOTICE).keep_months
    assert table.of("saphan/drug_seizure/1") == shipped.of("saphan/drug_seizure")
    assert table.undecided_days == shipped.undecided_days


def test_an_agencys_own_type_has_a_line_of_its_own() -> None:
    keep = {"with_persons": 7, "without_persons": 8}
    table = parsed(types={"la.ospp/arrest_notice": {"keep_months": keep}}).table
    assert table.of("la.ospp/arrest_notice/3").keep_months.with_persons == 7
    assert table.of("la.ospp/other/1") == default_table().other_types


def test_the_digest_tells_rules_apart_and_nothing_else() -> None:
    assert rules_digest(WITHOUT.table) == rules_digest(default_table())
    assert rules_digest(parsed(officers=["dao"]).table) == rules_digest(default_table())
    others = [
        parsed(undecided_days=30),
        parsed(types={NOTICE: {"with_persons": {"review": None}}}),
        parsed(types={"saphan/new_type": {}}),
    ]
    assert len({rules_digest(one.table) for one in (*others, WITHOUT)}) == 4


@pytest.mark.parametrize(
    "retention",
    [
        {"undecided_days": 0},
        {"types": {"subject_notice": {}}},
        {"types": {NOTICE: {"with_persons": {"review": {"after": "created"}}}}},
        {"types": {NOTICE: {"with_persons": {"review": BOTH}}}},
        {"types": {NOTICE: {"with_persons": {"review": {"after": "tomorrow", "days": 1}}}}},
        {"types": {NOTICE: {"keep_months": {"with_persons": 1}}}},
        {"armed": True},
    ],
)  # fmt: skip
def test_half_a_rule_is_none(retention: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="settings_malformed"):
        parsed(**retention)
