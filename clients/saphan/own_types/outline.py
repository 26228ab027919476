"""A bundle as an outline that people read before they sign: each field, what it holds, its rules.

Shared types are named, not unfolded, where they are this program's; all others are shown whole. The
words of the registration cover every byte; the outline is what a person can check by eye.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from saphan_schemas.bodies import shared_types
from saphan_schemas.bundling import with_codes
from saphan_schemas.profile_keywords import INSIDE, Node, by_first

Line = tuple[int, str, bool, str]
"""(depth from 0, field or definition, whether it must be given, what it holds)."""
_BOUNDS: Final = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
)
_CONDITIONS: Final = ("allOf", "anyOf", "oneOf", "not", "if", "dependentRequired")


def outline(bundle: dict[str, Any]) -> Iterator[Line]:
    """Lines of a bundle within the profile: the body's fields, then definitions of its own."""
    schema = bundle["schema"]
    yield from _fields("body", schema["properties"]["body"], 0, True)
    shared = with_codes(shared_types()[0])
    for name, node in sorted(schema["$defs"].items()):
        if shared.get(name) != node:
            yield from _fields(name, node, 0, False)


def _fields(name: str, node: Node, depth: int, given: bool) -> Iterator[Line]:
    if by_first(node):  # what the value holds stands in there, and would go unread
        (_, _, _, form), *below = _fields(name, node["allOf"][0], depth, given)
        yield depth, name, given, f"{form} {_form(node)}"
        yield from below
        return
    yield depth, name, given, _form(node)
    if "items" in node:
        yield from _fields("*", node["items"], depth + 1, True)
    required = node.get("required", ())
    for field, inner in node.get("properties", {}).items():
        yield from _fields(field, inner, depth + 1, field in required)
    for pattern, inner in node.get("patternProperties", {}).items():
        yield from _fields(pattern, inner, depth + 1, False)


def _form(node: Node) -> str:
    """What a value must be, in the words of the schema itself."""
    if "$ref" in node:
        return str(node["$ref"].removeprefix(INSIDE))
    parts = [str(node.get("type", ""))]
    for low, high in _BOUNDS:
        if high in node:
            parts.append(f"{node.get(low, 0)}..{node[high]}")
    fixed = (word for word in ("const", "format", "pattern") if word in node)
    parts += [f"{keyword} {node[keyword]}" for keyword in fixed]
    if "enum" in node:
        parts.append(" | ".join(map(str, node["enum"])))
    parts += [keyword for keyword in _CONDITIONS if keyword in node]
    return " ".join(part for part in parts if part)
