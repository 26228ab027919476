"""What a bundle of an agency's own type may be: checked before anything compiles or runs it.

A broker that keeps such a bundle and a node that fetches one call `open_bundle`; it does not build
what a reference bomb would unfold. The numbered steps are those of schemas/spec/types.md, "Checking
a bundle"; each refusal has its own code.
"""

from __future__ import annotations

import functools
import graphlib
import re
from typing import Any, Final

from saphan_schemas import attachments
from saphan_schemas.bodies import shared_types
from saphan_schemas.bundling import DIALECT, make_bundle
from saphan_schemas.codec import decode_content, encode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.patterns import check_pattern, pattern_size
from saphan_schemas.profile_keywords import (
    INSIDE,
    Node,
    check_node,
    children,
    refuse,
    same_value,
)
from saphan_schemas.profile_rules import check_rule_list
from saphan_schemas.text import check_texts

_PLACES: Final = "/schema/$defs"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
_FRAME: Final = frozenset(
    ("$defs", "$id", "$schema", "additionalProperties", "properties", "required", "type")
)
_NOTHING: Final[Node] = {"enum": ["nothing"]}
"""The body of a type that has only the common fields."""


def open_bundle(name: str, data: bytes) -> dict[str, Any]:
    """The map {"rules", "schema"} of an own type's bundle, if it lies within the profile.

    Args:
        name: `<agency>/<type>/<version>`, as registered.
        data: canonical bytes; whether they are the registered ones is asked by digest, apart.

    Raises:
        InvalidInput: `too_large`, `malformed`, `not_canonical`, `text_forbidden`, `schema_frame`,
            `schema_about`, `schema_definition`, `schema_recursive`, `schema_nodes`,
            `schema_deep`, `schema_meets`, `schema_rules`, and the codes of `check_node`.
    """
    bundle = decode_content(data, LIMITS.schema_bytes)  # 1, 2
    check_texts(bundle)  # 3
    schema = check_frame(name, bundle)  # 4
    check_schema(schema)
    check_rule_list(bundle["rules"], schema)  # 12
    return bundle


def check_schema(schema: Node) -> None:
    """Steps 5 to 11: keywords, references and size of a schema whose frame is known to be right."""
    defs = schema["$defs"]
    _check_about(defs)  # 5
    for name, inner in defs.items():  # 6, 7
        if not _NAME.fullmatch(name):
            refuse("schema_definition", _PLACES, f"has the name {name[:60]!r}")
        check_node(inner, f"{_PLACES}/{name}", defs, describes=True)
    body = schema["properties"]["body"]
    check_node(body, "/schema/properties/body", defs, describes=True)
    measure(schema)


def measure(schema: Node) -> tuple[int, int, int]:
    """Steps 8 to 11: no recursion, and how much there is with every reference written out.

    Returns:
        (nodes, levels of nodes in nodes, most nodes that one value meets).

    Raises:
        InvalidInput: `schema_recursive`, `schema_definition`, `schema_nodes`, `schema_deep`,
            `schema_meets`.
    """
    defs = schema["$defs"]
    sizes: dict[str, tuple[int, int]] = {}
    for name in _in_order(defs):
        sizes[name] = _size(defs[name], sizes, f"{_PLACES}/{name}")
    nodes, levels = _size(schema, sizes, "/schema")
    _check_built(schema)
    unused = defs.keys() - reached(schema)
    if unused:
        refuse("schema_definition", f"{_PLACES}/{min(unused)}", "is used by nothing")
    return nodes, levels, _most_met(schema, defs)


def _in_order(defs: Node) -> list[str]:
    """Step 8: definitions, each after those that it refers to."""
    graph = {name: _references(inner) for name, inner in defs.items()}
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        name = error.args[1][0]
        refuse("schema_recursive", f"{_PLACES}/{name}", "refers to itself")


