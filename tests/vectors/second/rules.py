"""A bundle's rules, from rules.md: R1 to R10 and every kind of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Any

from mp import refuse
from text import mixes_scripts

Rule = dict[str, Any]
NONE = object()


def steps(path: str) -> list[str]:
    return path.removeprefix("/").split("/") if path else []


def lead(value: Any, path: list[str]) -> Iterator[Any]:
    """R3: every value to which a path with stars leads."""
    if not path:
        yield value
    elif path[0] == "*":
        for item in value if isinstance(value, list) else ():
            yield from lead(item, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from lead(value[path[0]], path[1:])


class Place:
    """One place of a rule in the whole, and what paths have there (R2)."""

    def __init__(self, whole: Any, value: Any) -> None:
        self.whole, self.value = whole, value

    def at(self, path: str) -> Any:
        return next(self.all(path), NONE)

    def within(self, item: Any, path: str) -> Any:
        """What a path has, as seen from an item of the place."""
        return Place(self.whole, item).at(path)

    def all(self, path: str) -> Iterator[Any]:
        return lead(self.whole if path.startswith("/") else self.value, steps(path))

    def quantity(self, path: str) -> Decimal | None:
        return quantity(self.at(path))


def quantity(value: Any) -> Decimal | None:
    if isinstance(value, str):
        return Decimal(value) if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,6})?", value) else None
    return Decimal(value) if integer(value) else None


def integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def total(values: Iterator[Any]) -> Decimal:
    return sum((found for value in values if (found := quantity(value)) is not None), Decimal())


def absent_when(rule: Rule, place: Place) -> bool:
    return all(place.at(path) is NONE for path in rule["absent"])


def given_when(rule: Rule, place: Place) -> bool:
    return all(place.at(path) is not NONE for path in rule["given"])


def adds_up(rule: Rule, place: Place) -> bool:
    stated = place.quantity(rule["total"])
    items = (place.within(item, rule["value"]) for item in place.all(rule["of"]))
    return stated is None or total(items) == stated


def parts(rule: Rule, place: Place) -> bool:
    stated = place.quantity(rule["value"])
    return stated is None or total(place.at(path) for path in rule["of"]) == stated


def product(rule: Rule, place: Place) -> bool:
    stated, factors = place.quantity(rule["value"]), [place.quantity(p) for p in rule["of"]]
    if stated is None or None in factors:
        return True
    with localcontext(prec=1_000):
        found = Decimal(1)
        for factor in factors:
            found *= factor or 0
        up = (found.scaleb(rule["places"]) + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
        return up.scaleb(-rule["places"]) == stated


def at_least_by(rule: Rule, place: Place) -> bool:
    stated, table = place.quantity(rule["value"]), rule["table"]
    for path in rule["by"]:
        key = place.at(path)
        if not isinstance(table, dict) or not (key is NONE or isinstance(key, str)):
            return True
        table = table.get(key if isinstance(key, str) else "*", table.get("*", NONE))
    least = quantity(table)
    return stated is None or least is None or stated >= least


def at_most(rule: Rule, place: Place) -> bool:
    value, limit = place.quantity(rule["value"]), place.quantity(rule["limit"])
    return value is None or limit is None or value <= limit


def inside(index: Any, array: Any) -> bool:
    return not integer(index) or (isinstance(array, list) and 0 <= index < len(array))


def attachment(rule: Rule, place: Place) -> bool:
    index, listed = place.at(rule["value"]), place.at("/attachments")
    if not integer(index):
        return True
    if not inside(index, listed):
        return False
    return "role" not in rule or listed[index]["role"] in rule["role"]


def refers(rule: Rule, place: Place) -> bool:
    return inside(place.at(rule["value"]), place.at(rule["into"]))


def cas(text: str) -> bool:
    digits = [int(char) for char in text if char != "-"]
    weighed = sum(at * digit for at, digit in enumerate(reversed(digits[:-1]), 1))
    return weighed % 10 == digits[-1]


def luhn(text: str) -> bool:
    doubled = [int(char) * (1 + at % 2) for at, char in enumerate(reversed(text))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def imo(text: str) -> bool:
    weighed = sum(int(char) * (7 - at) for at, char in enumerate(text[:6]))
    return len(text) == 7 and weighed % 10 == int(text[6])


def container(text: str) -> bool:
    letters = [number for number in range(10, 39) if number % 11]
    values = [int(c) if c.isdigit() else letters[ord(c) - ord("A")] for c in text[:10]]
    return sum(value << at for at, value in enumerate(values)) % 11 % 10 == int(text[10])


def iban(text: str) -> bool:
    turned = text[4:] + text[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


FORMS = {
    "cas": "[0-9]{2,7}-[0-9]{2}-[0-9]",
    "luhn": "[0-9]{2,32}",
    "imo": "[0-9]{7}",
    "container": "[A-Z]{4}[0-9]{7}",
    "iban": "[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}",
}
METHODS = {"cas": cas, "luhn": luhn, "imo": imo, "container": container, "iban": iban}


def check_digit(rule: Rule, place: Place) -> bool:
    text = place.at(rule["value"])
    if not isinstance(text, str):
        return True
    formed = re.fullmatch(FORMS[rule["method"]], text) is not None
    return formed and METHODS[rule["method"]](text)


def has_key(rule: Rule, place: Place) -> bool:
    found, key = place.at(rule["map"]), place.at(rule["key"])
    return not isinstance(found, dict) or not isinstance(key, str) or key in found


def equal(left: Any, right: Any) -> bool:
    """R2"""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


def among(value: Any, values: list[Any]) -> bool:
    return any(equal(value, one) for one in values)


def listed(rule: Rule, place: Place) -> bool:
    value = place.at(rule.get("value", ""))
    if value is NONE:
        return True
    if "*" in rule["list"]:
        return among(value, list(place.all(rule["list"])))
    array = place.at(rule["list"])
    return isinstance(array, list) and among(value, array)


def must_be(rule: Rule, place: Place) -> bool:
    value = place.at(rule["value"])
    return value is NONE or all(
        among(one, rule["be"]) for one in (value if isinstance(value, list) else [value])
    )


def must_have(rule: Rule, place: Place) -> bool:
    value = place.at(rule["value"])
    return not isinstance(value, list) or all(among(one, value) for one in rule["all"])


def some_is(rule: Rule, place: Place) -> bool:
    found = place.at(rule["value"]) is not NONE
    return not found or any(among(one, rule["be"]) for one in place.all(rule["of"]))


def moment(value: str) -> str:
    if "T" not in value:
        return value
    return value[:19] + (value[19:23] if "." in value else ".000")


def not_before(rule: Rule, place: Place) -> bool:
    values = [place.at(rule["earlier"]), place.at(rule["later"])]
    if not all(isinstance(value, str) for value in values):
        return True
    if len(values[0]) == len(values[1]) and values[0] <= values[1]:
        return True
    earlier, later = (moment(value) for value in values)
    shorter = min(len(earlier), len(later))
    return earlier[:shorter] <= later[:shorter]


def one_of_given(rule: Rule, place: Place) -> bool:
    given = sum(place.at(path) is not NONE for path in rule["of"])
    return bool(rule.get("least", 1) <= given <= rule.get("most", len(rule["of"])))


def one_script(rule: Rule, place: Place) -> bool:
    value = place.at(rule["value"])
    return not isinstance(value, str) or not mixes_scripts(value)


def related(rule: Rule, place: Place) -> bool:
    value = place.at(rule["value"])
    wanted = {"bulletin_id": value, "kind": rule["kind"]}
    return not isinstance(value, str) or any(
        isinstance(one, dict) and wanted.items() <= one.items()
        for one in place.all("/about/relations/*")
    )


def starts_with(rule: Rule, place: Place) -> bool:
    value, start = place.at(rule["value"]), place.at(rule["with"])
    if not isinstance(value, str) or not isinstance(start, str):
        return True
    return value.startswith(start + rule.get("join", ""))


def sums(rule: Rule, place: Place) -> bool:
    groups: dict[str, Decimal] = {}
    for item in place.all(rule["of"]):
        group = place.within(item, rule["by"])
        if isinstance(group, str) and group not in rule["except"]:
            value = quantity(place.within(item, rule["value"]))
            groups[group] = groups.get(group, Decimal()) + (value or 0)
    totals = place.at(rule["totals"])
    stated: dict[Any, Decimal | None] = {}
    for entry in totals if isinstance(totals, list) else ():
        group = place.within(entry, rule["by"])
        if not isinstance(group, str) or group in stated:
            return False
        stated[group] = quantity(place.within(entry, rule["value"]))
    return stated == groups


def unique(rule: Rule, place: Place) -> bool:
    seen: list[Any] = []
    for item in place.value if isinstance(place.value, list) else ():
        key = [place.within(item, path) for path in rule.get("by", [""])]
        if among(key, seen):
            return False
        seen.append(key)
    return True


def index(rule: Rule, place: Place) -> bool:
    items = place.value if isinstance(place.value, list) else ()
    found = [place.within(item, rule["value"]) for item in items]
    return all(
        not integer(one) or (inside(one, found) and one != at) for at, one in enumerate(found)
    )


def unit_agreement(rule: Rule, place: Place) -> bool:
    value, by = place.at(rule["value"]), place.at(rule["by"])
    listed = rule["table"].get(by, [value]) if isinstance(by, str) else [value]
    return not isinstance(value, str) or value in listed


Kind = Callable[[Rule, Place], bool]
PLAIN: tuple[Kind, ...] = (
    absent_when, adds_up, at_least_by, at_most, attachment, check_digit, given_when, has_key,
    index, listed, must_be, must_have, not_before, one_of_given, one_script, parts, product, refers,
    related, some_is, starts_with, unique, unit_agreement,
)  # fmt: skip
KINDS: dict[str, Kind] = {kind.__name__: kind for kind in PLAIN} | {"sum": sums}


def applies(rule: Rule, place: Place) -> bool:
    """R6"""
    if "when" not in rule:
        return True
    value = place.at(rule["when"])
    if value is NONE or "is" not in rule:
        return value is not NONE
    values = value if isinstance(value, list) else [value]
    return any(among(one, rule["is"]) for one in values)


def check_rules(rules: list[Rule], content: Any, facts: Any) -> None:
    whole = {**content, "header": facts}
    for rule in rules:
        each = rule.get("each", "")
        if rule["rule"] in ("index", "unique"):
            each = each.removesuffix("/*")
        places = [Place(whole, value) for value in lead(whole, steps(each))]
        applying = [place for place in places if applies(rule, place)]
        if rule["rule"] == "declared":
            held = all(place.at(rule["flag"]) is True for place in applying)
        else:
            held = all(KINDS[rule["rule"]](rule, place) for place in applying)
        if not held:
            refuse("rule_broken")
