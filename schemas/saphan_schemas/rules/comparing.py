"""Kinds of rules that compare values: dates, counts, quantities, texts, codes in a table."""

from __future__ import annotations

from typing import Any, Final

from saphan_schemas.rules.check_digits import METHODS
from saphan_schemas.rules.checks import (
    PATH,
    PATHS,
    PLACES,
    TABLE,
    TEXTS_BY,
    WORD,
    Broken,
    Check,
    Kind,
    Rule,
)
from saphan_schemas.rules.numbers import DECIMALS, rounded, scaled, unscaled
from saphan_schemas.rules.paths import Root, getter
from saphan_schemas.scripts import mixed_word


def _not_before(rule: Rule) -> Check:
    """`later` is not before `earlier`, compared as exactly as the less exact of the two."""
    get_earlier, get_later = getter(rule["earlier"]), getter(rule["later"])
    broken = Broken(rule["later"], f"is before {rule['earlier']}", {"not_before": rule["earlier"]})

    def check(place: Any, root: Root) -> Broken | None:
        later, earlier = get_later(place, root), get_earlier(place, root)
        if type(later) is not str or type(earlier) is not str:
            return None
        if len(later) == len(earlier) and later >= earlier:
            return None  # most: both days, or both times of one form
        left, right = _comparable(earlier), _comparable(later)
        length = min(len(left), len(right))
        return broken if right[:length] < left[:length] else None

    return check


def _comparable(value: str) -> str:
    """A date as it is; a UTC time with milliseconds, so that text order is time order."""
    if "T" not in value:
        return value
    return value[:19] + (value[19:23] if "." in value else ".000")


def _at_most(rule: Rule) -> Check:
    """The count or quantity `value` is not more than `limit`."""
    get_value, get_limit = getter(rule["value"]), getter(rule["limit"])
    broken = Broken(rule["value"], f"is more than {rule['limit']}", {"at_most": rule["limit"]})

    def check(place: Any, root: Root) -> Broken | None:
        value, limit = scaled(get_value(place, root)), scaled(get_limit(place, root))
        return broken if value is not None and limit is not None and value > limit else None

    return check


def _starts_with(rule: Rule) -> Check:
    """The text `value` begins with the text at `with`, followed by `join` if the rule has one."""
    get_value, get_start, join = getter(rule["value"]), getter(rule["with"]), rule.get("join", "")
    said = f"does not begin with {rule['with']}"
    broken = Broken(rule["value"], said, {"starts_with": rule["with"]})

    def check(place: Any, root: Root) -> Broken | None:
        value, start = get_value(place, root), get_start(place, root)
        if type(value) is not str or type(start) is not str or value.startswith(start + join):
            return None
        return broken

    return check


def _check_digit(rule: Rule) -> Check:
    """The check digit of `value` agrees with its other characters."""
    get_value, method = getter(rule["value"]), METHODS[rule["method"]]
    broken = Broken(
        rule["value"], "has a check digit that does not fit", {"check_digit": rule["method"]}
    )

    def check(place: Any, root: Root) -> Broken | None:
        value = get_value(place, root)
        return None if type(value) is not str or method(value) else broken

    return check


def _one_script(rule: Rule) -> Check:
    """No word of the text at `value` has letters of two scripts: one of them would be a fake."""
    get_value = getter(rule["value"])
    broken = Broken(rule["value"], "has a word that mixes scripts", {"one_script": True})

    def check(place: Any, root: Root) -> Broken | None:
        value = get_value(place, root)
        # ASCII has one script: most numbers and plates need no look at the table.
        if type(value) is not str or value.isascii() or mixed_word(value) is None:
            return None
        return broken

    return check


def _product(rule: Rule) -> Check:
    """`value` is the product of the values at `of`, rounded half up to `places` decimals."""
    get_value, getters = getter(rule["value"]), [getter(path) for path in rule["of"]]
    places = rule["places"]

    def check(place: Any, root: Root) -> Broken | None:
        value = scaled(get_value(place, root))
        factors = [scaled(get(place, root)) for get in getters]
        if value is None:
            return None
        product = 1
        for factor in factors:
            if factor is None:
                return None
            product *= factor
        expected = rounded(product, DECIMALS * len(factors), places)
        if value == expected:
            return None
        said = {"product": list(rule["of"]), "value": unscaled(expected)}
        return Broken(rule["value"], f"is not the product, {unscaled(expected)}", said)

    return check


def _parts(rule: Rule) -> Check:
    """`value` is the exact sum of the values at `of`; an absent one adds nothing."""
    get_value, getters = getter(rule["value"]), [getter(path) for path in rule["of"]]

    def check(place: Any, root: Root) -> Broken | None:
        value = scaled(get_value(place, root))
        if value is None:
            return None
        expected = sum(scaled(get(place, root)) or 0 for get in getters)
        if value == expected:
            return None
        said = {"parts": list(rule["of"]), "sum": unscaled(expected)}
        return Broken(rule["value"], f"is not the sum of its parts, {unscaled(expected)}", said)

    return check


def _unit_agreement(rule: Rule) -> Check:
    """`value` is one of the codes that `table` lists for the code at `by`, if it lists any."""
    get_value, get_by, table = getter(rule["value"]), getter(rule["by"]), rule["table"]
    known = {by: frozenset(texts) for by, texts in table.items()}

    def check(place: Any, root: Root) -> Broken | None:
        value, by = get_value(place, root), get_by(place, root)
        if type(by) is not str or by not in known or type(value) is not str or value in known[by]:
            return None
        allowed = table[by]
        return Broken(
            rule["value"],
            f"does not go with {rule['by']}; allowed are {', '.join(allowed)}",
            {"allowed": list(allowed), "by": rule["by"]},
        )

    return check


ANY: Final = "*"
"""A key of a nested table: whatever else stands there."""


def _at_least_by(rule: Rule) -> Check:
    """The count or quantity `value` is at least what `table` says for the codes at `by`."""
    get_value, getters, table = getter(rule["value"]), list(map(getter, rule["by"])), rule["table"]

    def check(place: Any, root: Root) -> Broken | None:
        value = scaled(get_value(place, root))
        least: Any = table
        for get in getters:
            code = get(place, root)
            if type(least) is not dict or (code is not None and type(code) is not str):
                return None
            least = least.get(code, least.get(ANY))
        bound = scaled(least)
        if value is None or bound is None or value >= bound:
            return None
        said = f"is less than {unscaled(bound)}"
        return Broken(rule["value"], said, {"at_least": unscaled(bound)})

    return check


KINDS: Final[dict[str, Kind]] = {
    "at_least_by": Kind(
        _at_least_by, {"value": PATH, "by": PATHS, "table": TABLE}, {}, waits="value"
    ),
    "at_most": Kind(_at_most, {"value": PATH, "limit": PATH}, {}, waits="value"),
    "check_digit": Kind(_check_digit, {"value": PATH, "method": WORD}, {}, waits="value"),
    "not_before": Kind(_not_before, {"earlier": PATH, "later": PATH}, {}, waits="later"),
    "one_script": Kind(_one_script, {"value": PATH}, {}),
    "parts": Kind(_parts, {"value": PATH, "of": PATHS}, {}, waits="value"),
    "product": Kind(_product, {"value": PATH, "of": PATHS, "places": PLACES}, {}, waits="value"),
    "starts_with": Kind(_starts_with, {"value": PATH, "with": PATH}, {"join": WORD}, waits="value"),
    "unit_agreement": Kind(
        _unit_agreement, {"value": PATH, "by": PATH, "table": TEXTS_BY}, {}, waits="value"
    ),
}
