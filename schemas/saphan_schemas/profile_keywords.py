"""Keywords of the profile: what may stand in the schema of an agency's own type, node by node.

A node *describes* a value (a body, a property, an item, a definition) or only sets a *condition* on
one that another node describes (inside allOf, if, not and so on). What describes is closed and
bounded: no unknown member, no text, list or number without end. Steps are those of
schemas/spec/types.md, "Checking a bundle".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.patterns import check_pattern

INSIDE: Final = "#/$defs/"
LARGEST: Final = 2**53 - 1
"""Integers that every JSON reader keeps."""
LONGEST: Final = 65_536
"""Characters of a text, entries of a list: as many as a content has bytes."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
_ALTERNATIVES: Final = ("allOf", "anyOf", "oneOf")
_BRANCHES: Final = ("not", "if", "then", "else")
_LONGEST_CODE: Final = 200
_MOST_ALTERNATIVES: Final = 32
_MOST_PATTERNS: Final = 4

Node = dict[str, Any]
Child = tuple[str, Any, bool]
"""(path from the node, schema, whether it describes); conditions speak of the node's own value."""


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _is_bound(value: Any) -> bool:
    return type(value) is int and -LARGEST <= value <= LARGEST


def _is_scalar(value: Any) -> bool:
    """A code stands on the page that root holders read: it must not write lines there."""
    if type(value) is str:
        return 0 < len(value) <= _LONGEST_CODE and "\n" not in value
    return type(value) is bool or _is_bound(value)


def _are_scalars(value: Any) -> bool:
    """Codes of an enumeration: all different, which for JSON 1 and true are."""
    if type(value) is not list or not value or not all(map(_is_scalar, value)):
        return False
    return len({(type(code), code) for code in value}) == len(value)


def _are_names(value: Any) -> bool:
    fine = type(value) is list and all(type(name) is str for name in value)
    return fine and len(set(value)) == len(value)


def _is_map(value: Any) -> bool:
    return type(value) is dict


def _are_nodes(value: Any) -> bool:
    return type(value) is list and 0 < len(value) <= _MOST_ALTERNATIVES


def _is_node(value: Any) -> bool:
    return type(value) in (dict, bool)


def _are_dependent(value: Any) -> bool:
    return type(value) is dict and all(map(_are_names, value.values()))


KEYWORDS: Final[dict[str, Callable[[Any], bool]]] = {
    "$ref": lambda value: type(value) is str,
    "additionalProperties": lambda value: value is False,
    "allOf": _are_nodes,
    "anyOf": _are_nodes,
    "const": _is_scalar,
    "dependentRequired": _are_dependent,
    "else": _is_node,
    "enum": _are_scalars,
    "format": lambda value: value in ("date", "date-time"),
    "if": _is_node,
    "items": lambda value: type(value) is dict,
    "maxItems": _is_count,
    "maxLength": _is_count,
    "maxProperties": _is_count,
    "maximum": _is_bound,
    "minItems": _is_count,
    "minLength": _is_count,
    "minProperties": _is_count,
    "minimum": _is_bound,
    "not": _is_node,
    "oneOf": _are_nodes,
    "pattern": lambda value: type(value) is str,
    "patternProperties": lambda value: _is_map(value) and 0 < len(value) <= _MOST_PATTERNS,
    "properties": _is_map,
    "required": _are_names,
    "then": _is_node,
    "type": lambda value: value in ("object", "array", "string", "integer", "boolean"),
    "uniqueItems": lambda value: type(value) is bool,
}
"""Every keyword of the profile, and whether a value is one that it takes."""


def children(node: Node) -> Iterator[Child]:
    """The schemas inside a node, but for what it refers to."""
    for keyword in ("properties", "patternProperties"):
        for name, inner in node.get(keyword, {}).items():
            yield f"/{keyword}/{escaped(name)}", inner, True
    if "items" in node:
        yield "/items", node["items"], True
    for keyword in _ALTERNATIVES:
        for index, inner in enumerate(node.get(keyword, ())):
            yield f"/{keyword}/{index}", inner, False
    for keyword in _BRANCHES:
        if keyword in node:
            yield f"/{keyword}", node[keyword], False


def same_value(node: Node) -> Iterator[Any]:
    """The schemas inside a node that speak of the very value that it speaks of."""
    for keyword in _ALTERNATIVES:
        yield from node.get(keyword, ())
    for keyword in _BRANCHES:
        if keyword in node:
            yield node[keyword]


