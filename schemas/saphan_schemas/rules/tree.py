"""All rules of a type in one tree of paths, walked once: only what content has costs time.

A rule waits at the field that it compares, or at its `when`: where content lacks that field, or it
has another word, the rule is never called. The walk says only whether every rule holds; which one
does not, and where, is found by running them in their order (`running.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saphan_schemas.rules.checks import Broken, Check
from saphan_schemas.rules.compiling import Compiled
from saphan_schemas.rules.paths import Root, getter

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
    for word in rule.words:
        field.words.setdefault((type(word), word), []).append(check)


def _from_top(get: Callable[[Any, Root], Any], check: Check) -> Check:
    def from_top(_: Any, root: Root) -> Broken | None:
        place = get(root, root)
        return None if place is None else check(place, root)

    return from_top


def _walk(branch: _Branch) -> Walk:
    checks, items = tuple(branch.checks), branch.items and _walk(branch.items)
    fields = {step: _field(field) for step, field in branch.fields.items()}

    def walk(value: Any, root: Root) -> bool:
        for check in checks:
            if check(value, root) is not None:
                return False
        if fields and type(value) is dict:
            for step, inner in value.items():
                field = fields.get(step)
                if field is not None and not field(value, inner, root):
                    return False
        elif items and type(value) is list:
            for item in value:
                if not items(item, root):
                    return False
        return True

    return walk


def _field(field: _Field) -> Callable[[Any, Any, Root], bool]:
    given, words = tuple(field.given), {key: tuple(run) for key, run in field.words.items()}
    below = _walk(field.below)
    is_leaf = not (field.below.checks or field.below.fields or field.below.items)
    if is_leaf and not words and len(given) == 1:
        only = given[0]
        return lambda place, inner, root: inner is None or only(place, root) is None
    if not given and not words:
        return lambda place, inner, root: below(inner, root)

    def met(place: Any, inner: Any, root: Root) -> bool:
        if inner is None:
            return True
        for check in given:
            if check(place, root) is not None:
                return False
        if words:
            for word in inner if type(inner) is list else (inner,):
                for check in words.get((type(word), word), ()) if _plain(word) else ():
                    if check(place, root) is not None:
                        return False
        return is_leaf or below(inner, root)

    return met


def _plain(word: Any) -> bool:
    return type(word) is str or type(word) is bool or type(word) is int
