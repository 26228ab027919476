"""A type's rules, while its form is filled in: what they want, forbid, propose and find wrong.

The same rules that a recipient runs (`saphan_schemas.rules`). Those that compare two answers speak
as soon as both are there; those that count or look elsewhere wait until everything is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from saphan_schemas.faults import Fault
from saphan_schemas.rules import Rule
from saphan_schemas.rules.compiling import Compiled, compile_rule
from saphan_schemas.rules.paths import getter, places, pointer_at
from saphan_schemas.rules.presence import applies, holds

from saphan.form.question import Scalar

AT_ONCE: Final = frozenset(
    (
        "absent_when",
        "at_least_by",
        "at_most",
        "check_digit",
        "declared",
        "must_be",
        "not_before",
        "product",
        "starts_with",
        "unique",
        "unit_agreement",
    )
)
"""Kinds that can be broken only by answers that are there."""


@dataclass(slots=True)
class Wanted:
    """What the rules say of places, given the answers so far.

    Args:
        needed: pointers that must be there; barred: that may not.
        proposed: answers that follow from others, by pointer.
    """

    needed: set[str] = field(default_factory=set)
    barred: set[str] = field(default_factory=set)
    proposed: dict[str, Scalar] = field(default_factory=dict)


class Rulings:
    """The rules of one type.

    Args:
        rules: of its bundle.

    Raises:
        InvalidInput: `rule_malformed`.
    """

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._at_once: list[Compiled] = [
            compile_rule(rule, number)
            for number, rule in enumerate(rules)
            if rule["rule"] in AT_ONCE
        ]

    def wanted(self, root: dict[str, Any]) -> Wanted:
        """What has to be asked, left out or proposed now.

        Args:
            root: the content so far and, under `header`, the facts beside it.
        """
        found = Wanted()
        for rule in self._rules:
            _ADDERS.get(rule["rule"], _nothing)(rule, root, found)
        return found

    def broken(self, root: dict[str, Any]) -> Iterator[Fault]:
        """Rules that answers break which are all there."""
        for rule in self._at_once:
            for place, value in places(root, rule.each):
                broken = rule.check(value, root)
                if broken is not None:
                    yield Fault(rule.name, pointer_at(place, broken.path), broken.expected)


def _nothing(_rule: Rule, _root: dict[str, Any], _found: Wanted) -> None:
    """Kinds that only find things wrong."""


def _guarded(rule: Rule, root: dict[str, Any]) -> Iterator[str]:
    """Pointers of the places at which a rule applies."""
    each = rule.get("each", "")
    if "when" not in rule:
        yield from (place for place, _ in places(root, each))
        return
    get, words = applies(rule)
    yield from (place for place, value in places(root, each) if holds(get(value, root), words))


def _given(rule: Rule, root: dict[str, Any], found: Wanted) -> None:
    for place in _guarded(rule, root):
        for path in rule["given"]:
            # With a field below a part that may be left out, the part is needed too.
            steps = path.split("/")
            above = ("/".join(steps[:end]) for end in range(1, len(steps)))
            found.needed.update(pointer_at(place, part) for part in (*above, path) if part)


def _absent(rule: Rule, root: dict[str, Any], found: Wanted) -> None:
    for place in _guarded(rule, root):
        found.barred.update(pointer_at(place, path) for path in rule["absent"])


def _declared(rule: Rule, root: dict[str, Any], found: Wanted) -> None:
    there = any(True for _ in _guarded(rule, root))
    before = found.proposed.get(rule["flag"], False)
    found.proposed[rule["flag"]] = bool(before) or there


def _listed(rule: Rule, root: dict[str, Any], found: Wanted) -> None:
    """Every value that has to stand in a list is proposed for it, once."""
    get = getter(rule.get("value", ""))
    known = [value for at, value in found.proposed.items() if at.startswith(f"{rule['list']}/")]
    for _, place in places(root, rule["each"]):
        value = get(place, root)
        if isinstance(value, str) and value not in known and rule["list"].startswith("/"):
            found.proposed[f"{rule['list']}/{len(known)}"] = value
            known.append(value)


_ADDERS: Final = {
    "given_when": _given,
    "absent_when": _absent,
    "declared": _declared,
    "listed": _listed,
}
