"""A type on the terminal: its fields in the officer's words, what each may be, its rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from saphan_schemas.bodies import NAMES
from saphan_schemas.body_types import BodyType
from saphan_schemas.errors import InvalidInput
from saphan_schemas.explaining import rightly
from saphan_schemas.fields import (
    Choice,
    Field,
    Schema,
    choice_of,
    field_at,
    field_of,
    in_languages,
)
from saphan_schemas.labels import description, keys_of, label_key, title
from saphan_schemas.messages import text
from saphan_schemas.width import fit, width

from saphan.form.sheet import content_of

NAME_CELLS: Final = 34
DEEPEST: Final = 12
"""Below it nothing is shown; no type of this package nests so deep."""


def type_value(kind: BodyType, lang: str) -> dict[str, Any]:
    """A type for programs: its bundle, its digest, and the words for its fields."""
    keys = sorted(keys_of(kind.name, content_of(kind)))
    words = {key: [title(key, lang), description(key, lang)] for key in keys}
    return {"name": kind.name, "digest": kind.digest.hex(), "labels": words, **kind.bundle}


def type_page(kind: BodyType, field: str | None, lang: str, *, all_codes: bool) -> Iterator[str]:
    """A type for a person, or one of its fields with everything below it.

    Args:
        field: such as "body/substances" or "about"; the body if it is None.
        all_codes: list every code of every choice.

    Raises:
        InvalidInput: `field_unknown`.
    """
    name, root = kind.name, content_of(kind)
    word = name.split("/")[1] if name in NAMES else name
    pointer = "/" + (field or "body").strip("/").replace(".", "/")
    found = field_at(root, pointer)
    if found is None:
        raise InvalidInput(
            "field_unknown",
            f"{name} has no field {pointer[1:][:80]}",
            field="field",
            hint=f"saphan schema show {word}",
        )
    page = _Page(name, root, lang, all_codes=all_codes)
    key = label_key(name, pointer, root)
    yield f"{title(key, lang)} - {name}" + ("" if field is None else f" {pointer}")
    yield description(key, lang)
    yield ""
    yield from page.below(found, pointer, 0)
    yield ""
    yield text("note.schema_required", lang)
    if field is None:
        yield text("note.schema_about", lang, type=word)
        yield text("note.schema_rules", lang, count=len(kind.bundle["rules"]))


class _Page:
    """Fields of one type, walked from the top down."""

    def __init__(self, name: str, root: Schema, lang: str, *, all_codes: bool) -> None:
        self._name, self._root, self._lang, self._all_codes = name, root, lang, all_codes

    def below(self, field: Field, pointer: str, depth: int) -> Iterator[str]:
        """Everything inside a field; a field without parts says what may stand in it."""
        node = self._entry(field).node
        if "properties" not in node:
            yield from self._said(self._entry(field), pointer, depth)
            return
        required = node.get("required", ())
        for name, schema in node["properties"].items():
            here = f"{pointer}/{name}"
            yield from self._field(name, here, schema, depth, required=name in required)

    def _field(
        self, name: str, pointer: str, schema: Schema, depth: int, *, required: bool
    ) -> Iterator[str]:
        field = field_of(self._root, schema)
        pad = "  " * depth
        mark = " *" if required else ""
        many = " []" if field.node.get("type") == "array" else ""
        named = f"{pad}{name}{many}{mark}"
        cells = max(NAME_CELLS, width(named) + 2)
        yield f"{fit(named, cells)}{title(label_key(self._name, pointer, self._root), self._lang)}"
        inner = self._entry(field)
        if "properties" in inner.node and depth < DEEPEST:
            yield from self.below(inner, pointer if not many else f"{pointer}/0", depth + 1)
        else:
            yield from self._said(inner, pointer, depth + 1)

    def _entry(self, field: Field) -> Field:
        """Of a list: what one entry is."""
        while field.node.get("type") == "array":
            field = field_of(self._root, field.node["items"])
        return field

    def _said(self, field: Field, pointer: str, depth: int) -> Iterator[str]:
        """What may stand in a field without parts, on lines below its name."""
        pad = "  " * depth + " " * 2
        choice = choice_of(field.node)
        if choice is not None and self._all_codes:
            yield from (f"{pad}{line}" for line in _codes(choice, self._lang))
            return
        languages = in_languages(field.node)
        right = rightly(field, self._lang, label_key(self._name, pointer, self._root))
        if languages is not None:
            right = f"lo, km, en, ...: {rightly(field_of(self._root, languages), self._lang)}"
        yield f"{pad}{right}"


def _codes(choice: Choice, lang: str) -> Iterator[str]:
    cells = max(map(width, choice.codes)) + 2
    for code in choice.codes:
        yield f"{fit(code, cells)}{choice.label(code, lang)}".rstrip()
