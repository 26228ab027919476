"""Rules of an own type's bundle: well-formed, and bounded in their work.

A rule that looks at every pair of entries would let a small content keep a node busy for minutes.
Of a source more is asked: a rule with a misspelt path would hold always, and nobody would notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from saphan_schemas.limits import LIMITS
from saphan_schemas.profile_keywords import INSIDE, Node, refuse, same_value
from saphan_schemas.rules.checks import COMMON, PATH, PATHS
from saphan_schemas.rules.compiling import KINDS, compile_rule

_HEADER: Final = "/header/"
_OF_ITEMS: Final = {"adds_up": frozenset({"value"}), "sum": frozenset({"by", "value"})}
"""Parameters of a kind that lead from each item found at its `of`, not from its place."""
_SEEN_ONLY: Final = frozenset({"absent", "flag", "given", "into", "map", "when"})
"""Parameters of which a rule asks whether a value is there, or how long: it does not read it."""
_CONTENT: Final = LIMITS.content_bytes
_RELATIONS: Final = 32
"""Entries of `/about/relations`, which `related` looks through."""
_PLACES: Final = 32_768
"""Entries that content can have at most, by its size, whatever the lists of its schema allow."""


def check_rule_list(rules: Any, schema: Node) -> None:
    """Step 12: every rule can run, and all together end soon.

    Args:
        schema: of the whole content, within the profile.

    Raises:
        InvalidInput: `schema_rules`, `rule_malformed`.
    """
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        refuse("schema_rules", "/rules", "is not a list of rules")
    if len(rules) > LIMITS.schema_rules:
        refuse("schema_rules", "/rules", f"has over {LIMITS.schema_rules} rules")
    work, ways = 0, _Ways(schema)
    for number, rule in enumerate(rules):
        compile_rule(rule, number)
        work += _work(rule, ways)
        if work > LIMITS.schema_rule_work:
            most = LIMITS.schema_rule_work
            refuse("schema_rules", "/rules", f"takes over {most} steps of one check")


def check_rule_paths(rules: list[Node], schema: Node) -> None:
    """Every path of these rules leads to a field. Rules of shared types may look for fields that
    only some types have, so this is asked of a type's own rules.

    Raises:
        InvalidInput: `schema_rule_path`.
    """
    ways = _Ways(schema)
    for number, rule in enumerate(rules):
        for parameter, path, place, _ in _found(rule, ways):
            if not ways.at(place):
                pointer = f"/rules/{number}/{parameter}"
                refuse("schema_rule_path", pointer, f"leads nowhere: {path[:200]}")


def leads_somewhere(schema: Node, path: str) -> bool:
    """Whether content of this schema can have a value at an absolute path."""
    return bool(_Ways(schema).at(path))


def _work(rule: Node, ways: _Ways) -> int:
    """How many values and characters one run of a rule may touch.

    What lies below the places is there once, however many they are: it is read in no time, but for
    the scripts of letters. What a path from the top leads to is read again at each place, so its
    whole extent counts.
    """
    found = list(_found(rule, ways))
    places, work = found[0][3], 1
    for parameter, path, place, count in found[1:]:
        again = places > 1 and path.startswith("/") and not _only_seen(rule, parameter)
        if again:
            work += min(_CONTENT, count * ways.extent(place))
        else:
            work += count * _longest(ways.at(place))
    work += len(rule.get("all", ()))  # other words are looked up, not gone through
    if rule["rule"] == "related":
        work += _RELATIONS
    letters = 0
    if rule["rule"] == "one_script":
        letters = sum(ways.extent(place) for name, _, place, _ in found if name == "value")
    return places * work + min(_CONTENT, places * letters)


def _only_seen(rule: Node, parameter: str) -> bool:
    return parameter in _SEEN_ONLY or (rule["rule"], parameter) == ("one_of_given", "of")


class _Ways:
    """Where the paths of a schema's rules lead. Each place and each node is looked at once: rules
    may name one place thousands of times."""

    def __init__(self, schema: Node) -> None:
        self._defs = schema["$defs"]
        self._found = {"": _described([schema], self._defs)}
        self._extents: dict[str, int] = {}
        self._known: dict[int, int] = {}

    def at(self, path: str) -> list[Node]:
        """All nodes that speak of the values at an absolute path; none if it leads nowhere."""
        found, known = self._found[""], ""
        for step in path.split("/")[1:]:
            known = f"{known}/{step}"
            if known in self._found:
                found = self._found[known]
                continue
            if step == "*":
                inner = [node["items"] for node in found if "items" in node]
            else:
                inner = [one for node in found for one in _fields(node, step)]
            if not inner:
                return []
            found = self._found[known] = _described(inner, self._defs)
        return found

    def count(self, path: str, place: str = "") -> int:
        """How many values at most an absolute path leads to, from one value at a `place` on it."""
        count, known = 1, place
        for step in path.removeprefix(place).split("/")[1:]:
            if step == "*":
                count = min(_PLACES, count * _longest(self.at(known)))
            known = f"{known}/{step}"
        return count

    def extent(self, path: str) -> int:
        """Values and characters of one value at an absolute path, at most."""
        if path not in self._extents:
            self._extents[path] = max(map(self._own, self.at(path)), default=1)
        return self._extents[path]

    def _of(self, node: Any) -> int:
        if not isinstance(node, dict):
            return 1
        if id(node) not in self._known:  # a node of the bundle, which lives longer than this does
            self._known[id(node)] = self._own(node)
        return self._known[id(node)]

    def _own(self, node: Node) -> int:
        fields: dict[str, Any] = node.get("properties", {})
        whole: int = 1 + node.get("maxLength", 0) + sum(map(self._of, fields.values()))
        if "items" in node:
            whole += node.get("maxItems", _CONTENT) * self._of(node["items"])
        for inner in node.get("patternProperties", {}).values():
            whole += node.get("maxProperties", _CONTENT) * self._of(inner)
        others = [self._of(inner) for inner in same_value(node)]
        if "$ref" in node:
            others.append(self._of(self._defs[node["$ref"].removeprefix(INSIDE)]))
        return min(_CONTENT, max(whole, *others, 1))


def _found(rule: Node, ways: _Ways) -> Iterator[tuple[str, str, str, int]]:
    """(parameter, path, the same from the top, values there at most); `each` comes first."""
    each = rule.get("each", "")
    yield "each", each, each, ways.count(each)
    item, of_items = each, _OF_ITEMS.get(rule["rule"], ())
    for parameter, path in _paths(rule):
        if path.startswith(_HEADER):
            continue
        start = item if parameter in of_items else each
        absolute = path.startswith("/")
        place = path if absolute else f"{start}/{path}" if path else start
        if parameter == "of":
            item = place
        yield parameter, path, place, ways.count(place, "" if absolute else start)


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


def _fields(node: Node, name: str) -> Iterator[Any]:
    """What a node says of a field; a pattern of names may mean it."""
    if name in node["properties"]:
        yield node["properties"][name]
    yield from node.get("patternProperties", {}).values()


def _longest(nodes: list[Node]) -> int:
    return max((node.get("maxItems", 1) for node in nodes), default=1)


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
