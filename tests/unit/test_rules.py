"""Rules: what a schema cannot say, each seen to hold and seen to break."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_schemas import bodies
from saphan_schemas.errors import InvalidInput
from saphan_schemas.rules import KINDS, Rule, RuleSet
from saphan_schemas.rules.numbers import scaled, unscaled
from saphan_schemas.samples import sample
from support.contents import check

Change = Callable[[dict[str, Any]], object]
STATISTICS = "saphan/case_statistics/1"
SEIZURE = "saphan/drug_seizure/1"
TRAINING = "saphan/training_notice/1"


def broken(name: str, change: Change) -> str | None:
    content = sample(name.split("/")[1])
    change(content)
    with pytest.raises(InvalidInput) as refused:
        check(name, content)
    assert refused.value.code == "rule_broken", str(refused.value)
    return refused.value.field


def form(index: int) -> dict[str, Any]:
    return {"kind": "alias", "script": "Latn", "full": "DARA", "of_form": index}


def other_price(content: dict[str, Any]) -> None:
    price = {"measure": "price", "value": "0.1", "currency": "LAK", "flag": "estimated"}
    what = {"substance": "methamphetamine_tablet", "unit": "U2"}
    content["body"]["cells"].append(price | what)


def report(content: dict[str, Any]) -> None:
    content["body"]["notice_kind"] = "report"
    content["body"]["outcome"] = {"attended": 11, "certificates": 12}


BROKEN: tuple[tuple[str, Change, str], ...] = (
    (
        STATISTICS,
        lambda c: c["body"]["totals_check"][0].update(value="6435"),
        "/body/totals_check/0/value",
    ),
    (
        STATISTICS,
        lambda c: c["body"]["cells"][1].update(value="1421"),
        "/body/totals_check/0/value",
    ),
    (
        STATISTICS,
        lambda c: c["body"]["totals_check"][0].update(value="6434.000001"),
        "/body/totals_check/0/value",
    ),
    (STATISTICS, lambda c: c["body"]["totals_check"].clear(), "/body/totals_check"),
    (
        STATISTICS,
        lambda c: c["body"]["totals_check"].append({"measure": "kg", "value": "0"}),
        "/body/totals_check/1",
    ),
    (
        STATISTICS,
        lambda c: c["body"]["totals_check"].append({"measure": "cases", "value": "6434"}),
        "/body/totals_check/1",
    ),
    (STATISTICS, lambda c: c["body"]["period"].update(to="2023-12-31"), "/body/period/to"),
    (
        STATISTICS,
        lambda c: c["body"]["cells"][1]["period"].update(to="2024-12-31"),
        "/body/cells/1/period/to",
    ),
    (
        STATISTICS,
        lambda c: c["body"]["cells"][1].update(period=c["body"]["cells"][0]["period"]),
        "/body/cells/1",
    ),
    (STATISTICS, lambda c: c["about"].update(source_language="th"), "/about/title"),
    (
        STATISTICS,
        lambda c: c["about"]["translations"][1].update(lang="km"),
        "/about/translations/1",
    ),
    (TRAINING, lambda c: c["body"]["dates"].update(to="2025-12-07"), "/body/dates/to"),
    (TRAINING, lambda c: c["body"].update(nominate_by="2025-12-09T00:00:00Z"), "/body/dates/from"),
    (TRAINING, lambda c: c["body"]["seats"][1].update(org="LA-OSPP"), "/body/seats/1"),
    (
        TRAINING,
        lambda c: c["body"]["seats"][0].update(reserved_women=13),
        "/body/seats/0/reserved_women",
    ),
    (
        TRAINING,
        lambda c: report(c),
        "/body/outcome/certificates",
    ),
    (
        TRAINING,
        lambda c: c["body"]["nominees"][0]["name"]["forms"][1].update(of_form=2),
        "/body/nominees/0/name/forms/1/of_form",
    ),
    (SEIZURE, lambda c: no_personal_data(c), "/about/personal_data/present"),
    (TRAINING, lambda c: no_personal_data(c), "/about/personal_data/present"),
    (
        SEIZURE,
        lambda c: c["body"]["persons"][1].update(roles=["suspect", "witness"]),
        "/body/persons/1/roles/1",
    ),
    (SEIZURE, lambda c: c["body"]["arrests"].append(c["body"]["arrests"][0]), "/body/arrests/2"),
    (
        SEIZURE,
        lambda c: c["body"]["persons"][1]["names"]["forms"].append(form(1)),
        "/body/persons/1/names/forms/1/of_form",
    ),
    (
        SEIZURE,
        lambda c: c["body"]["persons"][0].update(documents=[document("2020-06", "2020-05-31")]),
        "/body/persons/0/documents/0/expires_on/value",
    ),
)


def no_personal_data(content: dict[str, Any]) -> None:
    content["about"]["personal_data"] = {"present": False, "minors": False}


def document(issued: str, expires: str) -> dict[str, Any]:
    precisions = {4: "year", 7: "month", 10: "day"}
    return {
        "kind": "passport",
        "status": "genuine",
        "issued_on": {"value": issued, "precision": precisions[len(issued)]},
        "expires_on": {"value": expires, "precision": precisions[len(expires)]},
    }


@pytest.mark.parametrize(("name", "change", "field"), BROKEN)
def test_broken_rule_names_the_place(name: str, change: Change, field: str) -> None:
    assert broken(name, change) == field


HELD: tuple[tuple[str, Change], ...] = (
    (STATISTICS, other_price),
    (STATISTICS, lambda c: c["body"]["totals_check"][0].update(value="6434.0")),
    (STATISTICS, lambda c: c["body"]["cells"][0]["period"].update(to="2024-01-01")),
    (TRAINING, lambda c: c["body"].update(nominate_by="2025-12-08T23:59:59.999Z")),
    (TRAINING, lambda c: c["body"]["seats"][0].update(reserved_women=12)),
    (
        SEIZURE,
        # The month is all that is known of the later date: the day may still follow.
        lambda c: c["body"]["persons"][0].update(documents=[document("2020-05-02", "2020-05")]),
    ),
)


@pytest.mark.parametrize(("name", "change"), HELD)
def test_rule_that_holds_lets_content_through(name: str, change: Change) -> None:
    content = sample(name.split("/")[1])
    change(content)
    check(name, content)


TIMES = (
    ("2025-10-14T06:40:00Z", "2025-10-14T06:40:00.000Z", True),
    ("2025-10-14T06:40:00.000Z", "2025-10-14T06:40:00Z", True),
    ("2025-10-14T06:40:00.001Z", "2025-10-14T06:40:00Z", False),
    ("2025-10-14T06:40:00.001Z", "2025-10-14T06:40:00.002Z", True),
    ("2025-10-14T06:40:00.002Z", "2025-10-14T06:40:00.001Z", False),
    ("2025-10-14T06:40:01Z", "2025-10-14T06:40:00.999Z", False),
    ("2025-10-14T23:59:59Z", "2025-10-14", True),
    ("2025-10-15T00:00:00Z", "2025-10-14", False),
    ("1962", "1962-03", True),
    ("1963", "1962-12-31", False),
)


@pytest.mark.parametrize(("earlier", "later", "holds"), TIMES)
def test_times_compare_as_exactly_as_the_less_exact_one(
    earlier: str, later: str, holds: bool
) -> None:
    rule = {"rule": "not_before", "each": "/body", "earlier": "a", "later": "b"}
    content = {"body": {"a": earlier, "b": later}}
    if holds:
        check_rules([rule], content)
        return
    with pytest.raises(InvalidInput) as refused:
        check_rules([rule], content)
    assert refused.value.field == "/body/b"


def test_sums_are_exact_where_floats_are_not() -> None:
    content = sample("case_statistics")
    first, second = content["body"]["cells"]
    for cell, value in ((first, "0.1"), (second, "0.2")):
        cell.update(measure="kg", substance="opium", value=value)
    content["body"]["totals_check"] = [{"measure": "kg", "value": "0.3"}]
    check(STATISTICS, content)
    first["value"] = "999999999999999999.999999"
    content["body"]["totals_check"][0]["value"] = "999999999999999999.999999"
    with pytest.raises(InvalidInput) as refused:
        check(STATISTICS, content)
    assert "1000000000000000000.199999" in refused.value.message


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**6 - 1))
def test_scaled_is_the_decimal_in_millionths(whole: int, part: int) -> None:
    written = f"{whole}.{part:06d}"
    assert scaled(written) == int(Decimal(written).scaleb(6))
    assert scaled(unscaled(int(Decimal(written).scaleb(6)))) == scaled(written)


def test_every_rule_of_every_type_is_of_a_known_kind_and_points_into_the_schema() -> None:
    for name in bodies.NAMES:
        parts = bodies.bundle(name)
        for rule in parts["rules"]:
            assert rule["rule"] in KINDS
            for key in ("each", "of", "totals", "flag", "list"):
                if str(rule.get(key, "")).startswith(("/about", "/body")):
                    assert exists(parts["schema"], rule[key]), rule


def exists(schema: dict[str, Any], path: str) -> bool:
    node = schema
    for step in path.split("/")[1:]:
        node = resolved(schema, node)
        found = node.get("items") if step == "*" else node.get("properties", {}).get(step)
        if found is None:
            return False
        node = found
    return True


def resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    target = node.get("$ref")
    return schema["$defs"][target.rpartition("/")[2]] if isinstance(target, str) else node


def check_rules(rules: list[Rule], content: dict[str, Any]) -> None:
    RuleSet(rules).check(content)


MALFORMED: tuple[tuple[Rule, str], ...] = (
    ({"rule": "new_kind"}, "rule"),
    ({}, "rule"),
    ({"rule": ["unique"]}, "rule"),
    ({"rule": "at_most", "each": "/body", "value": "a"}, "limit"),
    ({"rule": "at_most", "each": "/body", "value": "a", "limit": 3}, "limit"),
    ({"rule": "at_most", "each": "/body", "value": "a", "limit": "b", "more": 1}, "more"),
    ({"rule": "at_most", "each": "body", "value": "a", "limit": "b"}, "each"),
    ({"rule": "at_most", "each": "/header", "value": "a", "limit": "b"}, "each"),
    ({"rule": "unique", "each": "/body/list"}, "each"),
    ({"rule": "check_digit", "value": "/body/a", "method": "own"}, "method"),
    ({"rule": "must_be", "value": "/body/a", "be": [{}]}, "be"),
    ({"rule": "product", "value": "a", "of": ["b"], "places": -1}, "places"),
    ({"rule": "product", "value": "a", "of": ["b"], "places": 7}, "places"),
    ({"rule": "attachment", "value": "/body/a", "role": [1]}, "role"),
    ({"rule": "must_be", "value": "/body/a/*", "be": ["x"]}, "value"),
    ({"rule": "given_when", "given": ["/body/a", "/body/b/*/c"]}, "given"),
    ({"rule": "given_when", "when": "/body/*", "given": ["/body/a"]}, "when"),
)


@pytest.mark.parametrize(("rule", "field"), MALFORMED)
def test_a_rule_that_cannot_be_run_is_refused_never_skipped(rule: Rule, field: str) -> None:
    good = {"rule": "declared", "each": "/body", "flag": "/about/x"}
    with pytest.raises(InvalidInput) as refused:
        RuleSet([good, rule])
    assert (refused.value.code, refused.value.field) == ("rule_malformed", f"/rules/1/{field}")
