"""Rules of an own type's bundle: well-formed, about fields that exist, and bounded in their work.

A rule with a misspelt path would hold always and for everybody: nobody would notice. And a rule
that looks at every pair of entries would let a small content keep a node busy for minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.profile_keywords import INSIDE, Node, refuse, same_value
from saphan_schemas.rules.checks import COMMON, PATH, PATHS
from saphan_schemas.rules.compiling import KINDS, compile_rule

_HEADER: Final = "/header/"
_OF_ITEMS: Final = frozenset({"by", "value"})
"""Parameters that, beside one path `of`, lead from each item found there (sum, adds_up)."""
_PLACES: Final = 32_768
"""Entries that content can have at most, by its size, whatever the lists of its schema allow."""


def check_rule_list(rules: Any, schema: Node) -> None:
    """Step 12: every rule can run, its paths lead to fields, and all together end soon.

    Args:
        schema: of the whole content, within the profile.

    Raises:
        InvalidInput: `schema_rules`, `rule_malformed`, `schema_rule_path`.
    """
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        refuse("schema_rules", "/rules", "is not a list of rules")
    if len(rules) > LIMITS.schema_rules:
        refuse("schema_rules", "/rules", f"has over {LIMITS.schema_rules} rules")
    work = 0
    for number, rule in enumerate(rules):
        compile_rule(rule, number)
        work += _work(rule, f"/rules/{number}", schema)
    if work > LIMITS.schema_rule_work:
        refuse("schema_rules", "/rules", f"takes over {LIMITS.schema_rule_work} steps of one check")


def _work(rule: Node, pointer: str, schema: Node) -> int:
    """How many values one run of a rule may touch; each of its paths is followed."""
    each = rule.get("each", "")
    defs = schema["$defs"]
    place, places = _follow([schema], each, f"{pointer}/each", defs)
    at_place, item = 1, place
    for parameter, path in _paths(rule):
        if path.startswith(_HEADER):
            continue
        start = item if parameter in _OF_ITEMS else place
        if path.startswith("/"):
            start = [schema]
        found, count = _follow(start, path, f"{pointer}/{parameter}", defs)
        if parameter == "of" and isinstance(rule["of"], str):
            item = found
        at_place += count * max((node.get("maxItems", 1) for node in found), default=1)
    at_place += sum(len(value) for value in rule.values() if isinstance(value, list))
    return places * at_place


def _paths(rule: Node) -> Iterator[tuple[str, str]]:
    kind = KINDS[rule["rule"]]
    forms = COMMON | kind.needs | kind.takes
    # `of` first: it says where the others lead from.
    for parameter, value in sorted(rule.items(), key=lambda item: item[0] != "of"):
        if parameter in ("each", "rule"):
            continue
        if forms[parameter] == PATH:
            yield parameter, value
        elif forms[parameter] == PATHS:
            yield from ((parameter, path) for path in value)


def _follow(start: list[Node], path: str, pointer: str, defs: Node) -> tuple[list[Node], int]:
    """The schemas of the values at a path, and how many such values there are at most."""
    found, count = _described(start, defs), 1
    for step in [step for step in path.split("/") if step]:
        if step == "*":
            count *= max((node.get("maxItems", 1) for node in found), default=1)
            inner = [node["items"] for node in found if "items" in node]
        else:
            inner = [node["properties"][step] for node in found if step in node["properties"]]
        found = _described(inner, defs)
        if not found:
            refuse("schema_rule_path", pointer, f"leads nowhere: there is no {step[:60]!r}")
    return found, min(count, _PLACES)


def leads_somewhere(schema: Node, path: str) -> bool:
    """Whether content of this schema can have a value at an absolute path."""
    try:
        _follow([schema], path, path, schema["$defs"])
    except InvalidInput:
        return False
    return True


def _described(nodes: list[Any], defs: Node) -> list[Node]:
    """All nodes that speak of the same values as these, each with `properties`."""
    found: list[Node] = []
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            found.append({"properties": {}} | node)
            waiting += same_value(node)
            if "$ref" in node:
                waiting.append(defs[node["$ref"].removeprefix(INSIDE)])
    return found
