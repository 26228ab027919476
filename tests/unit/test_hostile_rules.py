"""Rules that would make one check endless: counted and refused before anything runs them."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_schemas import profile_rules
from saphan_schemas.codec import encode_content
from saphan_schemas.profile import open_bundle
from support.hostile_types import closed, hostile
from support.sources import NAME, Json, bundle_refusal, opened, source


def test_every_pair_of_entries_is_too_much_work_for_a_rule() -> None:
    lists = {
        name: {
            "type": "array",
            "maxItems": 60_000,
            "items": {"type": "integer", "minimum": 0, "maximum": 9},
        }
        for name in ("a", "b")
    }
    rule = {"rule": "listed", "each": "/body/a/*", "list": "/body/b"}
    assert bundle_refusal(hostile(closed(lists), {}, [rule])).code == "schema_rules"
    words = {"rule": "must_have", "each": "/body/a/*", "value": "/body/b", "all": [*range(2_000)]}
    assert bundle_refusal(hostile(closed(lists), {}, [words])).code == "schema_rules"
    alone = {"rule": "unique", "each": "/body/a/*"}
    assert opened(source(body=closed(lists), defs={}, rules=[alone]))


def test_a_list_that_a_pattern_names_counts_as_long_as_it_is() -> None:
    numbers = {"type": "array", "maxItems": 9_000, "items": {"type": "boolean"}}
    named = closed({}) | {"maxProperties": 2, "patternProperties": {"^[a-z]$": numbers}}
    rule = {"rule": "one_script", "each": "/body/by_name/a/*", "value": "/body/long"}
    fields = {"by_name": named, "long": {"type": "string", "maxLength": 30_000}}
    assert bundle_refusal(hostile(closed(fields), {}, [rule])).code == "schema_rules"


def test_places_that_many_rules_name_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    described = profile_rules._described

    def counted(nodes: list[Any], defs: Json) -> list[Json]:
        looked.append(len(nodes))
        return described(nodes, defs)

    fields: Json = {"a": {"type": "boolean"}}
    for _ in range(9):
        fields = {"a": closed(fields)}
    rule = {"rule": "given_when", "given": [f"/body{'/a' * 10}"] * 32}
    bundle = hostile(closed(fields), {}, [rule] * 512)
    monkeypatch.setattr(profile_rules, "_described", counted)
    open_bundle(NAME, encode_content(bundle))
    assert len(looked) == 12


def test_the_letters_of_one_text_are_not_looked_up_by_hundreds_of_rules() -> None:
    rule = {"rule": "one_script", "each": "/body", "value": "long"}
    of_header = {"rule": "one_script", "value": "/header/sender"}
    fields: Json = {"long": {"type": "string", "maxLength": 60_000}}
    assert opened(source(body=closed(fields), defs={}, rules=[rule, of_header]))
    assert bundle_refusal(hostile(closed(fields), {}, [rule] * 400)).code == "schema_rules"


READ_AGAIN: dict[str, Json] = {
    "a text": {"rule": "one_script", "value": "/body/long"},
    "two texts": {"rule": "not_before", "earlier": "/body/long", "later": "/body/long"},
    "a beginning": {"rule": "starts_with", "value": "", "with": "/body/long", "join": "x"},
    "a list as one value": {"rule": "listed", "value": "/body/many", "list": "/body/lists"},
    "a field beside": {"rule": "unique", "by": ["", "/body/long"]},
}


@pytest.mark.parametrize("case", READ_AGAIN)
def test_one_long_value_is_not_read_again_at_every_place(case: str) -> None:
    count = {"type": "integer", "minimum": 0, "maximum": 9}
    many = {"type": "array", "maxItems": 10_000, "items": count}
    fields = {
        "a": {"type": "array", "maxItems": 2_000, "items": count},
        "long": {"type": "string", "maxLength": 30_000},
        "many": many,
        "lists": {"type": "array", "maxItems": 2, "items": many},
    }
    rule = READ_AGAIN[case] | {"each": "/body/a/*"}
    assert bundle_refusal(hostile(closed(fields), {}, [rule])).code == "schema_rules"
    fields["long"]["maxLength"] = many["maxItems"] = 50
    assert opened(source(body=closed(fields), defs={}, rules=[rule]))


MALFORMED: dict[str, Json] = {
    "many factors": {"rule": "product", "value": "/body/x", "of": ["/body/x"] * 33, "places": 2},
    "one field many times": {"rule": "unique", "each": "/body/l/*", "by": [""] * 33},
    "numbers in a table": {
        "rule": "unit_agreement",
        "value": "/body/x",
        "by": "/body/x",
        "table": {"a": [1]},
    },
    "no list in a table": {
        "rule": "unit_agreement",
        "value": "/body/x",
        "by": "/body/x",
        "table": {"a": 1},
    },
}


@pytest.mark.parametrize("case", MALFORMED)
def test_rules_that_no_content_could_be_checked_with(case: str) -> None:
    items = {"type": "string", "maxLength": 20}
    fields = {"x": items, "l": {"type": "array", "maxItems": 9, "items": items}}
    refused = bundle_refusal(hostile(closed(fields), {}, [MALFORMED[case]]))
    assert refused.code == "rule_malformed"
