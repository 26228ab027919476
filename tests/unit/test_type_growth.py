"""What the next version of a type may change, case by case: rules G1 to G9 of types.md."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from saphan_schemas.errors import InvalidInput
from saphan_schemas.growth import check_growth
from support.sources import Json, opened, source

Edit = Callable[[Json], Any]
TEXT: Json = {"type": "string", "maxLength": 20}


def fields(value: Json) -> Json:
    """The fields of a source's body."""
    return value["body"]["properties"]  # type: ignore[no-any-return]


def first() -> Json:
    """A source that uses every keyword that growth looks at."""
    value = source()
    value["body"]["dependentRequired"] = {"way": ["seen"]}
    value["body"]["allOf"] = [
        {"if": {"properties": {"patrols": {"const": 0}}}, "then": {"required": ["way"]}}
    ]
    fields(value)["seen"] |= {"minItems": 1, "uniqueItems": True}
    fields(value)["by_day"] = {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 7,
        "patternProperties": {"^day_[1-7]$": {"type": "integer", "minimum": 0, "maximum": 9}},
    }
    area = {"name": TEXT, "code": TEXT}
    fields(value)["area"] = {
        "allOf": [{"type": "object", "additionalProperties": False, "properties": area}]
    }
    fields(value)["note"] = {"type": "string", "minLength": 2, "maxLength": 20, "format": "date"}
    value["rules"].append(
        {"rule": "one_of_given", "each": "/body", "of": ["seen", "note"], "least": 1}
    )
    return value


def grown(edit: Edit) -> None:
    """Refuse the source with an edit as the next version of the one without."""
    after = copy.deepcopy(first())
    edit(after)
    after["name"] = "la.ospp/field_report/2"
    check_growth(opened(first()), opened(after))


def items(value: Json) -> Json:
    return fields(value)["seen"]["items"]  # type: ignore[no-any-return]


FINE: dict[str, Edit] = {
    "nothing": lambda v: None,
    "an optional field": lambda v: fields(v).update(more=TEXT),
    "an optional field inside": lambda v: items(v)["properties"].update(more=TEXT),
    "a field no longer demanded": lambda v: v["body"].update(required=["remarks"]),
    "a code more": lambda v: v["defs"]["way"]["enum"].insert(1, "rail"),
    "codes in another order": lambda v: v["defs"]["way"]["enum"].reverse(),
    "a higher count": lambda v: fields(v)["patrols"].update(maximum=5000),
    "a lower count": lambda v: fields(v)["patrols"].update(minimum=-1),
    "a longer text": lambda v: fields(v)["note"].update(maxLength=21),
    "a shorter text": lambda v: fields(v)["note"].update(minLength=1),
    "a longer list": lambda v: fields(v)["seen"].update(maxItems=21),
    "an empty list": lambda v: fields(v)["seen"].pop("minItems"),
    "doubles": lambda v: fields(v)["seen"].pop("uniqueItems"),
    "more names": lambda v: fields(v)["by_day"].update(maxProperties=8),
    "no names": lambda v: fields(v)["by_day"].pop("minProperties"),
    "no pattern": lambda v: fields(v)["call_sign"].pop("pattern"),
    "no format": lambda v: fields(v)["note"].pop("format"),
    "no condition": lambda v: v["body"].pop("allOf"),
    "no dependence": lambda v: v["body"].pop("dependentRequired"),
    "a dependence of a new field": lambda v: (
        fields(v).update(more=TEXT),
        v["body"]["dependentRequired"].update(more=["way"]),
    ),
    "no rule": lambda v: v.update(rules=[]),
    "rules in another order": lambda v: v["rules"].reverse(),
    "a rule about a new field": lambda v: (
        fields(v).update(more={"type": "array", "maxItems": 3, "items": TEXT}),
        v["rules"].append({"rule": "unique", "each": "/body/more/*"}),
    ),
    "the same under another definition": lambda v: (
        v["defs"].update(route=v["defs"].pop("way")),
        fields(v)["way"].update({"$ref": "#/$defs/route"}),
    ),
    "written out": lambda v: (
        fields(v).update(way=v["defs"].pop("way")),
        v.update(defs={}),
    ),
}

