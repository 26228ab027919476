"""The page that root holders read before they sign shows every field of a type."""

from __future__ import annotations

from saphan.own_types.outline import outline
from support.hostile_types import closed
from support.sources import opened, with_field


def test_fields_that_stand_in_the_first_of_all_of_are_read_too() -> None:
    names = {"type": "string", "maxLength": 90}
    hidden = {"allOf": [closed({"informant": names}), {"required": ["informant"]}]}
    twice = {"allOf": [hidden]}
    lines = list(outline(opened(with_field({"type": "array", "maxItems": 9, "items": twice}))))
    assert (2, "*", True, "object allOf allOf") in lines
    assert (3, "informant", False, "string 0..90") in lines
