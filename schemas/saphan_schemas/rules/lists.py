"""Kinds of rules about entries of arrays: sums, doubles, and references from one to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from saphan_schemas.rules.checks import PATH, PATHS, TEXTS, WORD, WORDS, Broken, Check, Kind, Rule
from saphan_schemas.rules.numbers import scaled, unscaled
from saphan_schemas.rules.paths import Root, finder, getter, pointer_at
from saphan_schemas.rules.presence import one_of, typed


def _sum(rule: Rule) -> Check:
    """`totals` states once, for each code at `by`, the exact sum of `value` over the items."""
    items, totals = finder(rule["of"]), getter(rule["totals"])
    by, value, left_out = getter(rule["by"]), getter(rule["value"]), set(rule["except"])

    def check(place: Any, root: Root) -> Broken | None:
        sums: dict[str, int] = {}
        for item in items(place, root):
            group = by(item, root)
            if type(group) is str and group not in left_out:
                sums[group] = sums.get(group, 0) + (scaled(value(item, root)) or 0)
        stated = totals(place, root)
        for index, total in enumerate(stated if type(stated) is list else ()):
            path = f"{rule['totals']}/{index}"
            group = by(total, root)
            expected = sums.pop(group, None) if type(group) is str else None
            if expected is None:
                return Broken(path, "has nothing to add up, or is stated twice", {"entries": 0})
            if scaled(value(total, root)) != expected:
                said = f"is not the sum, {unscaled(expected)}"
                return Broken(pointer_at(path, rule["value"]), said, {"sum": unscaled(expected)})
        for expected in sums.values():  # the group may be a name: it is not said
            said = f"lacks an entry whose total is {unscaled(expected)}"
            return Broken(rule["totals"], said, {"lacks": unscaled(expected)})
        return None

    return check


def _adds_up(rule: Rule) -> Check:
    """`total` is the exact sum of `value` over the items; an absent value adds nothing."""
    items, value, total = finder(rule["of"]), getter(rule["value"]), getter(rule["total"])

    def check(place: Any, root: Root) -> Broken | None:
        stated = scaled(total(place, root))
        if stated is None:
            return None
        expected = sum(scaled(value(item, root)) or 0 for item in items(place, root))
        if stated == expected:
            return None
        said = f"is not the sum, {unscaled(expected)}"
        return Broken(rule["total"], said, {"sum": unscaled(expected)})

    return check


def _unique(rule: Rule) -> Check:
    """No two items of the array agree in all fields of `by`; without `by` no two are equal."""
    by = rule.get("by", [""])
    getters = list(map(getter, by))
    said = f"is a second entry with the same {', '.join(by)}" if by[0] else "stands twice"
    plain = not any("/" in path or not path for path in by)

    def check(items: Any, root: Root) -> Broken | None:
        if type(items) is not list or len(items) < 2 or (plain and _differ(items, by)):
            return None
        # Canonical bytes are equal if the values are: true is not 1, the order of keys is nothing.
        keys = [_canonical.encode([get(item, root) for get in getters]) for item in items]
        if len(set(keys)) == len(keys):
            return None
        first: dict[bytes, int] = {}
        second = next(at for at, key in enumerate(keys) if first.setdefault(key, at) != at)
        return Broken(str(second), said, {"unique": list(by)})

    return check


def _differ(items: list[Any], by: list[str]) -> bool:
    """Whether the items differ even where true counts as 1; False if that takes a closer look."""
    try:
        return len({tuple(map(item.get, by)) for item in items}) == len(items)
    except (AttributeError, TypeError):
        return False  # an item is no map, or a field holds one


def _index(rule: Rule) -> Check:
    """`value` of an item is the place of another item of the same array."""
    get = getter(rule["value"])

    def check(items: Any, root: Root) -> Broken | None:
        if type(items) is not list:
            return None
        for own, item in enumerate(items):
            index = get(item, root)
            if type(index) is int and (index == own or not 0 <= index < len(items)):
                said = "is not the number of another entry of the list, from 0"
                return Broken(pointer_at(str(own), rule["value"]), said, {"below": len(items)})
        return None

    return check


def _refers(rule: Rule) -> Check:
    """`value` is the place of an entry of the array at `into`."""
    get, into = getter(rule["value"]), getter(rule["into"])

    def check(place: Any, root: Root) -> Broken | None:
        index = get(place, root)
        if type(index) is not int:
            return None
        items = into(place, root)
        length = len(items) if type(items) is list else 0
        if 0 <= index < length:
            return None
        said = f"is not the number of an entry of {rule['into']}, from 0"
        return Broken(rule["value"], said, {"below": length, "into": rule["into"]})

    return check


def _attachment(rule: Rule) -> Check:
    """`value` is the place of an attachment, with one of the roles if the rule names some."""
    get, role, roles = getter(rule["value"]), getter("role"), rule.get("role")
    among = None if roles is None else frozenset(roles)

    def check(place: Any, root: Root) -> Broken | None:
        index = get(place, root)
        if type(index) is not int:
            return None
        listed = root["attachments"]
        if not 0 <= index < len(listed):
            said = "is not the number of an attachment, from 0"
            return Broken(rule["value"], said, {"below": len(listed), "into": "/attachments"})
        if among is None or roles is None or role(listed[index], root) in among:
            return None
        said = f"is an attachment that is no {' or '.join(roles)}"
        return Broken(rule["value"], said, {"role": list(roles)})

    return check


def _listed(rule: Rule) -> Check:
    """The value stands in the array at `list`, or among the values to which its `*` leads."""
    get, path = getter(rule.get("value", "")), rule["list"]
    listed: Callable[[Any, Root], Any] = finder(path) if "*" in path else getter(path)
    broken = Broken(rule.get("value", ""), f"does not stand in {path}", {"list": path})

    def check(place: Any, root: Root) -> Broken | None:
        value = get(place, root)
        if value is None:
            return None
        found = listed(place, root)
        return None if type(found) is list and _holds(found, value) else broken

    return check


def _holds(items: list[Any], value: Any) -> bool:
    if type(value) is str:
        return value in items
    whole = _canonical.encode(value)  # 1 is not true, inside of lists neither
    return any(_canonical.encode(item) == whole for item in items)


def _some_is(rule: Rule) -> Check:
    """If there is a value at `value`, one of those that `of` leads to is one of `be`."""
    get, of, words = getter(rule["value"]), finder(rule["of"]), typed(rule["be"])
    said = f"needs an entry of {rule['of']} that goes with it"
    broken = Broken(rule["value"], said, {"of": rule["of"], "some": list(rule["be"])})

    def check(place: Any, root: Root) -> Broken | None:
        if get(place, root) is None:
            return None
        for one in of(place, root):
            if one_of(one, words):
                return None
        return broken

    return check


def _related(rule: Rule) -> Check:
    """The bulletin id at `value` stands in `about.relations` with this kind."""
    get = getter(rule["value"])
    broken = Broken(
        rule["value"],
        f"does not stand in /about/relations as {rule['kind']}",
        {"relation": rule["kind"]},
    )
    relations, target, kind = finder("/about/relations/*"), getter("bulletin_id"), getter("kind")

    def check(place: Any, root: Root) -> Broken | None:
        value = get(place, root)
        if type(value) is not str:
            return None
        for relation in relations(place, root):
            if target(relation, root) == value and kind(relation, root) == rule["kind"]:
                return None
        return broken

    return check


_canonical: Final = msgspec.msgpack.Encoder(order="sorted")
OF_ARRAYS: Final = frozenset({"index", "unique"})
"""Kinds that look at whole arrays: `each` ends with `/*`, and each such array is one place."""
KINDS: Final[dict[str, Kind]] = {
    "adds_up": Kind(_adds_up, {"of": PATH, "value": PATH, "total": PATH}, {}, waits="total"),
    "attachment": Kind(_attachment, {"value": PATH}, {"role": TEXTS}, waits="value"),
    "index": Kind(_index, {"value": PATH}, {}),
    "listed": Kind(_listed, {"list": PATH}, {"value": PATH}),
    "refers": Kind(_refers, {"value": PATH, "into": PATH}, {}, waits="value"),
    "related": Kind(_related, {"value": PATH, "kind": WORD}, {}, waits="value"),
    "some_is": Kind(_some_is, {"value": PATH, "of": PATH, "be": WORDS}, {}, waits="value"),
    "sum": Kind(
        _sum,
        {"of": PATH, "by": PATH, "value": PATH, "totals": PATH, "except": WORDS},
        {},
    ),
    "unique": Kind(_unique, {}, {"by": PATHS}),
}
