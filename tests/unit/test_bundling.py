"""Bundling: shared types, code lists and rules end up whole in one map."""

from __future__ import annotations

from typing import Any

import pytest
from saphan_schemas import bodies
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.bundling import make_bundle, placed, shared_places, with_codes
from saphan_schemas.codec import encode_content
from saphan_schemas.codes import codes
from saphan_schemas.errors import InvalidInput
from saphan_schemas.samples import sample
from support.contents import FACTS

NAME = "saphan/drug_seizure/1"


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def listed(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": 3}


def test_a_shared_types_rules_stand_once_for_every_place() -> None:
    defs = {
        "about": closed(who=ref("person")),
        "person": closed(papers=listed(ref("paper"))),
        "paper": closed(a={"type": "boolean"}),
        "unused": closed(),
    }
    rules = {
        "person": [{"rule": "declared", "flag": "/about/x"}],
        "paper": [{"rule": "unique", "each": "forms/*"}],
    }
    own = [{"rule": "unique", "each": "/body/all/*"}]
    body = closed(one=ref("person"), all=listed(closed(who=ref("person"))))
    bundle = make_bundle(NAME, body, own, defs, rules)
    assert set(bundle["schema"]["$defs"]) == {"about", "person", "paper"}
    people = ("/about/who", "/body/one", "/body/all/*/who")
    assert [rule["each"] for rule in bundle["rules"]] == [
        *(each for place in people for each in (place, f"{place}/papers/*/forms/*")),
        "/body/all/*",
    ]
    assert bundle["rules"][0]["flag"] == "/about/x"


def test_a_rule_without_places_of_its_own_stands_at_the_shared_types_place() -> None:
    assert placed({"rule": "x"}, "/body/a") == {"rule": "x", "each": "/body/a"}
    assert placed({"rule": "x", "each": "b/*"}, "/body/a/*")["each"] == "/body/a/*/b/*"


def test_places_behind_alternatives_and_conditions_are_found_once() -> None:
    schema = closed(a={"anyOf": [ref("t"), ref("t")]}, b={"if": ref("t"), "then": ref("t")})
    schema["$defs"] = {"t": closed()}
    assert shared_places(schema) == [("/a", "t"), ("/b", "t")]


def test_a_type_that_contains_itself_is_a_bug() -> None:
    schema = closed(a=ref("t"))
    schema["$defs"] = {"t": closed(again=ref("t"))}
    with pytest.raises(RuntimeError, match="t contains itself"):
        shared_places(schema)


def test_code_lists_become_enumerations_in_their_order() -> None:
    assert with_codes({"$codes": "pap"}) == {"enum": list(codes("pap"))}
    only = {"$codes": "role", "only": ["witness", "victim"]}
    assert with_codes([only]) == [{"enum": ["victim", "witness"]}]
    with pytest.raises(KeyError):
        with_codes({"$codes": "role", "only": ["spy"]})
    with pytest.raises(KeyError):
        with_codes({"$codes": "no_such_list"})


@pytest.mark.parametrize("name", bodies.NAMES)
def test_no_bundle_holds_words_or_source_keywords(name: str) -> None:
    open_nodes: list[Any] = [bodies.bundle(name)["schema"]]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, list):
            open_nodes += node
        elif isinstance(node, dict):
            assert not {"$codes", "only"} & node.keys()
            assert not isinstance(node.get("title"), str)
            assert not isinstance(node.get("description"), str)
            open_nodes += node.values()


def test_every_type_reaches_the_names_that_its_shared_files_have() -> None:
    types, rules = bodies.shared_types()
    assert rules.keys() <= types.keys()
    used = {key for name in bodies.NAMES for key in bodies.bundle(name)["schema"]["$defs"]}
    assert types.keys() == used


def test_an_own_type_is_checked_like_ours() -> None:
    data = bodies.bundle_bytes(NAME)
    types = BUILT_IN.with_own("la.ospp/field_report/1", data)
    own = types.get("la.ospp/field_report/1")
    assert own.digest == bodies.digest(NAME)
    assert own.name in types
    assert own.name not in BUILT_IN
    assert [one.name for one in types] == sorted((*bodies.NAMES, own.name))
    content = sample("drug_seizure")
    own.check(content, FACTS)
    content["body"]["substances"][0]["amount"] = "-1"
    with pytest.raises(InvalidInput) as refused:
        own.check(content, FACTS)
    assert refused.value.field == "/body/substances/0/amount"
    with pytest.raises(ValueError, match="own comes with the package"):
        BUILT_IN.with_own("saphan/x/1", data)


@pytest.mark.parametrize(
    ("bundle", "code"),
    (
        ({"schema": {}}, "schema_malformed"),
        ({"schema": {"type": "no such type"}, "rules": []}, "schema_malformed"),
        ({"schema": {"$ref": "https://example.org/x"}, "rules": []}, "schema_malformed"),
        ({"schema": {}, "rules": [{"rule": "new"}]}, "rule_malformed"),
    ),
)
def test_a_bundle_that_cannot_be_used_is_refused_not_skipped(
    bundle: dict[str, Any], code: str
) -> None:
    own = BUILT_IN.with_own("la.ospp/x/1", encode_content(bundle)).get("la.ospp/x/1")
    with pytest.raises(InvalidInput) as refused:
        own.check({"about": {}, "attachments": [], "body": {}}, FACTS)
    assert refused.value.code == code