def check_node(node: Any, pointer: str, defs: Node, *, describes: bool) -> None:
    """Check a node and all nodes inside it, references not followed.

    Args:
        pointer: of the node in the bundle, for errors.
        defs: the definitions of the bundle.

    Raises:
        InvalidInput: `schema_keyword`, `schema_reference_remote`, `schema_reference_missing`,
            `schema_untyped`, `schema_open`, `schema_unbounded`, `schema_required`,
            `schema_property`, `schema_codes`, `schema_pattern_*`.
    """
    if not describes and type(node) is bool:
        return
    if type(node) is not dict:
        refuse("schema_keyword", pointer, "is not a schema")
    for keyword, value in node.items():
        takes = KEYWORDS.get(keyword)
        if takes is None:
            refuse("schema_keyword", pointer, f"has {keyword[:40]!r}, which no own type may use")
        if not takes(value):
            refuse("schema_keyword", f"{pointer}/{keyword}", "has a value that it cannot have")
    _check_values(node, pointer, defs)
    if describes:
        _check_description(node, pointer)
    first = "/allOf/0" if by_first(node) else ""
    for path, inner, inside in children(node):
        check_node(inner, pointer + path, defs, describes=describes and (inside or path == first))


def by_first(node: Node) -> bool:
    """Whether a node leaves it to the first of its allOf to describe the value."""
    return "allOf" in node and not node.keys() & {"$ref", "type", "enum", "const"}


def _check_values(node: Node, pointer: str, defs: Node) -> None:
    if "$ref" in node:
        check_reference(node["$ref"], f"{pointer}/$ref", defs)
    if len(node.get("enum", ())) > LIMITS.schema_codes:
        refuse("schema_codes", f"{pointer}/enum", f"has over {LIMITS.schema_codes} codes")
    if "pattern" in node:
        check_pattern(node["pattern"], f"{pointer}/pattern")
    for pattern in node.get("patternProperties", ()):
        place = f"{pointer}/patternProperties/{escaped(pattern)[:80]}"
        check_pattern(pattern, place)
        if not pattern.isascii() or any(sign in pattern for sign in ("[^", "\\x", "\\u")):
            # Characters are checked in texts; names of fields are the schema's to judge.
            refuse("schema_property", place, "may name fields by other characters than ASCII ones")
    for name in node.get("properties", ()):
        if not _NAME.fullmatch(name):
            refuse(
                "schema_property",
                f"{pointer}/properties",
                f"names a field {name[:60]!r}; names are small letters, digits and underscores",
            )


def check_reference(target: str, pointer: str, defs: Node) -> None:
    """Refuse a reference to anything but a definition of the same bundle.

    Raises:
        InvalidInput: `schema_reference_remote`, `schema_reference_missing`.
    """
    if not target.startswith(INSIDE) or "/" in target[len(INSIDE) :]:
        refuse("schema_reference_remote", pointer, "leads out of the bundle's own definitions")
    if target[len(INSIDE) :] not in defs:
        refuse("schema_reference_missing", pointer, "leads to a definition that is not there")


def _check_description(node: Node, pointer: str) -> None:
    """What describes a value says which, and where it ends."""
    if "$ref" in node:
        if len(node) > 1:
            refuse("schema_keyword", pointer, "has something beside $ref; write both into allOf")
        return
    if "enum" in node or "const" in node or by_first(node):
        return
    kind = node.get("type")
    if kind is None:
        refuse("schema_untyped", pointer, "does not say what type its value has")
    if kind == "object":
        _check_object(node, pointer)
    elif kind == "array":
        _check_ends(node, pointer, "maxItems")
        if "items" not in node:
            refuse("schema_untyped", pointer, "does not say what its items are")
    elif kind == "string":
        _check_ends(node, pointer, "maxLength")
    elif kind == "integer" and ("minimum" not in node or "maximum" not in node):
        refuse("schema_unbounded", pointer, "needs minimum and maximum")


def _check_object(node: Node, pointer: str) -> None:
    if "additionalProperties" not in node:
        refuse("schema_open", pointer, 'is open: write "additionalProperties": false')
    known = node.get("properties", {})
    if "patternProperties" in node:
        _check_ends(node, pointer, "maxProperties")
        return
    named = [*node.get("required", ())]
    for name, others in node.get("dependentRequired", {}).items():
        named += [name, *others]
    for name in named:
        if name not in known:
            refuse("schema_required", pointer, f"demands {name[:60]!r}, which it does not have")


def _check_ends(node: Node, pointer: str, keyword: str) -> None:
    most = node.get(keyword)
    if most is None or most > LONGEST:
        refuse("schema_unbounded", pointer, f"needs {keyword}, of at most {LONGEST}")


def escaped(name: str) -> str:
    """A name as one step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def refuse(code: str, pointer: str, why: str) -> NoReturn:
    """Raise the InvalidInput `code` at a place of the schema."""
    raise InvalidInput(
        code,
        f"{pointer[:400] or '/'} {why}",
        field=pointer[:400],
        hint="schemas/spec/types.md lists what the schema of an own type may hold",
    )
