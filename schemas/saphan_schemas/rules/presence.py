"""Kinds of rules about what must, may not or must not be missing, and what a field must say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from saphan_schemas.rules.checks import (
    COUNT,
    PATH,
    PATHS,
    WORDS,
    Broken,
    Check,
    Kind,
    Rule,
)
from saphan_schemas.rules.paths import Root, getter

Words: TypeAlias = frozenset[tuple[type, Any]]
_OF_WORDS: Final = frozenset((str, int, bool))


def _given_when(rule: Rule) -> Check:
    """Every path of `given` leads to a value (where `when` says that the rule applies)."""
    pairs = [(getter(path), Broken(path, "is missing", _reason(rule))) for path in rule["given"]]

    def check(place: Any, root: Root) -> Broken | None:
        for get, broken in pairs:
            if get(place, root) is None:
                return broken
        return None

    return check


def _absent_when(rule: Rule) -> Check:
    """No path of `absent` leads to a value (where `when` says that the rule applies)."""
    pairs = [
        (getter(path), Broken(path, "does not belong here", _reason(rule)))
        for path in rule["absent"]
    ]

    def check(place: Any, root: Root) -> Broken | None:
        for get, broken in pairs:
            if get(place, root) is not None:
                return broken
        return None

    return check


def _reason(rule: Rule) -> dict[str, Any]:
    return {key: rule[key] for key in ("when", "is") if key in rule}


def _one_of_given(rule: Rule) -> Check:
    """Of the paths in `of` at least `least` and at most `most` lead to a value."""
    getters = [getter(path) for path in rule["of"]]
    least, most = rule.get("least", 1), rule.get("most", len(getters))
    says = {"of": list(rule["of"]), "least": least, "most": most}
    few = Broken(rule["of"][0], f"is missing: give {least} of {', '.join(rule['of'])}", says)

    def check(place: Any, root: Root) -> Broken | None:
        count = 0
        for get in getters:
            if get(place, root) is not None:
                count += 1
        if count < least:
            return few
        if count > most:
            given = [number for number, get in enumerate(getters) if get(place, root) is not None]
            surplus = rule["of"][given[most]]
            return Broken(surplus, f"is more than {most} of {', '.join(rule['of'])}", says)
        return None

    return check


def _must_be(rule: Rule) -> Check:
    """The value at `value`, or each item of the array there, is one of `be`."""
    get, allowed = getter(rule["value"]), rule["be"]
    words = typed(allowed)
    texts = frozenset(word for word in allowed if type(word) is str)
    broken = Broken(rule["value"], f"must be {_words(allowed)}", {"allowed": list(allowed)})

    def check(place: Any, root: Root) -> Broken | None:
        value = get(place, root)
        if type(value) is str:
            return None if value in texts else broken
        if value is None or (type(value) is list and all(one_of(v, words) for v in value)):
            return None
        return None if one_of(value, words) else broken

    return check


def _must_have(rule: Rule) -> Check:
    """The array at `value` holds every word of `all`."""
    get = getter(rule["value"])
    missing = {
        (type(word), word): Broken(rule["value"], f"must hold {word}", {"holds": word})
        for word in rule["all"]
    }

    def check(place: Any, root: Root) -> Broken | None:
        value = get(place, root)
        if type(value) is not list:
            return None
        held = typed(value)
        for word, broken in missing.items():
            if word not in held:
                return broken
        return None

    return check


def _declared(rule: Rule) -> Check:
    """Where the rule finds a place, the value at `flag` is true."""
    get = getter(rule["flag"])
    said = "is not true although there are such entries"
    broken = Broken(rule["flag"], said, {"allowed": [True], "because": rule.get("each", "")})
    return lambda place, root: None if get(place, root) is True else broken


def _has_key(rule: Rule) -> Check:
    """The map at `map` has the key that is written at `key`."""
    get_map, get_key = getter(rule["map"]), getter(rule["key"])

    def check(place: Any, root: Root) -> Broken | None:
        found, key = get_map(place, root), get_key(place, root)
        if type(found) is not dict or type(key) is not str or key in found:
            return None
        said = f"has no text in the language given as {rule['key']}"
        return Broken(rule["map"], said, {"key": rule["key"]})

    return check


def applies(rule: Rule) -> tuple[Any, Words | None]:
    """The guard of a rule with `when`: the getter of its value, and the words it must be one of."""
    return getter(rule["when"]), typed(rule["is"]) if "is" in rule else None


def holds(value: Any, words: Words | None) -> bool:
    """Whether a guard's value is there (no `words`), is one of them, or is an array with one."""
    if value is None or words is None:
        return value is not None
    if type(value) is list:
        return any(one_of(item, words) for item in value)
    return one_of(value, words)


def typed(values: Iterable[Any]) -> Words:
    """The texts, integers and booleans of a list, each with its type: 1 is not true."""
    return frozenset((type(value), value) for value in values if type(value) in _OF_WORDS)


def one_of(value: Any, words: Words) -> bool:
    """Whether a value is one of these words, and of its type."""
    return type(value) in _OF_WORDS and (type(value), value) in words


def _words(words: list[Any]) -> str:
    return " or ".join(str(word).lower() if word in (True, False) else str(word) for word in words)


KINDS: Final[dict[str, Kind]] = {
    "absent_when": Kind(_absent_when, {"absent": PATHS}, {}),
    "declared": Kind(_declared, {"flag": PATH}, {}),
    "given_when": Kind(_given_when, {"given": PATHS}, {}),
    "has_key": Kind(_has_key, {"map": PATH, "key": PATH}, {}, waits="map"),
    "must_be": Kind(_must_be, {"value": PATH, "be": WORDS}, {}, waits="value"),
    "must_have": Kind(_must_have, {"value": PATH, "all": WORDS}, {}, waits="value"),
    "one_of_given": Kind(_one_of_given, {"of": PATHS}, {"least": COUNT, "most": COUNT}),
}
