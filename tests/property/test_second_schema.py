"""Keywords whose meaning engines disagree on: the validator and the second reader agree.

Our own types narrow times by patterns; an agency's type may say no more than `format`.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from saphan_schemas.schema_check import compile_schema, is_valid
from support.rooms import ROOT

sys.path.insert(0, str(ROOT / "tests/vectors/second"))
from schema import Validator

BIG = 2**53 - 1
VALUES: tuple[Any, ...] = (
    1, True, 0, False, "1", "", [1], [True], {"a": 1}, {"a": True}, [[1]], BIG, BIG + 1, -BIG,
    2**63, 2**64 - 1, -(2**63), "a", "a\u0301", "á", "\U0001f600",
)  # fmt: skip
SCHEMAS: tuple[dict[str, Any], ...] = (
    {"type": "integer", "minimum": -BIG, "maximum": BIG},
    {"type": "boolean"},
    {"enum": [1, "a"]},
    {"const": True},
    {"const": 0},
    {"type": "string", "maxLength": 1},
    {"type": "string", "minLength": 2},
    {"not": {"const": 1}},
    {"allOf": [{"anyOf": [{"const": 1}, {"type": "string"}]}]},
    {"oneOf": [{"const": 1}, {"type": "integer"}]},
)


def both(schema: dict[str, Any], value: Any) -> bool:
    """What both readers say."""
    whole = {"type": "object", "properties": {"x": schema}}
    first = is_valid(compile_schema(whole), {"x": value})
    assert Validator(whole).fits({"x": value}, None) is first, (schema, value)
    return first


@pytest.mark.parametrize("schema", SCHEMAS)
def test_both_say_the_same_of_a_value(schema: dict[str, Any]) -> None:
    assert {both(schema, value) for value in VALUES} == {True, False}


def test_items_are_unique_by_value_and_type() -> None:
    unique = {"type": "array", "uniqueItems": True}
    pairs = [[one, two] for one in VALUES for two in VALUES]
    assert {both(unique, pair) for pair in pairs} == {True, False}
    assert both(unique, [[1], [True], {"a": 1}, {"a": True}, 1, True])
    assert not both(unique, [{"a": 1, "b": 2}, {"b": 2, "a": 1}])


def moment(chance: random.Random) -> str:
    """A day, or a day and a time; mostly one that is nearly right."""
    pick = chance.choice
    year = pick(("2024", "2025", "1900", "2000", "0000", "9999", "25"))
    day = f"{year}-{pick(('02', '12', '00', '13'))}-{pick(('01', '28', '29', '30', '31', '32'))}"
    clock = (
        f"{pick(('00', '07', '23', '24'))}:{pick(('00', '59', '60'))}:{pick(('00', '59', '60'))}"
    )
    zone = pick(("Z", "z", "+00:00", "+07:00", "-08:00", "+24:00", "+07:60", "", "+0700"))
    whole = day + pick(("T", "t", " ")) + clock + pick(("", ".1", ".", ".123456789", ",1")) + zone
    return pick((day, whole, whole, whole)) + pick(("",) * 9 + ("\n",))


@pytest.mark.parametrize("kind", ("date", "date-time"))
def test_both_know_the_same_days_and_times(kind: str) -> None:
    chance = random.Random(kind)
    schema = {"type": "string", "format": kind}
    whole = {"type": "object", "properties": {"x": schema}}
    quick, slow = compile_schema(whole), Validator(whole)
    seen = set()
    for _ in range(5_000):
        value = {"x": moment(chance)}
        seen.add(is_valid(quick, value))
        assert slow.fits(value, None) is is_valid(quick, value), value
    assert seen == {True, False}
    assert both(schema, {"date": "0000-02-29", "date-time": "2016-12-31T15:59:60-08:00"}[kind])
    assert not both(schema, {"date": "1900-02-29", "date-time": "2016-12-31T23:59:60-08:00"}[kind])
