"""A second form of a schema that also says whether every text is clean: one pass instead of two.

It is made from the bundle's schema by steps that only ever narrow it, so what it accepts the
published schema accepts, and `text.check_text` too (a property test holds both to it):
references are written out, and each text must consist of characters of a short list, those of
the scripts that bulletins are written in. What it does not accept is not refused: the two
exact checks then decide, and say which value is wrong. A schema with keywords that are not known
here simply has no quick form.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.text import check_text

Schema = dict[str, Any]

_SCRIPTS: Final = (
    (0x0A, 0x0A),
    (0x20, 0x7E),
    (0xA0, 0x24F),  # Latin with its marks
    (0x300, 0x36F),
    (0xE00, 0xE7F),  # Thai
    (0xE80, 0xEFF),  # Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer, and its lunar signs below
    (0x19E0, 0x19FF),
    (0x1E00, 0x1EFF),  # Vietnamese
    (0x200B, 0x200D),
    (0x2010, 0x205E),
    (0x20A0, 0x20C0),
    (0x3000, 0x3002),
    (0x4E00, 0x9FFF),  # Chinese
)
"""Blocks looked at; of them, only what `check_text` takes is in the short list."""
_MERELY: Final = re.compile(r"\^\[\^((?:[^\]\\\[]|\\x[0-9a-f]{2})+)\]\+\$\Z")
"""A pattern that only says which characters may not stand in a text of any length from 1."""
_ANNOTATED: Final = ("patternProperties", "properties", "items")
_CONDITIONS: Final = ("if", "then", "else")
_LENGTHS: Final = (
    "maxItems",
    "maxLength",
    "maxProperties",
    "minItems",
    "minLength",
    "minProperties",
)
_VALUES: Final = ("const", "enum", "format", "maximum", "minimum", "pattern", "type", "uniqueItems")
_FIELDS: Final = ("additionalProperties", "allOf", "dependentRequired", "required")
_NARROWING: Final = frozenset((*_ANNOTATED, *_CONDITIONS, *_LENGTHS, *_VALUES, *_FIELDS))


class NoQuickForm(Exception):
    """This schema has something that the quick form cannot take along."""


def quick_schema(schema: Schema) -> Schema | None:
    """The narrower form of a bundle's `schema`, or None if it has none."""
    try:
        return _Writer(schema).written()
    except NoQuickForm:
        return None


class _Writer:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._defs: dict[str, Any] = schema.get("$defs", {})
        self._left = LIMITS.schema_nodes
        self._names: list[str] = []

    def written(self) -> Schema:
        ours = ("$defs", "$id")
        top = {key: value for key, value in self._schema.items() if key not in ours}
        dialect = top.pop("$schema", None)
        return {"$schema": dialect, **self._value(top)}

    def _value(self, node: Any) -> Schema:
        """A node that describes whole values: all texts below it become clean ones."""
        node = self._target(node)
        kind = node.get("type")
        if kind is None and ("enum" in node or "const" in node):
            return self._codes(node)
        if kind is None and node.get("allOf"):
            first, *others = node["allOf"]
            rest = {key: value for key, value in node.items() if key != "allOf"}
            return {"allOf": [self._value(first), *map(self._plain, others), self._plain(rest)]}
        if node.keys() - _NARROWING:
            raise NoQuickForm
        parts = {key: self._part(key, value) for key, value in node.items()}
        if kind == "string":
            return {**parts, **_clean(parts)}
        if kind == "array":
            return {**parts, "items": self._value(node.get("items"))}
        if kind == "object" and node.get("additionalProperties") is False:
            for key in ("properties", "patternProperties"):
                if key in node:
                    parts[key] = {name: self._value(one) for name, one in node[key].items()}
            return parts
        if kind in ("integer", "boolean"):
            return parts
        raise NoQuickForm

    def _target(self, node: Any) -> Schema:
        """The node, or the one that its reference names."""
        self._left -= 1
        if not isinstance(node, dict) or self._left < 0:
            raise NoQuickForm
        for _ in range(LIMITS.schema_depth):
            if "$ref" not in node:
                return dict(node)
            found = self._defs.get(node["$ref"].removeprefix("#/$defs/"))
            if len(node) != 1 or not isinstance(found, dict):
                raise NoQuickForm
            node = found
        raise NoQuickForm

    def _codes(self, node: Schema) -> Schema:
        if node.keys() - {"enum", "const"}:
            raise NoQuickForm
        for code in (*node.get("enum", ()), node.get("const")):
            if isinstance(code, (dict, list)) or (isinstance(code, str) and not _is_clean(code)):
                raise NoQuickForm
        return node

    def _part(self, key: str, value: Any) -> Any:
        if key in _ANNOTATED:
            return value  # written by `_value` where the type asks for it
        if key == "allOf":
            return [self._plain(one) for one in value]
        return self._plain(value) if key in _CONDITIONS else value

    def _plain(self, node: Any) -> Any:
        """A node that only narrows a value which another node describes: references written out."""
        if isinstance(node, list):
            return [self._plain(one) for one in node]
        if not isinstance(node, dict):
            return node
        node = self._target(node)
        return {key: self._plain(value) for key, value in node.items()}


def _clean(node: Schema) -> Schema:
    """Keywords that make a text of this node a clean one."""
    pattern = node.get("pattern")
    if pattern is None:
        return {"pattern": f"^[{_class('')}]*$"}
    if _is_ascii(pattern):
        return {}
    found = _MERELY.match(pattern)
    if found is not None:
        return {"pattern": f"^[{_class(found[1])}]+$"}
    return {"allOf": [*node.get("allOf", ()), {"pattern": f"^[{_class('')}]*$"}]}


def _is_ascii(pattern: str) -> bool:
    """Whether a pattern is plainly one of printable ASCII characters alone."""
    spelled = re.sub(r"\\[.^$*+?()\[\]{}|/\\-]", "", pattern)
    return (
        pattern.isascii()
        and pattern.isprintable()
        and pattern.startswith("^")
        and pattern.endswith("$")
        and not _barred(spelled)
        and not any(sign in spelled for sign in (".", "\\", "[^"))
    )


def _barred(spelled: str) -> bool:
    """Whether a bar stands outside groups: its two sides would lack an anchor each."""
    depth = 0
    for char in spelled:
        depth += (char == "(") - (char == ")")
        if char == "|" and not depth:
            return True
    return False


@functools.cache
def _class(without: str) -> str:
    """The short list as the inside of a character class, without the members of another one."""
    # Two bars in a class may mean something to a later Python; one with a backslash never does.
    spelled = without.replace("|", r"\|")
    left_out = re.compile(f"[{spelled}]") if without else None
    points: list[int] = []
    for first, last in _SCRIPTS:
        block = "".join(map(chr, range(first, last + 1)))
        if not _is_clean(block):
            block = "".join(filter(_is_clean, block))
        points += map(ord, left_out.sub("", block) if left_out else block)
    if not points:
        raise NoQuickForm  # for none of our scripts: an empty class is no pattern
    ranges: list[list[int]] = []
    for point in points:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges)


def _is_clean(text: str) -> bool:
    try:
        check_text(text, "")
    except InvalidInput:
        return False
    return True
