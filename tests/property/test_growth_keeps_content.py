"""Whatever growth lets pass takes all that was taken: any edits, any content of the old version."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st
from saphan_schemas import bodies
from saphan_schemas.body_types import BodyType
from saphan_schemas.codec import encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.growth import check_growth
from saphan_schemas.samples import SAMPLES, sample, schema_of
from support.contents import FACTS
from support.sources import NAME, Json, opened, source

EDITS = ("drop", "bound", "code", "demand", "field", "condition", "retype", "pattern")
BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


def old_source() -> Json:
    """A small type with a keyword of every sort, and few enough values that chance meets them."""
    value = source(defs={}, rules=[{"rule": "unique", "each": "/body/list/*"}])
    value["body"] = {
        "type": "object",
        "required": ["word"],
        "additionalProperties": False,
        "properties": {
            "word": {"enum": ["a", "b"]},
            "count": {"type": "integer", "minimum": 0, "maximum": 2},
            "text": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^[ab]{1,3}$"},
            "list": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"enum": ["a", "b"]}},
            "map": {
                "type": "object",
                "additionalProperties": False,
                "required": ["x"],
                "properties": {"x": {"type": "boolean"}, "y": {"type": "boolean"}},
                "dependentRequired": {"y": ["x"]},
            },
        },
        "allOf": [{"if": {"properties": {"word": {"const": "a"}}}, "then": {"required": ["text"]}}],
    }
    return value


def contents() -> st.SearchStrategy[Json]:
    """Bodies of which many are valid under the old version."""
    flags = st.fixed_dictionaries({"x": st.booleans()}, optional={"y": st.booleans()})
    return st.fixed_dictionaries(
        {"word": st.sampled_from("ab")},
        optional={
            "count": st.integers(0, 2),
            "text": st.text("ab", min_size=1, max_size=3),
            "list": st.lists(st.sampled_from("ab"), min_size=1, max_size=2, unique=True),
            "map": flags,
        },
    )


def nodes(schema: Any) -> list[Json]:
    """Every schema inside a schema, itself first."""
    if not isinstance(schema, dict):
        return []
    inner = [*schema.get("properties", {}).values(), schema.get("items")]
    return [schema, *(found for node in inner for found in nodes(node))]


def edit(draw: st.DrawFn, schema: Json) -> None:
    """One change somewhere, of which about half can be grown into."""
    node = draw(st.sampled_from(nodes(schema)))
    bounds = [keyword for keyword in BOUNDS if keyword in node]
    match draw(st.sampled_from(EDITS)):
        case "drop":
            free = [*bounds, *(node.keys() & {"pattern", "allOf", "dependentRequired"})]
            if free:
                node.pop(draw(st.sampled_from(sorted(free))))
        case "bound" if bounds:
            node[draw(st.sampled_from(bounds))] = draw(st.integers(0, 4))
        case "code" if "enum" in node:
            node["enum"] = draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))
        case "demand" if "properties" in node and "type" in node:
            names = sorted(node["properties"])
            node["required"] = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
        case "field" if "type" in node and "properties" in node:
            node["properties"][draw(st.sampled_from("xyz"))] = {"type": "boolean"}
        case "condition" if "properties" in node:
            node.setdefault("allOf", []).append({"maxProperties": draw(st.integers(1, 4))})
        case "retype" if "type" in node:
            node["type"] = draw(st.sampled_from(("boolean", "string", "array")))
        case "pattern" if "pattern" in node:
            node["pattern"] = draw(st.sampled_from(("^[ab]{1,3}$", "^[a-c]{1,3}$", "^a{1,3}$")))


@st.composite
def edited(draw: st.DrawFn) -> Json:
    value = copy.deepcopy(old_source())
    for _ in range(draw(st.integers(1, 2))):
        edit(draw, value["body"])
    if draw(st.booleans()):
        value["rules"] = draw(
            st.sampled_from(
                (
                    [],
                    [{"rule": "must_be", "each": "/body", "value": "word", "be": ["a"]}],
                    [{"rule": "unique", "each": "/body/list/*"}],
                )
            )
        )
    return value


def takes(bundle: Json, body: Json) -> bool:
    content = {"about": sample("training_notice")["about"], "attachments": [], "body": body}
    try:
        BodyType(NAME, lambda: encode_content(bundle)).check(content, FACTS)
    except InvalidInput:
        return False
    return True


OLD = opened(old_source())


@given(edited(), st.lists(contents(), min_size=8, max_size=8))
def test_what_grows_takes_all_that_was_taken(value: Json, bodies_: list[Json]) -> None:
    try:
        new = opened(value)
    except InvalidInput:
        assume(False)
    try:
        check_growth(OLD, new)
    except InvalidInput:
        event("refused")
        return
    event("grown")
    for body in bodies_:
        assert takes(new, body) or not takes(OLD, body)


def grown_bundle(bundle: Json) -> Json:
    """A bundle with everything widened that may be: fields, codes, bounds; no rules."""
    after = copy.deepcopy(bundle)
    after["rules"] = []
    for inner in nodes(after["schema"]["properties"]["body"]):
        for keyword in ("maxLength", "maxItems", "maximum"):
            if keyword in inner and "type" in inner:
                inner[keyword] += 1
        if "properties" in inner and "type" in inner:
            inner["properties"]["new_field"] = {"type": "boolean"}
        if "enum" in inner and inner.keys() == {"enum"}:
            inner["enum"].append("new_code")
    return after


def test_every_sample_stays_valid_when_its_type_grows() -> None:
    for name in SAMPLES:
        content = sample(name)
        before = bodies.bundle(schema_of(name))
        after = grown_bundle(before)
        check_growth(before, after)
        BodyType("x", partial(encode_content, after)).check(content, FACTS)
