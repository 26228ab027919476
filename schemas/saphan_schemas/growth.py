"""What the next version of a type may change: it takes everything that the version before takes.

Then a program that reads /2 reads the /1 of every archive too, and an agency whose partners lag
loses nothing. The comparison is by structure and errs on the side of refusing: a change whose
effect it cannot see is refused. Rules G1 to G9 are those of schemas/spec/types.md, "Growth".
"""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

from saphan_schemas.errors import InvalidInput
from saphan_schemas.profile_keywords import INSIDE, Node, by_first, escaped
from saphan_schemas.profile_rules import leads_somewhere

_BOUNDS: Final[dict[str, Callable[[int, int], bool]]] = {
    "maxItems": operator.ge,
    "maxLength": operator.ge,
    "maxProperties": operator.ge,
    "maximum": operator.ge,
    "minItems": operator.le,
    "minLength": operator.le,
    "minProperties": operator.le,
    "minimum": operator.le,
}
"""Keyword to what the new bound must be to the old one."""
_FIXED: Final = ("type", "pattern", "format")


def check_growth(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Refuse a bundle that would refuse content that the version before it takes.

    Args:
        before, after: bundles of two versions of one type, as `profile.open_bundle` returns them.

    Raises:
        InvalidInput: `schema_growth`; `field` points into the new bundle.
    """
    _Comparison(before["schema"], after["schema"]).compare()
    old_rules = {_text(rule) for rule in before["rules"]}
    for number, rule in enumerate(after["rules"]):  # G9
        each = rule.get("each", "")
        if _text(rule) in old_rules:
            continue
        if not each or leads_somewhere(before["schema"], each):
            _refuse(f"/rules/{number}", "is a new rule about fields that were there before")


class _Comparison:
    """Two schemas, walked in step; a pair of definitions is compared once."""

    def __init__(self, old: Node, new: Node) -> None:
        self._old = old
        self._new = new
        self._done: set[tuple[str, str]] = set()
        self._digests: dict[tuple[bool, str], str] = {}
        self._before: dict[int, frozenset[str]] = {}

    def compare(self) -> None:
        self._node(self._old, self._new, "/schema")

    def _node(self, old: Node, new: Node, pointer: str) -> None:
        pair = old.get("$ref", ""), new.get("$ref", "")
        if pair in self._done:
            return
        if all(pair):
            self._done.add(pair)
        old = _resolved(old, self._old["$defs"])
        new = _resolved(new, self._new["$defs"])
        _check_codes(old, new, pointer)
        _check_value(old, new, pointer)
        _check_required(old, new, pointer)
        if by_first(new):
            first = old["allOf"][0] if by_first(old) else old
            self._node(first, new["allOf"][0], f"{pointer}/allOf/0")
        self._members(old, new, pointer)
        self._conditions(old, new, pointer)

    def _members(self, old: Node, new: Node, pointer: str) -> None:
        """G5, G6: every field and item is there still, and takes what it took."""
        named = old.get("patternProperties", {})
        if named.keys() != new.get("patternProperties", {}).keys():
            _refuse(f"{pointer}/patternProperties", "names fields by another pattern")
        known = old.get("properties", {})
        for name in new.get("properties", {}).keys() - known.keys():
            if named or by_first(old):
                _refuse(f"{pointer}/properties/{name}", "could be there before")
        for keyword in ("properties", "patternProperties"):
            for name, inner in old.get(keyword, {}).items():
                where = f"{pointer}/{keyword}/{escaped(name)}"
                if name not in new.get(keyword, {}):
                    _refuse(where, "is gone; leave it, and say that it is no longer used")
                self._node(inner, new[keyword][name], where)
        if "items" in new:
            if "items" not in old:
                _refuse(f"{pointer}/items", "is new")
            self._node(old["items"], new["items"], f"{pointer}/items")

    def _conditions(self, old: Node, new: Node, pointer: str) -> None:
        """G8: a condition may go; one that is new or changed is refused."""
        if id(old) not in self._before:  # of the old schema, which lives longer than this does
            said = frozenset(self._said(part, new=False) for part in _conditions(old))
            self._before[id(old)] = said
        for part in _conditions(new):
            if self._said(part, new=True) not in self._before[id(old)]:
                _refuse(pointer, f"has a new or changed condition ({min(part)})")

    def _said(self, node: Any, *, new: bool) -> str:
        """A condition as text. A definition stands in it by the digest of what it says: written out
        at each place it could be a thousand times the bundle."""
        return _text(self._by_digest(node, new))

    def _by_digest(self, node: Any, new: bool) -> Any:
        if isinstance(node, list):
            return [self._by_digest(inner, new) for inner in node]
        if not isinstance(node, dict):
            return node
        said = {key: self._by_digest(inner, new) for key, inner in node.items()}
        if "$ref" in node:
            name = node["$ref"].removeprefix(INSIDE)
            if (new, name) not in self._digests:
                target = (self._new if new else self._old)["$defs"][name]
                text = self._said(target, new=new)
                self._digests[new, name] = hashlib.sha256(text.encode()).hexdigest()
            said["$ref"] = self._digests[new, name]
        return said


def _resolved(node: Node, defs: Node) -> Node:
    """The node that a chain of references ends at; the profile has none that goes round."""
    while "$ref" in node and len(node) == 1:
        node = defs[node["$ref"].removeprefix(INSIDE)]
    return node


def _check_codes(old: Node, new: Node, pointer: str) -> None:
    """G2: an enumeration keeps its codes and may get more."""
    if "enum" not in new and "const" not in new:
        if "enum" in old or "const" in old:
            _refuse(pointer, "is no enumeration any more")
        return
    if "enum" not in old and "const" not in old:
        _refuse(pointer, "is an enumeration now")
    left = {(type(code), code) for code in new.get("enum", [new.get("const")])}
    if "const" in new:
        left &= {(type(new["const"]), new["const"])}
    for code in old.get("enum", [old.get("const")]):
        if (type(code), code) not in left:
            _refuse(f"{pointer}/enum", f"lacks the code {str(code)[:80]!r}")


def _check_value(old: Node, new: Node, pointer: str) -> None:
    """G1, G3, G4: type, pattern and format stay or go; bounds stay or widen."""
    for keyword in _FIXED:
        if keyword in new and old.get(keyword) != new[keyword]:
            _refuse(f"{pointer}/{keyword}", "is another than before")
    for keyword, fine in _BOUNDS.items():
        if keyword in new and (keyword not in old or not fine(new[keyword], old[keyword])):
            _refuse(f"{pointer}/{keyword}", "is narrower than before")
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        _refuse(f"{pointer}/uniqueItems", "is new")
    if "additionalProperties" in new and "additionalProperties" not in old:
        _refuse(f"{pointer}/additionalProperties", "is new")


def _check_required(old: Node, new: Node, pointer: str) -> None:
    """G7: nothing is demanded that was not demanded before."""
    demanded, known = set(old.get("required", ())), old.get("properties", {})
    for name in new.get("required", ()):
        if name not in demanded:
            _refuse(f"{pointer}/required", f"demands {name!r}, which was not demanded before")
    before = old.get("dependentRequired", {})
    for name, others in new.get("dependentRequired", {}).items():
        met = name in known or "patternProperties" in old or by_first(old)
        if met and not set(others) <= demanded | set(before.get(name, ())):
            _refuse(f"{pointer}/dependentRequired/{name}", "demands more than before")


def _conditions(node: Node) -> Iterator[Node]:
    """The conditions of a node, each as a schema of its own."""
    for inner in node.get("allOf", ())[by_first(node) :]:
        yield {"allOf": inner}
    for keyword in ("anyOf", "oneOf", "not"):
        if keyword in node:
            yield {keyword: node[keyword]}
    if "if" in node:
        yield {keyword: node[keyword] for keyword in ("if", "then", "else") if keyword in node}


def _text(value: Any) -> str:
    """Equal for equal JSON only: true is not 1."""
    return json.dumps(value, sort_keys=True)


def _refuse(pointer: str, why: str) -> NoReturn:
    raise InvalidInput(
        "schema_growth",
        f"{pointer} {why}",
        field=pointer,
        hint="a new version takes all that the version before takes; what must narrow becomes a "
        "type of another name",
    )
