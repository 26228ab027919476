"""All rules of a type in one tree of paths, walked once: only what content has costs time.

A rule waits at the field that it compares, or at its `when`: where content lacks that field, or it
has another word, the rule is never called. The walk says only whether every rule holds; which one
does not, and where, is found by running them in their order (`running.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from saphan_schemas.rules.checks import Broken, Check
from saphan_schemas.rules.compiling import Compiled
from saphan_schemas.rules.paths import Root, getter
from saphan_schemas.rules.presence import typed

Walk = Callable[[Any, Root], bool]
"""(value, root) -> whether all rules at it and below it hold."""


class _Field:
    """What happens where a map has one key."""

    __slots__ = ("below", "given", "words")

    def __init__(self) -> None:
        self.given: list[Check] = []
        """Run on the map, whatever the key's value is."""
        self.words: dict[tuple[type, Any], list[Check]] = {}
        """Run on the map, if the value is this word, or an array with it."""
        self.below = _Branch()


class _Branch:
    """What happens at one value."""

    __slots__ = ("checks", "fields", "items")

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.fields: dict[str, _Field] = {}
        self.items: _Branch | None = None

    def field(self, step: str) -> _Field:
        return self.fields.setdefault(step, _Field())

    def grown(self, path: str) -> _Branch:
        """The branch at an absolute path with `*`, made where it is new."""
        branch = self
        for step in path.split("/")[1:]:
            if step == "*":
                branch.items = branch.items or _Branch()
                branch = branch.items
            else:
                branch = branch.field(step).below
        return branch


def plant(rules: list[Compiled]) -> Walk:
    """The walk of a type's rules, over the content map with the header's facts."""
    top = _Branch()
    for rule in rules:
        _place(top, rule)
    return _walk(top)


def _place(top: _Branch, rule: Compiled) -> None:
    each, path = rule.each, rule.waits_at
    if path is None:
        top.grown(each).checks.append(rule.check)
    elif "*" not in each:
        # The one place is known: the rule waits wherever its path leads, and reaches for it.
        whole = path if path.startswith("/") else f"{each}/{path}"
        holder, _, last = whole.rpartition("/")
        check = rule.bare if holder == each else _from_top(getter(each), rule.bare)
        _wait(top.grown(holder).field(last), rule, check)
    elif path.startswith("/"):
        top.grown(each).checks.append(rule.check)
    elif "/" in path:
        top.grown(each).field(path.split("/")[0]).given.append(rule.check)
    else:
        _wait(top.grown(each).field(path), rule, rule.bare)


def _wait(field: _Field, rule: Compiled, check: Check) -> None:
    if rule.words is None:
        field.given.append(check)
        return
    for word in typed(rule.words):
        field.words.setdefault(word, []).append(check)


def _from_top(get: Callable[[Any, Root], Any], check: Check) -> Check:
    def from_top(_: Any, root: Root) -> Broken | None:
        place = get(root, root)
        return None if place is None else check(place, root)

    return from_top


def _walk(branch: _Branch) -> Walk:
    checks = tuple(branch.checks)
    items = None if branch.items is None else _walk(branch.items)
    fields = tuple((step, *_parts(field)) for step, field in branch.fields.items())

    def walk(value: Any, root: Root) -> bool:
        for check in checks:
            if check(value, root) is not None:
                return False
        if type(value) is dict:
            for step, given, words, below in fields:
                inner = value.get(step)
                if inner is None:
                    continue
                for check in given:
                    if check(value, root) is not None:
                        return False
                if words and not _spoken(words, value, inner, root):
                    return False
                if below is not None and not below(inner, root):
                    return False
        elif items is not None and type(value) is list:
            for item in value:
                if item is not None and not items(item, root):
                    return False
        return True

    return walk


_Parts = tuple[tuple[Check, ...], dict[tuple[type, Any], tuple[Check, ...]], Walk | None]


def _parts(field: _Field) -> _Parts:
    below = field.below
    goes_on = below.checks or below.fields or below.items
    words = {word: tuple(checks) for word, checks in field.words.items()}
    return tuple(field.given), words, _walk(below) if goes_on else None


def _spoken(
    words: dict[tuple[type, Any], tuple[Check, ...]], place: Any, inner: Any, root: Root
) -> bool:
    """Whether the rules hold that wait for this word, or for one of this array: each runs once."""
    if type(inner) is not list:
        kind = type(inner)
        known = kind is str or kind is bool or kind is int
        met: Iterable[Check] = words.get((kind, inner), ()) if known else ()
    else:
        met = dict.fromkeys(check for word in typed(inner) for check in words.get(word, ()))
    for check in met:  # no generator: it would cost more than most checks
        broken = check(place, root)
        if broken is not None:
            return False
    return True
