"""What a schema cannot say: sums, orders, uniqueness; stated as data, run by small functions.

A rule is a map with `rule` (its kind) and paths. `each` names the places to look at: a JSON
pointer in which `*` stands for every item of an array; a path that leads nowhere is no place.
Other paths are relative to each place. Rules stand inside the type's digest, so both ends run
the same ones; a kind this program lacks is an error, never skipped (schemas/spec/content.md).
Rules run after the schema has passed: types, lengths and patterns are known to be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from saphan_schemas.errors import InvalidInput

Rule = dict[str, Any]
Place = tuple[str, Any]
"""A JSON pointer and the value found there."""

DECIMALS: Final = 6
"""Digits after the point of a `decimal`; sums are exact integers of this scale."""


def check_rules(rules: list[Rule], content: dict[str, Any]) -> None:
    """Run every rule over schema-valid content.

    Raises:
        InvalidInput: `rule_broken`, with the pointer of the offending value.
    """
    for rule in rules:
        KINDS[rule["rule"]](rule, content)


def places(content: Any, path: str) -> Iterator[Place]:
    """Every value a path with `*` leads to, with its pointer."""
    return _walk("", content, path.split("/")[1:], 0)


def _walk(pointer: str, value: Any, steps: list[str], depth: int) -> Iterator[Place]:
    for at in range(depth, len(steps)):
        step = steps[at]
        if step == "*":
            for index, item in enumerate(value if isinstance(value, list) else ()):
                yield from _walk(f"{pointer}/{index}", item, steps, at + 1)
            return
        if not isinstance(value, dict) or step not in value:
            return
        value, pointer = value[step], f"{pointer}/{step}"
    yield pointer, value


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
    for pointer, item in places(content, rule["each"]):
        earlier, later = get(item, rule["earlier"]), get(item, rule["later"])
        if earlier is None or later is None:
            continue
        left, right = _comparable(earlier), _comparable(later)
        length = min(len(left), len(right))
        if right[:length] < left[:length]:
            raise _broken(
                f"{pointer}/{rule['later']}", f"{later} is before {rule['earlier']} {earlier}"
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
    for pointer, total in places(content, rule["totals"] + "/*"):
        group, stated = total[rule["by"]], total[rule["value"]]
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
    seen: set[str] = set()
    for pointer, item in places(content, rule["each"]):
        key = repr([_sorted(item.get(field)) for field in rule["by"]])
        if key in seen:
            raise _broken(pointer, f"a second entry with the same {', '.join(rule['by'])}")
        seen.add(key)


def _sorted(value: Any) -> Any:
    return sorted(value.items()) if isinstance(value, dict) else value


def _at_most(rule: Rule, content: dict[str, Any]) -> None:
    """The count `value` is not more than the count `limit`."""
    for pointer, item in places(content, rule["each"]):
        value, limit = get(item, rule["value"]), get(item, rule["limit"])
        if value is not None and limit is not None and value > limit:
            raise _broken(
                f"{pointer}/{rule['value']}", f"{value} is more than {rule['limit']} {limit}"
            )


def _index(rule: Rule, content: dict[str, Any]) -> None:
    """`value` is the index of another item of the array that `each` runs over."""
    array, _, _ = rule["each"].rpartition("/")
    for pointer, items in places(content, array):
        for own, item in enumerate(items):
            index = item.get(rule["value"])
            if index is not None and (index == own or index >= len(items)):
                raise _broken(
                    f"{pointer}/{own}/{rule['value']}", f"{index} is not another item of the list"
                )


def _has_key(rule: Rule, content: dict[str, Any]) -> None:
    """The map at `map` has the key that stands at `key`."""
    for pointer, found in places(content, rule["map"]):
        for _, key in places(content, rule["key"]):
            if key not in found:
                raise _broken(pointer, f"no text in {key}, the language given as {rule['key']}")


def _broken(pointer: str, message: str) -> InvalidInput:
    return InvalidInput(
        "rule_broken",
        f"{pointer}: {message}",
        field=pointer,
        hint="correct the value and sign again; the schema alone cannot see this",
    )


KINDS: Final[dict[str, Callable[[Rule, dict[str, Any]], None]]] = {
    "at_most": _at_most,
    "has_key": _has_key,
    "index": _index,
    "not_before": _not_before,
    "sum": _sum,
    "unique": _unique,
}
"""Rule kinds of version 0; a new kind is a new version of every type that uses it."""
