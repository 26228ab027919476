"""A good bulletin spoiled in one place at a time, and where its refusal must point.

The places come from the type's own schema and rules, so a new field is spoiled from the day on
which a sample has it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.rules.paths import places

Path = tuple[str | int, ...]
Node = dict[str, Any]

PROSE: Final = frozenset({"line", "short", "prose"})
"""Texts for people, in which any digits may stand."""
LAO_ZERO: Final = 0x0ED0
KHMER_ZERO: Final = 0x17E0
BIG: Final = 2**53 + 1
LONGEST_LIST: Final = 64
"""A list that may be longer is not filled up."""


@dataclass(frozen=True)
class Spoiled:
    """A content with one fault.

    Args:
        kind: what was done; pointers: of which the refusal names one.
    """

    kind: str
    pointers: frozenset[str]
    content: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} at {' or '.join(sorted(self.pointers))}"


def spoil(schema: str, content: dict[str, Any]) -> Iterator[Spoiled]:
    """Every mutation of a content.

    Args:
        schema: its type, built in.
    """
    bundle = BUILT_IN.get(schema).bundle
    for path, node, value in _fields(bundle["schema"], bundle["schema"]["$defs"], content, ()):
        for kind, below, changed in _changes(node, value):
            yield _made(kind, content, (*path, *below), changed)
    yield from _dates(bundle["rules"], content)
    yield from _sums(bundle["rules"], content)


def changed(content: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy, not to be changed, with another value at a path; `MISSING` takes it away."""
    made: Any = copy.copy(content)
    place = made
    for step in path[:-1]:
        # Only what lies on the way is copied: thousands are made of one content.
        place[step] = copy.copy(place[step])
        place = place[step]
    if value is MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return dict(made)


MISSING: Final = object()


def _made(kind: str, content: dict[str, Any], path: Path, value: Any) -> Spoiled:
    return Spoiled(kind, frozenset({_pointer(path)}), changed(content, path, value))


def _pointer(path: Path) -> str:
    return "".join(f"/{step}" for step in path)


def _fields(node: Node, defs: Node, value: Any, path: Path) -> Iterator[tuple[Path, Node, Any]]:
    """Every value of a content, with its schema: references followed, their names kept."""
    names = set()
    while "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        names.add(name)
        node = defs[name]
    if path:
        yield path, {**node, "names": names}, value
    if isinstance(value, dict):
        for key, inner in value.items():
            below = node.get("properties", {}).get(key)
            if below is None:
                below = next(iter(node["patternProperties"].values()))
            yield from _fields(below, defs, inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _fields(node["items"], defs, inner, (*path, index))


def _changes(node: Node, value: Any) -> Iterator[tuple[str, Path, Any]]:
    """(what is done, where below the field, the new value)."""
    yield "wrong type", (), _other_type(value)
    if "enum" in node:
        yield "wrong code", (), "no_such_code"
    if isinstance(value, dict):
        yield "unknown field", ("zz_unknown",), 1
        for key in node.get("required", ()):
            yield "missing", (key,), MISSING
    elif isinstance(value, list):
        yield from _of_list(node, value)
    elif isinstance(value, str):
        yield from _of_text(node, value)
    elif type(value) is int:
        yield "negative", (), -1
        yield "beyond exact numbers", (), BIG
        yield "a float", (), value + 0.5


def _other_type(value: Any) -> Any:
    if isinstance(value, str):
        return 7
    return {bool: "yes", int: "7", dict: [], list: {}}[type(value)]


def _of_list(node: Node, value: list[Any]) -> Iterator[tuple[str, Path, Any]]:
    if node.get("minItems") and value:
        yield "empty", (), []
    if value and node["maxItems"] <= LONGEST_LIST:
        yield "too many", (), (value * (node["maxItems"] + 1))[: node["maxItems"] + 1]


def _of_text(node: Node, value: str) -> Iterator[tuple[str, Path, Any]]:
    yield "lone surrogate", (), f"{value}\ud800"
    if node["names"] & PROSE:
        yield "control character", (), f"{value}\x1b[2J"
        yield "hidden direction", (), f"{value}\u202e"
    if "maxLength" in node:
        yield "too long", (), "1" * (node["maxLength"] + 1)
    if "pattern" in node and not node["names"] & PROSE:
        for kind, zero in (("Lao digits", LAO_ZERO), ("Khmer digits", KHMER_ZERO)):
            turned = value.translate({ord("0") + digit: zero + digit for digit in range(10)})
            if turned != value:
                yield kind, (), turned
    if node["names"] & {"decimal", "whole"}:
        yield "a float", (), 1.5
        for word in ("-1", "NaN", "Infinity", "1e3", "01", "1,5", ".5"):
            yield f"the number {word}", (), word


def _dates(rules: list[Node], content: dict[str, Any]) -> Iterator[Spoiled]:
    """The later of two days is moved to 1901, before anything that a sample says."""
    pairs = [pair for rule in rules for pair in _pairs(rule, content)]
    for _, later in pairs:
        # A day may stand in several rules: the whole period, and each figure's within it.
        told = {_pointer(one[1]) for one in pairs if later in one}
        value = _at(content, later)
        yield Spoiled("dates", frozenset(told), changed(content, later, f"1901{value[4:]}"))


def _pairs(rule: Node, content: dict[str, Any]) -> Iterator[tuple[Path, Path]]:
    if rule["rule"] != "not_before":
        return
    for pointer, _ in places(content, rule.get("each", "")):
        earlier, later = (_path(content, pointer, rule[name]) for name in ("earlier", "later"))
        if earlier is not None and later is not None:
            yield earlier, later


TOTALS: Final = {"sum": "", "adds_up": "total", "parts": "value", "product": "value"}
"""Kinds of rules that compute, and where they say which value is the result."""


def _sums(rules: list[Node], content: dict[str, Any]) -> Iterator[Spoiled]:
    """Every result that a rule computes, one more than it is."""
    for rule in rules:
        if rule["rule"] not in TOTALS:
            continue
        for pointer, place in places(content, rule.get("each", "")):
            for path in _results(rule, content, pointer, place):
                value = _at(content, path)
                more = value + 1 if isinstance(value, int) else _one_more(value)
                yield _made("sum off by one", content, path, more)


def _results(rule: Node, content: dict[str, Any], pointer: str, place: Any) -> Iterator[Path]:
    if rule["rule"] != "sum":
        path = _path(content, pointer, rule[TOTALS[rule["rule"]]])
        if path is not None:
            yield path
        return
    totals = _path(content, pointer, rule["totals"])
    for index in range(len(_at(content, totals)) if totals else 0):
        yield (*(totals or ()), index, rule["value"])


def _one_more(value: str) -> str:
    whole, point, part = value.partition(".")
    return f"{int(whole) + 1}{point}{part}"


def _path(content: dict[str, Any], pointer: str, relative: str) -> Path | None:
    """A rule's path from a place, as steps; None where it leads nowhere."""
    whole = (
        relative if relative.startswith("/") else f"{pointer}/{relative}" if relative else pointer
    )
    steps: list[str | int] = []
    value: Any = content
    for step in whole.split("/")[1:]:
        key = int(step) if isinstance(value, list) else step
        if not isinstance(value, (dict, list)) or (isinstance(value, dict) and key not in value):
            return None
        value = value[key]  # type: ignore[index]
        steps.append(key)
    return tuple(steps)


def _at(content: Any, path: Path | None) -> Any:
    for step in path or ():
        content = content[step]
    return content
