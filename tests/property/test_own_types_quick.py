"""Any type within the profile: what is quick decides as what is published, and nothing crashes."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from saphan_schemas.body_types import BodyType
from saphan_schemas.codec import encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.profile import open_bundle
from saphan_schemas.rules import RuleSet
from saphan_schemas.samples import sample
from saphan_schemas.schema_check import compile_schema, is_valid
from saphan_schemas.text import check_texts
from support.contents import FACTS
from support.rooms import ROOT
from support.sources import NAME, Json, made, source

sys.path.insert(0, str(ROOT / "tests/vectors/second"))
from mp import Refuse
from rules import check_rules
from schema import check_schema
from text import check_text

WORDS = ("a", "b", "ກ", "a\u202eb", "", "ab", "2025-10-14", "x\ny", "1.5", "-")
PATTERNS = (
    "^[ab]{1,3}$",
    r"^[^\x00-\x1f\x7f]+$",
    "^[ກ-ໝ]{1,9}$",
    "^(a|b)?$",
    r"^[^a]{0,9}$",
    "^[^\\x00-\ufffd]+$",
    r"^[\u0000-\uffff]{1,9}$",
)
DEFS: Json = {
    "brief": {"type": "string", "maxLength": 2},
    "flag": {"type": "boolean"},
    "word": {"enum": ["a", "b", "ກ"]},
}
PLACES = ("/body", "/body/x", "/body/list/*", "/body/map", "/about")
PATHS = ("x", "y", "list", "map/x", "/body/x", "/header/urgency", "map")


def texts() -> st.SearchStrategy[Json]:
    extra = {
        "pattern": st.sampled_from(PATTERNS),
        "format": st.sampled_from(("date", "date-time")),
        "minLength": st.integers(0, 2),
        "allOf": st.lists(conditions(), min_size=1, max_size=2),
        "if": conditions(),
        "then": conditions(),
    }
    needed = {"type": st.just("string"), "maxLength": st.integers(0, 12)}
    return st.fixed_dictionaries(needed, optional=extra)


def conditions() -> st.SearchStrategy[Any]:
    """What only narrows a value, of any type."""
    return st.one_of(
        st.booleans(),
        st.sampled_from(sorted(DEFS)).map(lambda name: {"$ref": f"#/$defs/{name}"}),
        st.sampled_from(WORDS[:3]).map(lambda word: {"const": word}),
        st.integers(0, 3).map(lambda n: {"minLength": n}),
        st.just({"properties": {"x": {"$ref": "#/$defs/flag"}}, "required": ["x"]}),
        st.just({"not": {"const": "a"}}),
    )


def leaves() -> st.SearchStrategy[Json]:
    codes = st.lists(st.sampled_from((*WORDS[:3], 1, True)), min_size=1, max_size=3)
    return st.one_of(
        texts(),
        codes.map(lambda found: {"enum": list({(type(c), c): c for c in found}.values())}),
        st.sampled_from(sorted(DEFS)).map(lambda name: {"$ref": f"#/$defs/{name}"}),
        st.just({"type": "integer", "minimum": 0, "maximum": 3}),
        conditions().map(lambda one: {"allOf": [{"$ref": "#/$defs/brief"}, one]}),
    )


def bodies() -> st.SearchStrategy[Json]:
    """Schemas of a body with a field of each sort."""

    def built(parts: tuple[Json, Json, Json, Json, bool]) -> Json:
        x, y, item, inner, by_name = parts
        named: Json = {"properties": {"x": inner}}
        if by_name:
            named = {"patternProperties": {"^[x-z]$": inner}, "maxProperties": 2}
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "x": x,
                "y": y,
                "list": {"type": "array", "maxItems": 3, "items": item},
                "map": {"type": "object", "additionalProperties": False} | named,
            },
        }

    return st.tuples(leaves(), leaves(), leaves(), leaves(), st.booleans()).map(built)


def rules() -> st.SearchStrategy[Json]:
    path, paths = st.sampled_from(PATHS), st.lists(st.sampled_from(PATHS), min_size=1, max_size=2)
    words = st.lists(st.sampled_from((*WORDS[:3], 1, True, "routine")), min_size=1, max_size=2)
    each = {"each": st.sampled_from(PLACES)}
    when = {"when": path, "is": words}

    def kind(name: str, **needs: Any) -> st.SearchStrategy[Json]:
        given_ = {"rule": st.just(name), **each, **needs}
        return st.one_of(st.fixed_dictionaries(given_), st.fixed_dictionaries({**given_, **when}))

    return st.one_of(
        kind("at_most", value=path, limit=path),
        kind("not_before", earlier=path, later=path),
        kind("must_be", value=path, be=words),
        kind("given_when", given=paths),
        kind("absent_when", absent=paths),
        kind("one_of_given", of=paths),
        kind("starts_with", value=path, **{"with": path}),
        kind("listed", list=path),
        kind("unique", each=st.just("/body/list/*")),
        kind("refers", value=path, into=st.just("/body/list")),
        kind("has_key", map=path, key=path),
    )


def values() -> st.SearchStrategy[Any]:
    scalars = st.sampled_from((*WORDS, 0, 1, 2, True, False))
    return (
        scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.sampled_from("xyz"), scalars)
    )


def contents() -> st.SearchStrategy[Json]:
    scalars = st.sampled_from((*WORDS, 0, 1, 2, True, False))
    fields = {
        "x": scalars,
        "y": scalars,
        "list": st.lists(scalars, max_size=3) | values(),
        "map": st.dictionaries(st.sampled_from("xyz"), scalars, max_size=2) | values(),
    }
    return st.fixed_dictionaries({}, optional=fields)


def published(bundle: Json, content: Json) -> bool:
    """The verdict by the steps of content.md, with nothing that is quick."""
    try:
        check_texts(content)
    except InvalidInput:
        return False
    if not is_valid(compile_schema(bundle["schema"]), content):
        return False
    return RuleSet(bundle["rules"]).first_broken({**content, "header": FACTS}) is None


def by_the_pages(bundle: Json, content: Json) -> str:
    """The verdict of the second reader."""
    try:
        check_text(content)
        check_schema(bundle["schema"], content)
        check_rules(bundle["rules"], content, FACTS)
    except Refuse as refused:
        return refused.code
    return "valid"


def verdict(kind: BodyType, content: Json) -> str:
    try:
        kind.check(content, FACTS)
    except InvalidInput as error:
        return error.code
    return "valid"


def all_used(body: Json) -> Json:
    """The body with every definition in use: an idle one is refused."""
    for name in DEFS:
        body["properties"][f"uses_{name}"] = {"$ref": f"#/$defs/{name}"}
    return body


def test_a_text_of_none_of_our_scripts_is_judged_by_the_published_schema() -> None:
    field = {"type": "string", "maxLength": 9, "pattern": "^[^\\x00-\ufffd]+$"}
    body = {"type": "object", "additionalProperties": False, "properties": {"x": field}}
    bundle = made(source(body=body, defs={}, rules=[]))
    for text, code in (("\U0001f600", "valid"), ("a", "schema_invalid")):
        about = sample("training_notice")["about"]
        content = {"about": about, "attachments": [], "body": {"x": text}}
        assert verdict(BodyType(NAME, lambda: bundle), content) == code
        assert by_the_pages(open_bundle(NAME, bundle), content) == code


def test_two_bars_in_a_class_are_two_bars() -> None:
    field = {"type": "string", "maxLength": 9, "pattern": "^[^a||b]+$"}
    body = {"type": "object", "additionalProperties": False, "properties": {"x": field}}
    bundle = made(source(body=body, defs={}, rules=[]))
    for text, code in (("c", "valid"), ("|", "schema_invalid"), ("b", "schema_invalid")):
        about = sample("training_notice")["about"]
        content = {"about": about, "attachments": [], "body": {"x": text}}
        assert verdict(BodyType(NAME, lambda: bundle), content) == code


@given(bodies(), st.lists(rules(), max_size=3), st.lists(contents(), min_size=6, max_size=6))
def test_both_ways_give_one_verdict(body: Json, listed: list[Json], found: list[Json]) -> None:
    bundle = made(source(body=all_used(body), defs=DEFS, rules=[]))
    opened = open_bundle(NAME, bundle)
    # Rules of this test look for fields that not every body has, as those of shared types do.
    opened["rules"] += listed
    kind = BodyType(NAME, lambda: encode_content(opened))
    for one in found:
        content = {"about": sample("training_notice")["about"], "attachments": [], "body": one}
        code = verdict(kind, content)
        event(code)
        assert (code == "valid") == published(opened, content)
        assert code == by_the_pages(opened, content)
        assert code in ("valid", "text_forbidden", "schema_invalid", "rule_broken")
