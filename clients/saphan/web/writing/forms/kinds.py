"""What a type's form needs and never changes: its sheet, its rules, its labels; made once.

A page asks for the same form after every keystroke, and compiling a type's schema takes longer
than filling the form in: everything that depends on the type alone is kept.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from saphan_schemas.body_types import BodyType
from saphan_schemas.explaining import rightly
from saphan_schemas.fields import Choice, Field, Schema, choice_of, field_of, in_languages
from saphan_schemas.labels import description, label_key, title
from saphan_schemas.messages import has_text, text
from saphan_schemas.profile_keywords import by_first
from saphan_schemas.rules import Rule
from saphan_schemas.rules.compiling import Compiled, compile_rule

from saphan.form.checking import Checker
from saphan.form.conditions import Conditions
from saphan.form.rulings import Rulings
from saphan.form.sheet import sheet_of

MOST_KINDS: Final = 64
"""Types whose forms are kept ready; an officer writes fewer."""
MOST_SHAPES: Final = 4_096
"""Schemas of one type whose shapes are kept; conditions make new ones of a few."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a schema asks for.

    Args:
        choice: of a code; text: of a text by language, the schema of one.
    """

    field: Field
    choice: Choice | None
    text: Field | None


class FormKind:
    """One type's form.

    Args:
        kind: the type; an agency's own one with its bundle.
    """

    def __init__(self, kind: BodyType) -> None:
        self.name = kind.name
        self.sheet = sheet_of(kind)
        self.conditions = Conditions(self.sheet)
        self.checker = Checker(kind.name, self.sheet)
        rules: list[Rule] = kind.bundle["rules"]
        self.rulings = Rulings(rules)
        self.compiled: list[Compiled] = [compile_rule(rule, at) for at, rule in enumerate(rules)]
        self._lists = dict(_pointed(rules))
        self._words: dict[tuple[str, str], tuple[str, str]] = {}
        self._shapes: dict[int, tuple[Schema, Shape]] = {}
        self._hints: dict[tuple[str, str], str] = {}

    def shape(self, schema: Schema) -> Shape:
        """What a schema of the sheet asks for."""
        known = self._shapes.get(id(schema))
        if known is None:
            if len(self._shapes) >= MOST_SHAPES:
                self._shapes.clear()
            found = self.field(schema)
            texts = in_languages(found.node)
            text_field = None if texts is None else field_of(self.sheet, texts)
            # As long as the schema is kept here, no other one has its id.
            known = (schema, Shape(found, choice_of(found.node), text_field))
            self._shapes[id(schema)] = known
        return known[1]

    def field(self, schema: Schema) -> Field:
        """A schema with its references followed; where the first of its `allOf` describes the
        value, that one with what the node itself says besides."""
        found = field_of(self.sheet, schema)
        while by_first(found.node):
            inner = field_of(self.sheet, found.node["allOf"][0])
            rest = {key: value for key, value in found.node.items() if key != "allOf"}
            found = Field({**inner.node, **rest}, inner.shared or found.shared)
        return found

    def words(self, pointer: str, lang: str) -> tuple[str, str]:
        """What a field is called, and one sentence that helps to fill it in, or ""."""
        path = any_entry(pointer)
        found = self._words.get((path, lang))
        if found is None:
            found = self._words[path, lang] = self._worded(path, lang)
        return found

    def _worded(self, path: str, lang: str) -> tuple[str, str]:
        around = "wish" + path.replace("/", ".")
        if has_text(around):
            helped = f"{around}.help"
            return text(around, lang), text(helped, lang) if has_text(helped) else ""
        key = label_key(self.name, path.replace("/*", "/0"), self.sheet)
        return title(key, lang), description(key, lang)

    def hint(self, pointer: str, field: Field, lang: str) -> str:
        """What may be typed into a field, such as "a day such as 2025-10-14"."""
        path = f"{any_entry(pointer)}?{field.node.get('pattern', '')}"
        found = self._hints.get((path, lang))
        if found is None:
            key = label_key(self.name, pointer, self.sheet)
            found = self._hints[path, lang] = rightly(field, lang, key)
        return found

    def list_meant(self, pointer: str) -> str | None:
        """Of a field that names an entry of a list by its number: the pointer of that list."""
        into = self._lists.get(any_entry(pointer))
        if into != "":
            return into
        return pointer.rpartition("/")[0].rpartition("/")[0]  # a sibling in its own list


def form_kind(kind: BodyType) -> FormKind:
    """The form of a type, made at its first use.

    Raises:
        InvalidInput: `schema_malformed`, `rule_malformed`: an own type's bundle cannot be used.
    """
    return _made(_ByDigest(kind))


class _ByDigest:
    """A type by its name and digest: two objects of one type are the same type."""

    def __init__(self, kind: BodyType) -> None:
        self.kind = kind
        self._same = (kind.name, kind.digest)

    def __hash__(self) -> int:
        return hash(self._same)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByDigest) and self._same == other._same


@functools.lru_cache(maxsize=MOST_KINDS)
def _made(wanted: _ByDigest) -> FormKind:
    return FormKind(wanted.kind)


def any_entry(pointer: str) -> str:
    """A pointer with `*` in place of the number of every entry."""
    return "/".join("*" if step.isdigit() else step for step in pointer.split("/"))


def _pointed(rules: list[Rule]) -> list[tuple[str, str]]:
    """(path with `*` of a field that is the number of an entry, pointer of the list or "")."""
    found = []
    for rule in rules:
        path = f"{rule.get('each', '')}/{rule.get('value', '')}".removesuffix("/")
        if rule["rule"] == "index":
            found.append((path, ""))
        elif rule["rule"] == "refers" and str(rule["into"]).startswith("/"):
            found.append((path, str(rule["into"])))
    return found
