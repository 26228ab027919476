"""An agency's own type as people write it, and the bundle that is made of it.

A source is JSON: {"name", "body", "rules", "defs"}, the last two optional. It may refer to every
shared type of this package by name and take code lists from it; the bundle holds all of it, so that
whoever reads it needs neither the source nor this package's version (schemas/spec/types.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from saphan_schemas.bodies import shared_types
from saphan_schemas.bundling import make_bundle, with_codes
from saphan_schemas.codec import MAX_CONTENT_DEPTH, encode_content
from saphan_schemas.codes import code_lists, codes
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.profile import measure, open_bundle, reached
from saphan_schemas.profile_keywords import Node, check_node, escaped, refuse
from saphan_schemas.profile_rules import check_rule_list, check_rule_paths
from saphan_schemas.strict_json import parse_json

_NAME: Final = re.compile(
    r"(?P<agency>[a-z]{2}\.[a-z][a-z0-9-]{0,30})/(?P<type>[a-z][a-z0-9_]{0,40})/"
    r"(?P<version>[1-9][0-9]{0,2})",
    re.ASCII,
)
_DEPTH: Final = MAX_CONTENT_DEPTH - 4
"""Of a source: in the bundle its body stands under three maps."""


@dataclass(frozen=True, slots=True)
class OwnName:
    """The parts of `<agency>/<type>/<version>`."""

    agency: str
    type: str
    version: int

    @property
    def before(self) -> str | None:
        """Name of the version before this one; None for the first."""
        return f"{self.agency}/{self.type}/{self.version - 1}" if self.version > 1 else None


class _Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    body: dict[str, Any]
    rules: list[dict[str, Any]] = []
    defs: dict[str, dict[str, Any]] = {}


def split_name(name: str) -> OwnName:
    """The parts of an own type's name.

    Raises:
        InvalidInput: `schema_name`.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise InvalidInput(
            "schema_name",
            f"{name[:80]!r} is not the name of an agency's own type",
            field="name",
            hint="write the agency, the type and its version: la.ospp/field_report/1",
        )
    return OwnName(found["agency"], found["type"], int(found["version"]))


def bundle_source(data: bytes) -> tuple[str, bytes]:
    """Name and bundle bytes of a source; everything that a peer would refuse is refused here.

    Raises:
        InvalidInput: `schema_source`, `schema_name`, `schema_definition`, `schema_code_list`,
            and the codes of `profile.open_bundle`; `field` points into the source where it can.
    """
    source = _parse(data)
    split_name(source.name)
    shared, shared_rules = shared_types()
    for name in source.defs:
        if name in shared:
            refuse("schema_definition", f"/defs/{name}", "has the name of a shared type")
    _check_code_lists(source.body, "/body")
    _check_code_lists(source.defs, "/defs")
    body, own = with_codes(source.body), with_codes(source.defs)
    defs = with_codes(shared) | own
    for name, node in own.items():
        check_node(node, f"/defs/{name}", defs, describes=True)
    check_node(body, "/body", defs, describes=True)
    _check_size(body, own, defs)  # before anything is unfolded
    bundle = make_bundle(source.name, body, source.rules, defs, shared_rules)
    check_rule_list(source.rules, bundle["schema"])
    check_rule_paths(source.rules, bundle["schema"])
    made = encode_content(bundle)
    open_bundle(source.name, made)
    return source.name, made


def _parse(data: bytes) -> _Source:
    if len(data) > LIMITS.schema_bytes:
        raise InvalidInput(
            "too_large",
            f"the source has {len(data)} bytes, at most {LIMITS.schema_bytes} are taken",
            field="source",
        )
    try:
        source = parse_json(_Source, data)
    except ValueError as error:
        raise InvalidInput(
            "schema_source",
            f"this is not the source of an own type: {str(error)[:200]}",
            field="source",
            hint="JSON with name, body and, if there are any, rules and defs",
        ) from None
    _check_depth([source.body, source.rules, source.defs])
    return source


def _check_depth(parts: list[Any]) -> None:
    """Level by level: a parser's stack takes more than ours."""
    level = parts
    for _ in range(_DEPTH):
        level = [
            inner
            for node in level
            if isinstance(node, (dict, list))
            for inner in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    refuse("schema_deep", "", f"is nested deeper than {_DEPTH} levels")


def _check_code_lists(node: Any, pointer: str) -> None:
    """Every `$codes` names a list of this package, and `only` codes of that list."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            _check_code_lists(inner, f"{pointer}/{index}")
    if not isinstance(node, dict):
        return
    name = node.get("$codes")
    if not isinstance(name, str):
        for key, inner in node.items():
            _check_code_lists(inner, f"{pointer}/{escaped(key)}")
        return
    only = node.get("only", [])
    if name not in code_lists() or not node.keys() <= {"$codes", "only"}:
        refuse("schema_code_list", pointer, f"has no code list {name[:60]!r}, or more beside it")
    if not isinstance(only, list) or not set(map(str, only)) <= set(codes(name)):
        refuse("schema_code_list", pointer, f"takes codes that {name} does not have")


def _check_size(body: Node, own: Node, defs: Node) -> None:
    schema: Node = {"properties": {"body": body}, "$defs": defs}
    needed = reached(schema)
    for name in own:
        if name not in needed:
            refuse("schema_definition", f"/defs/{name}", "is used by nothing")
    measure(schema | {"$defs": {name: defs[name] for name in needed}})
