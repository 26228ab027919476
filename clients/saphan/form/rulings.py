"""A type's rules, while its form is filled in: what they want, forbid, propose and find wrong.

The same rules that a recipient runs (`saphan_schemas.rules`). Those that compare two answers speak
as soon as both are there; those that count or look elsewhere wait until everything is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from saphan_schemas.faults import Fault
from saphan_schemas.messages import LANGUAGES
from saphan_schemas.rules import Rule
from saphan_schemas.rules.compiling import Compiled, compile_rule
from saphan_schemas.rules.paths import getter, places, pointer_at
from saphan_schemas.rules.presence import applies, holds

from saphan.form.mending import BESIDE, RELATIONS
from saphan.form.question import ASKS, Answers, Scalar

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
        groups: pointers of which one has to be there.
    """

    needed: set[str] = field(default_factory=set)
    barred: set[str] = field(default_factory=set)
    proposed: dict[str, Scalar] = field(default_factory=dict)
    groups: list[tuple[str, ...]] = field(default_factory=list)


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

    def wanted(self, root: dict[str, Any], answers: Answers) -> Wanted:
        """What has to be asked, left out or proposed now.

        Args:
            answers: those there are; what was left out counts too.
            root: the content so far and, under `header`, the facts beside it.
        """
        found = Wanted()
        for rule in self._rules:
            _ADDERS.get(rule["rule"], _nothing)(rule, root, found)
        found.needed |= {last for group in found.groups if (last := _last(group, answers))}
        return found

    def broken(self, root: dict[str, Any]) -> Iterator[Fault]:
        """Rules that answers break which are all there."""
        for rule in self._at_once:
            for place, value in places(root, rule.each):
                broken = rule.check(value, root)
                if broken is not None:
                    pointer = pointer_at(place, broken.path)
                    yield Fault(rule.name, pointer, broken.expected, place=place)


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


def _related(rule: Rule, root: dict[str, Any], found: Wanted) -> None:
    """A bulletin that is named has to stand in the relations: it is proposed for them."""
    get = getter(rule["value"])
    for _, place in places(root, rule.get("each", "")):
        value = get(place, root)
        if isinstance(value, str):
            first = f"{RELATIONS}/0"
            found.proposed |= {
                f"{first}{ASKS}": True,
                f"{first}/kind": str(rule["kind"]),
                f"{first}/bulletin_id": value,
            }


def _must_be(rule: Rule, _root: dict[str, Any], found: Wanted) -> None:
    """What holds of every bulletin of the type is proposed from the start."""
    if "when" not in rule and not rule.get("each"):
        value = str(rule["value"])
        found.proposed[BESIDE.get(value, value)] = rule["be"][0]


def _must_have(rule: Rule, root: dict[str, Any], found: Wanted) -> None:
    """Every word that a list of the whole bulletin has to hold is proposed for it, once."""
    value = str(rule["value"])
    if not value.startswith("/") or not any(True for _ in _guarded(rule, root)):
        return
    asked = BESIDE.get(value, value)
    known = [word for at, word in found.proposed.items() if at.startswith(f"{asked}/")]
    for word in rule["all"]:
        if word not in known:
            found.proposed[f"{asked}/{len(known)}"] = word
            known.append(word)


def _one_of(rule: Rule, root: dict[str, Any], found: Wanted) -> None:
    if rule.get("least", 1) == 1:
        for place in _guarded(rule, root):
            found.groups.append(tuple(pointer_at(place, path) for path in rule["of"]))


def _last(group: tuple[str, ...], answers: Answers) -> str | None:
    """The one that is left when all others were left out; of all that were, the last."""
    left = [pointer for pointer in group if not _is_left_out(pointer, answers)]
    if len(left) > 1:
        return None
    return left[0] if left else group[-1]


def _is_left_out(pointer: str, answers: Answers) -> bool:
    """Whether it was asked for, and is not there: a value, a part, a list, a text by language."""
    if answers.get(pointer + ASKS) is False:
        return True
    ends = ("", "/0", *(f"/{lang}" for lang in LANGUAGES))
    given = [answers[pointer + end] for end in ends if pointer + end in answers]
    return answers.get(f"{pointer}/0{ASKS}") is False or (
        bool(given) and all(one is None for one in given)
    )


_ADDERS: Final = {
    "one_of_given": _one_of,
    "related": _related,
    "must_be": _must_be,
    "must_have": _must_have,
    "given_when": _given,
    "absent_when": _absent,
    "declared": _declared,
    "listed": _listed,
}