def _references(node: Any) -> set[str]:
    """Names of the definitions that a node refers to directly."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            if "$ref" in inner:
                found.add(inner["$ref"].removeprefix(INSIDE))
            waiting += [child for _, child, _ in children(inner)]
    return found


def reached(schema: Node) -> set[str]:
    """Names of the definitions that a schema refers to, directly or through others."""
    found: set[str] = set()
    waiting = _references(schema)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= _references(schema["$defs"][name]) - found
    return found


def _size(node: Any, sizes: dict[str, tuple[int, int]], pointer: str) -> tuple[int, int]:
    """Steps 9 and 10: (nodes, levels) of a node with every reference written out, by counting."""
    if not isinstance(node, dict):
        return 1, 1
    parts = [_size(inner, sizes, pointer) for _, inner, _ in children(node)]
    if "$ref" in node:
        parts.append(sizes[node["$ref"].removeprefix(INSIDE)])
    nodes = 1 + sum(count for count, _ in parts)
    levels = 1 + max((level for _, level in parts), default=0)
    if nodes > LIMITS.schema_nodes:
        refuse("schema_nodes", pointer, f"unfolds to over {LIMITS.schema_nodes} parts")
    if levels > LIMITS.schema_depth:
        refuse("schema_deep", pointer, f"unfolds to over {LIMITS.schema_depth} levels")
    return nodes, levels


def _most_met(schema: Node, defs: Node) -> int:
    """Step 11: how many nodes one value of content is held against, at most."""
    most = 0
    waiting: list[list[Any]] = [[schema]]
    while waiting:
        met = _met(waiting.pop(), defs)
        most = max(most, len(met))
        if most > LIMITS.schema_meets:
            refuse(
                "schema_meets",
                "/schema",
                f"holds one value against over {LIMITS.schema_meets} parts",
            )
        _check_patterns(met)
        by_name: dict[str, list[Any]] = {}
        items = [node["items"] for node in met if "items" in node]
        others = [inner for node in met for inner in node.get("patternProperties", {}).values()]
        for node in met:
            for name, inner in node.get("properties", {}).items():
                by_name.setdefault(name, []).append(inner)
        waiting += [group for group in (items, others, *by_name.values()) if group]
    return most


def _check_patterns(met: list[Node]) -> None:
    """Step 11 too: all patterns that one text, or one name of a field, is held against."""
    texts = [node["pattern"] for node in met if "pattern" in node]
    names = [pattern for node in met for pattern in node.get("patternProperties", ())]
    if max(_positions(texts), _positions(names)) > LIMITS.schema_patterns_positions:
        refuse(
            "schema_pattern_large",
            "/schema",
            f"holds one text against patterns of over {LIMITS.schema_patterns_positions} positions",
        )


def _check_built(schema: Node) -> None:
    """Step 11 too: all patterns of the bundle, each built once."""
    size, seen = 0, set()
    waiting: list[Any] = [schema, *schema["$defs"].values()]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        waiting += [inner for _, inner, _ in children(node)]
        for pattern in (*node.get("patternProperties", ()), node.get("pattern")):
            if pattern is not None and pattern not in seen:
                seen.add(pattern)
                size += pattern_size(pattern)
        if size > LIMITS.schema_patterns_size:
            refuse("schema_pattern_large", "/schema", "has patterns that are too large together")


def _positions(patterns: list[str]) -> int:
    return sum(check_pattern(pattern, "") for pattern in patterns) if patterns else 0


def _met(nodes: list[Any], defs: Node) -> list[Node]:
    """All nodes that speak of the same value as these."""
    found: list[Node] = []
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            found.append(node)
            waiting += same_value(node)
            if "$ref" in node:
                waiting.append(defs[node["$ref"].removeprefix(INSIDE)])
    return found


# --- what is the same in every bundle -------------------------------------------------------------


def check_frame(name: str, bundle: dict[str, Any]) -> Node:
    """Step 4: the whole content is described as every type does; returns the schema.

    Raises:
        InvalidInput: `schema_frame`.
    """
    schema = bundle.get("schema")
    fine = bundle.keys() == {"rules", "schema"} and isinstance(schema, dict)
    if not fine or not isinstance(schema, dict) or schema.keys() != _FRAME:
        refuse("schema_frame", "", "is not a bundle: a map of rules and a schema in its frame")
    expected = {
        "$id": f"urn:{name.replace('/', ':')}",
        "$schema": DIALECT,
        "additionalProperties": False,
        "required": ["about", "attachments", "body"],
        "type": "object",
    }
    for keyword, value in expected.items():
        if not _same(schema[keyword], value):
            refuse("schema_frame", f"/schema/{keyword}", f"is not that of {name}")
    defs, parts = schema["$defs"], schema["properties"]
    if not isinstance(defs, dict) or not isinstance(parts, dict):
        refuse("schema_frame", "/schema", "has no definitions or no properties")
    fixed = {
        "about": {"$ref": f"{INSIDE}about"},
        "attachments": attachments.describe_schema(),
    }
    if parts.keys() != fixed.keys() | {"body"} or not _same(parts, parts | fixed):
        refuse("schema_frame", "/schema/properties", "are not about, attachments and body")
    return schema


def _same(found: Any, expected: Any) -> bool:
    """Equal as canonical bytes are: true is not 1."""
    return encode_content({"": found}) == encode_content({"": expected})


@functools.cache
def common() -> dict[str, Any]:
    """The bundle of a type with nothing but the common fields: their definitions and rules."""
    defs, def_rules = shared_types()
    return make_bundle("saphan/common/1", _NOTHING, [], defs, def_rules)


def _check_about(defs: Node) -> None:
    """Step 5: the common fields are those that every node reads, and mean what they always do."""
    for name, expected in common()["schema"]["$defs"].items():
        if not _same(defs.get(name), expected):
            raise InvalidInput(
                "schema_about",
                f"{_PLACES}/{name} is not the common type that this program knows",
                field=f"{_PLACES}/{name}",
                hint="update Saphan: the bundle was made by another version",
            )
