"""What a schema cannot say: sums, orders, uniqueness; stated as data, run by small functions.

A rule is a map with `rule` (its kind) and paths. `each` names the places to look at: a JSON
pointer in which `*` stands for every item of an array; a path that leads nowhere is no place.
Other paths are relative to each place. Rules stand inside the type's digest, so both ends run
the same ones; a kind this program lacks is an error, never skipped (schemas/spec/content.md).
Rules run after the schema has passed: types, lengths and patterns are known to be right.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from saphan_schemas.errors import InvalidInput

Rule = dict[str, Any]
Place = tuple[tuple[int, ...], Any]
"""The indices chosen for the stars of a path, and the value found there."""

DECIMALS: Final = 6
"""Digits after the point of a `decimal`; sums are exact integers of this scale."""


def check_rules(rules: list[Rule], content: dict[str, Any]) -> None:
    """Run every rule over schema-valid content.

    Raises:
        InvalidInput: `rule_broken`, with the pointer of the offending value.
    """
    for rule in rules:
        KINDS[rule["rule"]](rule, content)


def places(content: Any, path: str) -> list[Place]:
    """Every value a path with `*` leads to, with the indices that stand for its stars."""
    found: list[Place] = [((), content)]
    for step in _steps(path):
        if step == "*":
            found = [
                ((*stars, index), item)
                for stars, value in found
                if isinstance(value, list)
                for index, item in enumerate(value)
            ]
        else:
            found = [
                (stars, value[step])
                for stars, value in found
                if isinstance(value, dict) and step in value
            ]
    return found


@functools.cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")[1:])


def pointer_of(path: str, stars: tuple[int, ...]) -> str:
    """The JSON pointer of one place of a path; made only when a rule is broken there."""
    for index in stars:
        path = path.replace("*", str(index), 1)
    return path


def get(value: Any, path: str) -> Any:
    """The value at a relative path such as "dates/from", or None."""
    for step in path.split("/"):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def scaled(decimal: str) -> int:
    """A `decimal` string as an exact integer of millionths."""
    whole, _, part = decimal.partition(".")
    return int(whole) * 10**DECIMALS + int(part.ljust(DECIMALS, "0"))


def unscaled(value: int) -> str:
    """The shortest decimal string of an integer of millionths."""
    whole, part = divmod(value, 10**DECIMALS)
    digits = f"{part:0{DECIMALS}d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def _not_before(rule: Rule, content: dict[str, Any]) -> None:
    """`later` is not before `earlier`, compared as exactly as the less exact of the two."""
    for stars, item in places(content, rule["each"]):
        earlier, later = get(item, rule["earlier"]), get(item, rule["later"])
        if earlier is None or later is None:
            continue
        left, right = _comparable(earlier), _comparable(later)
        length = min(len(left), len(right))
        if right[:length] < left[:length]:
            raise _broken(
                f"{pointer_of(rule['each'], stars)}/{rule['later']}",
                f"{later} is before {rule['earlier']} {earlier}",
            )


def _comparable(value: str) -> str:
    """A date as it is; a UTC time with milliseconds, so that text order is time order."""
    if "T" not in value:
        return value
    return value[:19] + (value[19:23] if "." in value else ".000")


def _sum(rule: Rule, content: dict[str, Any]) -> None:
    """`totals` states once, for each group, the exact sum of `value` over `each`."""
    sums: dict[str, int] = {}
    for _, item in places(content, rule["each"]):
        group = item[rule["by"]]
        if group not in rule["except"]:
            sums[group] = sums.get(group, 0) + scaled(item.get(rule["value"], "0"))
    for index, total in enumerate(get(content, rule["totals"][1:]) or ()):
        group, stated = total[rule["by"]], total[rule["value"]]
        pointer = f"{rule['totals']}/{index}"
        expected = sums.pop(group, None)
        if expected is None:
            raise _broken(pointer, f"nothing to add up for {group}, or stated twice")
        if scaled(stated) != expected:
            raise _broken(
                f"{pointer}/{rule['value']}",
                f"the {group} add up to {unscaled(expected)}, not {stated}",
            )
    for group in sums:
        raise _broken(rule["totals"], f"the total of {group} is missing")


def _unique(rule: Rule, content: dict[str, Any]) -> None:
    """No two places agree in all fields of `by`."""
    seen: set[tuple[object, ...]] = set()
    for stars, item in places(content, rule["each"]):
        key = tuple([_hashable(item.get(field)) for field in rule["by"]])
        if key in seen:
            raise _broken(
                pointer_of(rule["each"], stars),
                f"a second entry with the same {', '.join(rule['by'])}",
            )
        seen.add(key)


def _hashable(value: Any) -> object:
    return repr(sorted(value.items())) if isinstance(value, dict) else value


def _at_most(rule: Rule, content: dict[str, Any]) -> None:
    """The count `value` is not more than the count `limit`."""
    for stars, item in places(content, rule["each"]):
        value, limit = item.get(rule["value"]), item.get(rule["limit"])
        if value is not None and limit is not None and value > limit:
            raise _broken(
                f"{pointer_of(rule['each'], stars)}/{rule['value']}",
                f"{value} is more than {rule['limit']} {limit}",
            )


def _index(rule: Rule, content: dict[str, Any]) -> None:
    """`value` is the index of another item of the array that `each` runs over."""
    array = rule["each"].removesuffix("/*")
    for stars, items in places(content, array):
        for own, item in enumerate(items):
            index = item.get(rule["value"])
            if index is not None and (index == own or index >= len(items)):
                raise _broken(
                    f"{pointer_of(array, stars)}/{own}/{rule['value']}",
                    f"{index} is not another item of the list",
                )


def _has_key(rule: Rule, content: dict[str, Any]) -> None:
    """The map at `map` has the key that stands at `key`."""
    for stars, item in places(content, rule["each"]):
        found, key = get(item, rule["map"]), get(item, rule["key"])
        if found is not None and key is not None and key not in found:
            raise _broken(
                f"{pointer_of(rule['each'], stars)}/{rule['map']}",
                f"no text in {key}, the language given as {rule['key']}",
            )


def _declared(rule: Rule, content: dict[str, Any]) -> None:
    """Where `each` finds anything, `flag` says true."""
    if places(content, rule["each"]) and get(content, rule["flag"][1:]) is not True:
        raise _broken(rule["flag"], f"is not true although there are {rule['each']}")


def _listed(rule: Rule, content: dict[str, Any]) -> None:
    """Every value of `each` stands in `list`."""
    listed = get(content, rule["list"][1:]) or ()
    for stars, value in places(content, rule["each"]):
        if value not in listed:
            raise _broken(
                pointer_of(rule["each"], stars), f"{value} does not stand in {rule['list']}"
            )


def _broken(pointer: str, message: str) -> InvalidInput:
    return InvalidInput(
        "rule_broken",
        f"{pointer}: {message}",
        field=pointer,
        hint="correct the value and sign again; the schema alone cannot see this",
    )


KINDS: Final[dict[str, Callable[[Rule, dict[str, Any]], None]]] = {
    "at_most": _at_most,
    "declared": _declared,
    "has_key": _has_key,
    "index": _index,
    "listed": _listed,
    "not_before": _not_before,
    "sum": _sum,
    "unique": _unique,
}
"""Rule kinds of version 0; a new kind is a new version of every type that uses it."""
