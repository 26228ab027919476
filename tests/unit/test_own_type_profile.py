"""What an own type may be: each refusal has its code, and points at the place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from saphan_schemas import bodies
from saphan_schemas.body_types import BodyType
from saphan_schemas.codec import encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.own_types import bundle_source, split_name
from saphan_schemas.profile import common, measure, open_bundle
from saphan_schemas.profile_rules import check_rule_paths
from saphan_schemas.samples import sample
from support.contents import FACTS
from support.rooms import ROOT
from support.sources import (
    NAME,
    Json,
    bundle_refusal,
    made,
    opened,
    raw_bundle,
    source,
    source_refusal,
    with_field,
)

BODIES = ROOT / "schemas/saphan_schemas/bodies"


def test_a_good_source_makes_a_bundle_that_stands_alone() -> None:
    name, data = bundle_source(json.dumps(source()).encode())
    bundle = open_bundle(name, data)
    assert name == NAME
    assert bundle["schema"]["$defs"]["about"] == common()["schema"]["$defs"]["about"]
    assert bundle["rules"][-1] == source()["rules"][0]
    assert any(rule["each"] == "/body/period" for rule in bundle["rules"])
    assert "vessel" not in bundle["schema"]["$defs"]


def test_the_same_source_written_otherwise_is_the_same_bundle() -> None:
    turned = json.dumps(dict(reversed(source().items())), indent=4).encode()
    assert bundle_source(turned)[1] == made(source())


def test_code_lists_stand_in_the_bundle_as_plain_codes() -> None:
    bundle = opened(with_field({"$codes": "substance", "only": ["heroin", "opium"]}))
    extra = bundle["schema"]["properties"]["body"]["properties"]["extra"]
    assert sorted(extra["enum"]) == ["heroin", "opium"]


@pytest.mark.parametrize("name", bodies.NAMES)
def test_our_own_types_keep_what_we_ask_of_others(name: str) -> None:
    bundle = open_bundle(name, bodies.bundle_bytes(name))
    rules = BODIES / f"{name.split('/')[1]}.rules.json"
    check_rule_paths(json.loads(rules.read_bytes()), bundle["schema"])
    nodes, levels, meets = measure(bundle["schema"])
    assert nodes < LIMITS.schema_nodes / 4
    assert levels < LIMITS.schema_depth
    assert meets < LIMITS.schema_meets


def test_a_text_of_one_script_may_have_conditions_of_another_definition() -> None:
    text = {"type": "string", "maxLength": 9, "pattern": "^[ກ-ໝ]{1,9}$"}
    value = with_field(text | {"allOf": [{"$ref": "#/$defs/brief"}]})
    value["defs"]["brief"] = {"type": "string", "maxLength": 2}
    kind = BodyType(NAME, lambda: made(value))
    content = {"about": sample("training_notice")["about"], "attachments": []}
    body = {"patrols": 1, "remarks": {"lo": "ບໍ່ພົບ"}}
    kind.check(content | {"body": body | {"extra": "ກກ"}}, FACTS)
    with pytest.raises(InvalidInput, match="/body/extra is too long"):
        kind.check(content | {"body": body | {"extra": "ກກກ"}}, FACTS)


NAMES = (
    "saphan/drug_seizure/1",
    "la.ospp/field_report",
    "la.ospp/field_report/0",
    "la.ospp/field_report/01",
    "la.ospp/field_report/1000",
    "la.ospp/Field/1",
    "laospp/field_report/1",
    "la.ospp/field_report/1\n",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_none_of_an_agency_is_refused(name: str) -> None:
    assert source_refusal(source(name=name)).code == "schema_name"


def test_a_name_has_three_parts_and_a_version_before_it() -> None:
    assert split_name(NAME).before is None
    second = split_name("la.ospp/field_report/2")
    assert (second.agency, second.type, second.before) == ("la.ospp", "field_report", NAME)


def named_by(pattern: str) -> Json:
    """A map whose fields are named by a pattern."""
    return {
        "type": "object",
        "additionalProperties": False,
        "maxProperties": 3,
        "patternProperties": {pattern: {"type": "boolean"}},
    }


FIELDS: dict[str, tuple[Any, str]] = {
    "a keyword of nobody": ({"type": "boolean", "foo": 1}, "schema_keyword"),
    "a title": ({"type": "boolean", "title": "x"}, "schema_keyword"),
    "a dynamic reference": ({"$dynamicRef": "#x"}, "schema_keyword"),
    "an anchor": ({"type": "boolean", "$anchor": "x"}, "schema_keyword"),
    "an id of its own": ({"type": "boolean", "$id": "urn:x"}, "schema_keyword"),
    "a default": ({"type": "boolean", "default": True}, "schema_keyword"),
    "contains": ({"type": "array", "maxItems": 1, "contains": {}}, "schema_keyword"),
    "unevaluated": ({"type": "object", "unevaluatedProperties": False}, "schema_keyword"),
    "names by schema": ({"type": "object", "propertyNames": {}}, "schema_keyword"),
    "a number": ({"type": "number"}, "schema_keyword"),
    "nothing": ({"type": "null"}, "schema_keyword"),
    "several types": ({"type": ["string", "boolean"]}, "schema_keyword"),
    "a bound as text": ({"type": "string", "maxLength": "9"}, "schema_keyword"),
    "a bound that is true": ({"type": "string", "maxLength": True}, "schema_keyword"),
    "a bound below nothing": ({"type": "string", "maxLength": -1}, "schema_keyword"),
    "a bound past 2**53": ({"type": "integer", "minimum": 0, "maximum": 2**53}, "schema_keyword"),
    "another format": ({"type": "string", "maxLength": 9, "format": "email"}, "schema_keyword"),
    "no codes": ({"enum": []}, "schema_keyword"),
    "a code twice": ({"enum": ["a", "a"]}, "schema_keyword"),
    "a code that is a map": ({"enum": [{}]}, "schema_keyword"),
    "a code of two lines": ({"enum": ["a\n  words: all good"]}, "schema_keyword"),
    "a constant of two lines": ({"const": "a\nb"}, "schema_keyword"),
    "an empty code": ({"enum": [""]}, "schema_keyword"),
    "a code of 201 characters": ({"enum": ["a" * 201]}, "schema_keyword"),
    "a schema that is a list": ({"not": []}, "schema_keyword"),
    "a field that is no schema": (True, "schema_keyword"),
    "tuples": ({"type": "array", "maxItems": 2, "items": [{}]}, "schema_keyword"),
    "33 alternatives": ({"type": "boolean", "anyOf": [{}] * 33}, "schema_keyword"),
    "beside a reference": ({"$ref": "#/$defs/way", "type": "string"}, "schema_keyword"),
    "a remote reference": ({"$ref": "https://example.org/x.json"}, "schema_reference_remote"),
    "a file": ({"$ref": "file:///etc/passwd"}, "schema_reference_remote"),
    "a path inside": ({"$ref": "#/properties/body"}, "schema_reference_remote"),
    "deep inside": ({"$ref": "#/$defs/way/enum"}, "schema_reference_remote"),
    "the root": ({"$ref": "#"}, "schema_reference_remote"),
    "nobody's definition": ({"$ref": "#/$defs/nobody"}, "schema_reference_missing"),
    "no type": ({}, "schema_untyped"),
    "items of no type": ({"type": "array", "maxItems": 2}, "schema_untyped"),
    "an alternative alone": ({"anyOf": [{"type": "boolean"}]}, "schema_untyped"),
    "an open map": ({"type": "object"}, "schema_open"),
    "more fields": ({"type": "object", "additionalProperties": True}, "schema_keyword"),
    "any text": ({"type": "string"}, "schema_unbounded"),
    "endless text": ({"type": "string", "maxLength": 65_537}, "schema_unbounded"),
    "any list": ({"type": "array", "items": {"type": "boolean"}}, "schema_unbounded"),
    "any count": ({"type": "integer", "minimum": 0}, "schema_unbounded"),
    "any name": (
        {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {"^[a-z]{2}$": {"type": "boolean"}},
        },
        "schema_unbounded",
    ),
    "a missing field": (
        {"type": "object", "additionalProperties": False, "required": ["x"]},
        "schema_required",
    ),
    "a missing partner": (
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"a": {"type": "boolean"}},
            "dependentRequired": {"a": ["b"]},
        },
        "schema_required",
    ),
    "a field in capitals": (
        {"type": "object", "additionalProperties": False, "properties": {"A": {}}},
        "schema_property",
    ),
    "a field of a prototype": (
        {"type": "object", "additionalProperties": False, "properties": {"__proto__": {}}},
        "schema_property",
    ),
    "names in any script": (named_by("^[ກ-ໝ]{1,9}$"), "schema_property"),
    "names of anything but one": (named_by("^[^a]{1,9}$"), "schema_property"),
    "names by number": (named_by(r"^[\x00-\x7f]{1,9}$"), "schema_property"),
    "too many codes": ({"enum": [f"c{n}" for n in range(1025)]}, "schema_codes"),
    "a pattern without end": (
        {"type": "string", "maxLength": 9, "pattern": "^(a+)+$"},
        "schema_pattern_nested",
    ),
    "a list of no codes": ({"$codes": "no_such_list"}, "schema_code_list"),
    "a code of another list": ({"$codes": "substance", "only": ["gold"]}, "schema_code_list"),
}


@pytest.mark.parametrize("case", FIELDS)
def test_each_refusal_has_its_code(case: str) -> None:
    schema, code = FIELDS[case]
    error = source_refusal(with_field(schema))
    assert (error.code, error.hint is None) == (code, False)
    assert error.field is not None
    assert error.field.startswith("/body/properties/extra")


def test_a_bidi_control_in_a_code_is_refused() -> None:
    assert source_refusal(with_field({"enum": ["a\u202e"]})).code == "text_forbidden"


@pytest.mark.parametrize("case", ("anyOf", "oneOf", "not", "if", "allOf"))
def test_what_only_sets_conditions_need_not_describe(case: str) -> None:
    part: Json = {"properties": {"what": {"const": "person"}}, "required": ["what"]}
    value = [part] if case.endswith("Of") else part
    made_of = source()
    made_of["body"]["properties"]["seen"]["items"][case] = value
    assert opened(made_of)["schema"]["properties"]["body"]["properties"]["seen"]["items"][case]


SOURCES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "schema_source"),
    "a list": (b"[]", "schema_source"),
    "an unknown part": (b'{"name": "la.ospp/a/1", "body": {}, "more": 1}', "schema_source"),
    "a part twice": (b'{"name": "la.ospp/a/1", "body": {}, "body": {}}', "schema_source"),
    "no body": (b'{"name": "la.ospp/a/1"}', "schema_source"),
    "Latin-1": (b'{"name": "\xe9"}', "schema_source"),
    "too long": (b" " * (LIMITS.schema_bytes + 1), "too_large"),
    "nested fifty thousand deep": (
        b'{"name": "la.ospp/a/1", "body": ' + b'{"not":' * 50_000 + b"{}" + b"}" * 50_001,
        "schema_source",
    ),
    "nested a hundred deep": (
        b'{"name": "la.ospp/a/1", "body": ' + b'{"not":' * 100 + b"{}" + b"}" * 101,
        "schema_deep",
    ),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_source_that_is_none(case: str) -> None:
    data, code = SOURCES[case]
    assert source_refusal(data).code == code


def test_a_float_in_a_source_is_refused() -> None:
    value = with_field({"type": "integer", "minimum": 0.5, "maximum": 2})
    assert source_refusal(value).code == "schema_keyword"


def test_a_definition_may_not_take_the_name_of_a_shared_type_or_be_idle() -> None:
    taken = source(defs={"way": {"type": "boolean"}, "person": {"type": "boolean"}})
    assert source_refusal(taken).code == "schema_definition"
    idle = source(defs={"way": {"type": "boolean"}, "idle": {"type": "boolean"}})
    error = source_refusal(idle)
    assert (error.code, error.field) == ("schema_definition", "/defs/idle")


RULES: dict[str, tuple[Json, str]] = {
    "an unknown kind": ({"rule": "run", "each": "/body"}, "rule_malformed"),
    "a parameter too many": (
        {"rule": "unique", "each": "/body/seen/*", "code": "import os"},
        "rule_malformed",
    ),
    "a misspelt place": ({"rule": "unique", "each": "/body/sean/*"}, "schema_rule_path"),
    "a misspelt field": (
        {"rule": "at_most", "each": "/body/seen/*", "value": "count", "limit": "cuont"},
        "schema_rule_path",
    ),
}


@pytest.mark.parametrize("case", RULES)
def test_a_rule_that_cannot_work_is_refused_where_it_is_written(case: str) -> None:
    rule, code = RULES[case]
    error = source_refusal(source(rules=[rule]))
    assert error.code == code
    assert error.field is not None
    assert error.field.startswith("/rules/0/")


# --- bundles that no tool of ours has made --------------------------------------------------------


def test_a_bundle_is_held_to_its_name() -> None:
    with pytest.raises(InvalidInput) as refused:
        open_bundle("la.ospp/other_report/1", made(source()))
    assert (refused.value.code, refused.value.field) == ("schema_frame", "/schema/$id")


def test_bytes_that_are_no_bundle() -> None:
    for data, code in (
        (b"", "malformed"),
        (encode_content({}), "schema_frame"),
        (encode_content({"rules": [], "schema": []}), "schema_frame"),
        (made(source()) + b"\0", "malformed"),
        (b"\0" * (LIMITS.schema_bytes + 1), "too_large"),
    ):
        with pytest.raises(InvalidInput) as refused:
            open_bundle(NAME, data)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("$schema", "http://json-schema.org/draft-07/schema#"),
        ("additionalProperties", True),
        ("additionalProperties", 0),
        ("required", ["body"]),
        ("type", "array"),
        ("properties", []),
        ("$defs", []),
    ],
)
def test_the_frame_of_all_types_cannot_be_bent(keyword: str, value: Any) -> None:
    bundle = raw_bundle()
    bundle["schema"][keyword] = value
    assert bundle_refusal(bundle).code == "schema_frame"


def test_attachments_are_described_as_always() -> None:
    bundle = raw_bundle()
    bundle["schema"]["properties"]["attachments"]["maxItems"] = 33
    assert bundle_refusal(bundle).code == "schema_frame"


@pytest.mark.parametrize("name", ("about", "grading", "line", "date"))
def test_the_common_fields_mean_what_they_always_mean(name: str) -> None:
    bundle = raw_bundle()
    bundle["schema"]["$defs"][name] = {"type": "boolean"}
    assert bundle_refusal(bundle).code == "schema_about"
    del bundle["schema"]["$defs"][name]
    assert bundle_refusal(bundle).code == "schema_about"


def test_rules_that_are_none() -> None:
    wrong: tuple[Any, ...] = ({}, [1], [{}] * (LIMITS.schema_rules + 1))
    for value in wrong:
        assert bundle_refusal(raw_bundle() | {"rules": value}).code == "schema_rules"
    assert bundle_refusal(raw_bundle() | {"rules": [{}]}).code == "rule_malformed"
