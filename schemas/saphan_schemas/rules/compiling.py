"""From the data of a rule to a check: every kind, and what a rule list may not say.

A rule that this program cannot run is an error, never skipped: both ends run the same rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.rules import comparing, lists, presence
from saphan_schemas.rules.check_digits import METHODS
from saphan_schemas.rules.checks import COMMON, PATH, PATHS, Broken, Check, Kind, Rule
from saphan_schemas.rules.numbers import DECIMALS
from saphan_schemas.rules.paths import Root

KINDS: Final[dict[str, Kind]] = dict(
    sorted((comparing.KINDS | lists.KINDS | presence.KINDS).items())
)
"""Every kind of rule; a new one is a new version of every type that uses it."""
_STARRED: Final = frozenset(("each", "list", "of"))
"""Parameters that are one path, and that may lead to many values."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule, ready to run.

    Args:
        each: absolute path of its places, with `*`; "" for the whole content.
        name: its kind.
        check: with its guard; bare: without it.
        waits_at: a path that must lead to a value, or the rule holds; None if there is none.
        words: of which that value must be one, or hold one; None if any will do.
    """

    each: str
    name: str
    check: Check
    bare: Check
    waits_at: str | None = None
    words: tuple[Any, ...] | None = None


def compile_rule(rule: Rule, number: int = 0) -> Compiled:
    """A rule with its check.

    Args:
        number: its place in the list, for the error.

    Raises:
        InvalidInput: `rule_malformed` for an unknown kind, or a parameter that is missing, unknown
            or not of its form.
    """
    kind = _kind(rule, number)
    name, each = rule["rule"], rule.get("each", "")
    if name in lists.OF_ARRAYS:
        each = each.removesuffix("/*")
    bare = kind.make(rule)
    if "when" not in rule:
        return Compiled(each, name, bare, bare, rule.get(kind.waits) or None)
    words = tuple(rule["is"]) if "is" in rule else None
    return Compiled(each, name, _guarded(rule, bare), bare, rule["when"] or None, words)


def _guarded(rule: Rule, check: Check) -> Check:
    get, words = presence.applies(rule)

    def guarded(place: Any, root: Root) -> Broken | None:
        return check(place, root) if presence.holds(get(place, root), words) else None

    return guarded


def _kind(rule: Rule, number: int) -> Kind:
    kind = KINDS.get(rule["rule"]) if isinstance(rule.get("rule"), str) else None
    if kind is None:
        raise _malformed(number, "rule", "is not a kind of rule that this program knows")
    forms = {**COMMON, **kind.takes, **kind.needs}
    for name in kind.needs:
        if name not in rule:
            raise _malformed(number, name, "is missing")
    for name, value in rule.items():
        if name != "rule" and not (name in forms and FORMS[forms[name]](value)):
            raise _malformed(number, name, "is unknown or not of its form")
        if "*" in _unstarred(name, forms.get(name), value):
            raise _malformed(number, name, "leads by * where only one value can be meant")
    each = rule.get("each", "")
    if each and not each.startswith(("/body", "/about", "/attachments")):
        raise _malformed(number, "each", "does not begin with /body, /about or /attachments")
    if rule["rule"] in lists.OF_ARRAYS and not each.endswith("/*"):
        raise _malformed(number, "each", "does not end with /*")
    if rule.get("method", "cas") not in METHODS:
        raise _malformed(number, "method", "is not a method that this program knows")
    return kind


def _unstarred(name: str, form: str | None, value: Any) -> set[str]:
    """The steps of all paths of a parameter that has to lead to one value (R3)."""
    if form not in (PATH, PATHS) or (form == PATH and name in _STARRED):
        return set()
    return {step for path in ([value] if form == PATH else value) for step in path.split("/")}


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 400


def _is_word(value: Any) -> bool:
    return isinstance(value, (str, bool, int)) and len(str(value)) <= 200


def _is_table(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_table, value.values()))
    return (isinstance(value, list) and all(map(_is_word, value))) or _is_word(value)


def _is_texts_by(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    lists = value.values()
    return all(isinstance(texts, list) and all(map(_is_text, texts)) for texts in lists)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and _is_word(value)


def _are_paths(value: Any) -> bool:
    return _all(_is_path)(value) and len(value) <= LIMITS.rule_paths


def _all(form: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(form, value))


FORMS: Final[dict[str, Callable[[Any], bool]]] = {
    "path": _is_path,
    "paths": _are_paths,
    "word": lambda value: isinstance(value, str),
    "words": lambda value: value == [] or _all(_is_word)(value),
    "count": lambda value: type(value) is int and 0 <= value <= 100,
    "decimals": lambda value: type(value) is int and 0 <= value <= DECIMALS,
    "table": lambda value: isinstance(value, dict) and _is_table(value),
    "texts": _all(_is_text),
    "texts_by": _is_texts_by,
}


def _malformed(number: int, name: str, says: str) -> InvalidInput:
    return InvalidInput(
        "rule_malformed",
        f"rules/{number}/{name} {says}",
        field=f"/rules/{number}/{name}",
        hint="see the table of rules in schemas/spec/content.md",
    )