REFUSED: dict[str, tuple[Edit, str]] = {
    "a field gone": (lambda v: fields(v).pop("call_sign"), "body/properties/call_sign"),
    "a field gone inside": (
        lambda v: (items(v)["properties"].pop("count"), items(v).update(required=["what"])),
        "body/properties/seen/items/properties/count",
    ),
    "a field demanded": (
        lambda v: v["body"]["required"].append("call_sign"),
        "body/required",
    ),
    "a new field demanded": (
        lambda v: (fields(v).update(more=TEXT), v["body"]["required"].append("more")),
        "body/required",
    ),
    "another type": (
        lambda v: fields(v).update(call_sign={"type": "boolean"}),
        "body/properties/call_sign/type",
    ),
    "a code less": (lambda v: v["defs"]["way"]["enum"].pop(), "body/properties/way/enum"),
    "any text for codes": (
        lambda v: (v.update(defs={}), fields(v).update(way=TEXT)),
        "body/properties/way",
    ),
    "codes for any text": (
        lambda v: fields(v).update(call_sign={"enum": ["a"]}),
        "body/properties/call_sign",
    ),
    "a lower maximum": (
        lambda v: fields(v)["patrols"].update(maximum=999),
        "body/properties/patrols/maximum",
    ),
    "a higher minimum": (
        lambda v: fields(v)["patrols"].update(minimum=1),
        "body/properties/patrols/minimum",
    ),
    "a shorter text": (
        lambda v: fields(v)["note"].update(maxLength=19),
        "body/properties/note/maxLength",
    ),
    "a text that was empty": (
        lambda v: fields(v)["call_sign"].update(minLength=1),
        "body/properties/call_sign/minLength",
    ),
    "a shorter list": (
        lambda v: fields(v)["seen"].update(maxItems=19),
        "body/properties/seen/maxItems",
    ),
    "more entries demanded": (
        lambda v: fields(v)["seen"].update(minItems=2),
        "body/properties/seen/minItems",
    ),
    "fewer names": (
        lambda v: fields(v)["by_day"].update(maxProperties=6),
        "body/properties/by_day/maxProperties",
    ),
    "another pattern": (
        lambda v: fields(v)["call_sign"].update(pattern="^[A-Z]{2}-[0-9]$"),
        "body/properties/call_sign/pattern",
    ),
    "another pattern of names": (
        lambda v: fields(v)["by_day"].update(
            patternProperties={"^day_[1-9]$": {"type": "boolean"}}
        ),
        "body/properties/by_day/patternProperties",
    ),
    "a narrower named field": (
        lambda v: fields(v)["by_day"]["patternProperties"]["^day_[1-7]$"].update(maximum=8),
        "body/properties/by_day/patternProperties/^day_[1-7]$/maximum",
    ),
    "a field that a pattern named": (
        lambda v: fields(v)["by_day"].update(properties={"day_1": {"type": "boolean"}}),
        "body/properties/by_day/properties/day_1",
    ),
    "a dependence more": (
        lambda v: v["body"]["dependentRequired"].update(way=["seen", "note"]),
        "body/dependentRequired/way",
    ),
    "a dependence of an old field": (
        lambda v: v["body"]["dependentRequired"].update(note=["way"]),
        "body/dependentRequired/note",
    ),
    "one code for several": (
        lambda v: v["defs"]["way"].update(const="river"),
        "body/properties/way/enum",
    ),
    "narrower, by the first of allOf": (
        lambda v: fields(v).update(
            call_sign={"allOf": [fields(v)["call_sign"] | {"maxLength": 11}]}
        ),
        "body/properties/call_sign/allOf/0/maxLength",
    ),
    "an old field said again beside allOf": (
        lambda v: fields(v)["area"].update(properties={"name": TEXT | {"maxLength": 1}}),
        "body/properties/area/properties/name",
    ),
    "a dependence beside allOf": (
        lambda v: fields(v)["area"].update(dependentRequired={"name": ["code"]}),
        "body/properties/area/dependentRequired/name",
    ),
    "a new condition": (
        lambda v: v["body"]["allOf"].append({"required": ["seen"]}),
        "body",
    ),
    "a condition of another kind": (
        lambda v: v["body"].update({"not": {"required": ["note"]}}),
        "body",
    ),
    "a changed condition": (
        lambda v: v["body"]["allOf"][0]["then"].update(required=["way", "note"]),
        "body",
    ),
}


@pytest.mark.parametrize("case", FINE)
def test_what_takes_all_that_was_taken_may_follow(case: str) -> None:
    grown(FINE[case])


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_refuse_something_has_its_place(case: str) -> None:
    edit, where = REFUSED[case]
    with pytest.raises(InvalidInput) as refused:
        grown(edit)
    assert refused.value.code == "schema_growth"
    assert refused.value.field == f"/schema/properties/{where}"


def test_a_new_rule_about_old_fields_is_refused() -> None:
    rule = {"rule": "at_most", "each": "/body", "value": "patrols", "limit": "patrols"}
    with pytest.raises(InvalidInput) as refused:
        grown(lambda v: v["rules"].append(rule))
    assert refused.value.code == "schema_growth"
    assert refused.value.field is not None
    assert refused.value.field.startswith("/rules/")


def test_a_new_rule_about_the_whole_content_is_refused() -> None:
    rule = {"rule": "must_be", "value": "/body/patrols", "be": [1]}
    with pytest.raises(InvalidInput, match="schema_growth"):
        grown(lambda v: v["rules"].append(rule))


def test_a_new_rule_about_a_field_that_a_pattern_names_is_refused() -> None:
    rule = {"rule": "must_be", "each": "/body/by_day/day_1", "value": "", "be": [0]}
    with pytest.raises(InvalidInput, match="schema_growth"):
        grown(lambda v: v["rules"].append(rule))


def test_a_changed_rule_is_a_new_one() -> None:
    with pytest.raises(InvalidInput, match="schema_growth"):
        grown(lambda v: v["rules"][0].update(by=["what", "count"]))


def test_true_is_not_one() -> None:
    before, after = source(), source(name="la.ospp/field_report/2")
    before["defs"]["way"], after["defs"]["way"] = {"enum": [True]}, {"enum": [1]}
    with pytest.raises(InvalidInput, match="schema_growth"):
        check_growth(opened(before), opened(after))
