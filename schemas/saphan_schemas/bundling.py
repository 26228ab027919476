"""A type's bundle, made from its own files and the shared types: whole, so that it stands alone.

Shared types are written once. A bundle carries those that its body reaches in `$defs`, code lists
as plain enumerations, and the rules of each shared type once for every place where the type
uses it: a second implementation reads one map and runs it (schemas/spec/content.md).
"""

from __future__ import annotations

from typing import Any, Final

from saphan_schemas import attachments
from saphan_schemas.codes import codes

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INSIDE: Final = "#/$defs/"
_ALTERNATIVES: Final = ("allOf", "anyOf", "oneOf")
_BRANCHES: Final = ("then", "else")

Schema = dict[str, Any]
Rules = list[dict[str, Any]]


def make_bundle(
    name: str, body: Schema, rules: Rules, defs: dict[str, Schema], def_rules: dict[str, Rules]
) -> dict[str, Any]:
    """The map {"rules", "schema"} of a type: everything its digest covers.

    Args:
        name: such as "saphan/drug_seizure/1".
        body: the schema of `content.body`; `{"$ref": "#/$defs/NAME"}` names one of `defs`,
            `{"$codes": "LIST"}` a code list.
        rules: of the type, with absolute paths in `each`.
        defs: shared types; those that nothing reaches are left out.
        def_rules: rules of shared types, with paths relative to each place of the type.

    Raises:
        KeyError: a reference or code list that does not exist; a bug in the files.
        RuntimeError: rules of a shared type stand where no path can lead.
    """
    schema: Schema = {
        "$schema": DIALECT,
        "$id": f"urn:{name.replace('/', ':')}",
        "type": "object",
        "required": ["about", "attachments", "body"],
        "additionalProperties": False,
        "properties": {
            "about": {"$ref": f"{_INSIDE}about"},
            # Sealed apart; their lengths and digests stand in the inner record, in this order.
            "attachments": attachments.describe_schema(),
            "body": body,
        },
    }
    schema["$defs"] = _needed(schema, defs)
    schema = with_codes(schema)
    expanded = [
        placed(rule, place)
        for place, shared in shared_places(schema)
        for rule in def_rules.get(shared, ())
    ]
    return {"rules": [*expanded, *rules], "schema": schema}


def with_codes(node: Any) -> Any:
    """The same schema with every `$codes` as an enumeration in the order of its list."""
    if isinstance(node, list):
        return [with_codes(item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$codes"), str):
        only = node.get("only")
        listed = [code for code in codes(node["$codes"]) if only is None or code in only]
        if only is not None and len(listed) != len(only):
            raise KeyError(f"{node['$codes']} lacks a code of {only}")
        return {"enum": listed}
    return {key: with_codes(value) for key, value in node.items()}


def placed(rule: dict[str, Any], place: str) -> dict[str, Any]:
    """A shared type's rule at one place: only `each` changes, other paths stay relative."""
    each = rule.get("each", "")
    return {**rule, "each": f"{place}/{each}" if each else place}


def shared_places(schema: Schema) -> list[tuple[str, str]]:
    """Every place where content holds a shared type: (path with `*` for items, name)."""
    return list(dict.fromkeys(_below(schema, schema["$defs"], {})))


_Places = list[tuple[str, str]]


def _below(node: Any, defs: dict[str, Schema], seen: dict[str, _Places | None]) -> _Places:
    """The places at and below a node, as seen from it; each shared type is looked at once."""
    if not isinstance(node, dict):
        return []
    found: _Places = []
    target = node.get("$ref")
    if isinstance(target, str):
        found += _of_shared(target.removeprefix(_INSIDE), defs, seen)
    for key, inner in node.get("properties", {}).items():
        found += [(f"/{key}{place}", name) for place, name in _below(inner, defs, seen)]
    found += [(f"/*{place}", name) for place, name in _below(node.get("items"), defs, seen)]
    for keyword in _ALTERNATIVES:
        for inner in node.get(keyword, ()):
            found += _below(inner, defs, seen)
    for keyword in _BRANCHES:
        found += _below(node.get(keyword), defs, seen)
    return found


def _of_shared(name: str, defs: dict[str, Schema], seen: dict[str, _Places | None]) -> _Places:
    if name not in seen:
        seen[name] = None
        seen[name] = [("", name), *_below(defs[name], defs, seen)]
    places = seen[name]
    if places is None:
        raise RuntimeError(f"the shared type {name} contains itself")
    return places


def _needed(schema: Schema, shared: dict[str, Schema]) -> dict[str, Schema]:
    """The shared types that a schema reaches, directly or through others."""
    found: dict[str, Schema] = {}
    open_nodes: list[Any] = [schema]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, list):
            open_nodes.extend(node)
        elif isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str):
                key = target.removeprefix(_INSIDE)
                if key not in found:
                    found[key] = shared[key]
                    open_nodes.append(shared[key])
            open_nodes.extend(node.values())
    return found
