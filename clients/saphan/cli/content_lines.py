"""What a bulletin says, line by line, with the names of fields and codes in the reader's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from saphan_schemas.fields import Field, choice_of, field_at, known_root
from saphan_schemas.labels import label_key, title
from saphan_schemas.messages import LANGUAGES, has_text, text

Json = dict[str, Any]


class ContentWords:
    """The words for one type's content.

    Args:
        schema: the type's name; of one that this program has not, fields are called by their names.
        lang: of names and codes; read: languages of texts, those that are read best first.
    """

    def __init__(self, schema: str, lang: str, read: Sequence[str]) -> None:
        self._schema, self._lang, self._read = schema, lang, read
        self._root = known_root(schema)

    def lines(self, value: Any, pointer: str, depth: int = 0) -> Iterator[str]:
        """A value of the content and everything in it.

        Args:
            pointer: of the value, such as "/body".
        """
        pad = "  " * depth
        if isinstance(value, dict):
            for name, item in _languages_first(value, self._read):
                here = f"{pointer}/{name}"
                called = self._name(here, name, value)
                if isinstance(item, dict | list) and item:
                    yield f"{pad}{called}:"
                    yield from self.lines(item, here, depth + 1)
                else:
                    yield f"{pad}{called}: {self._scalar(item, here)}"
        elif isinstance(value, list):
            for number, item in enumerate(value):
                here = f"{pointer}/{number}"
                if isinstance(item, dict | list):
                    lines = list(self.lines(item, here, depth + 1))
                    yield f"{pad}- {lines[0].strip()}" if lines else f"{pad}-"
                    yield from lines[1:]
                else:
                    yield f"{pad}- {self._scalar(item, here)}"

    def _name(self, pointer: str, name: str, around: Json) -> str:
        """A field's title; of a text in several languages the language's name."""
        if _is_by_language(around):
            key = f"language.{name}"
            return text(key, self._lang) if has_text(key) else name
        if self._field(pointer) is None:
            return name.replace("_", " ")
        return title(label_key(self._schema, pointer, self._root), self._lang)

    def _scalar(self, value: Any, pointer: str) -> str:
        if value is None or value == {} or value == []:
            return "-"
        if isinstance(value, bool):
            return text("right.true" if value else "right.false", self._lang)
        field = self._field(pointer)
        choice = None if field is None else choice_of(field.node)
        if choice is None or not choice.listed or value not in choice.codes:
            return str(value)
        words = choice.label(str(value), self._lang)
        return words if words == value else f"{words} ({value})"

    def _field(self, pointer: str) -> Field | None:
        return field_at(self._root, pointer)


def _is_by_language(value: Json) -> bool:
    return bool(value) and set(value) <= {*LANGUAGES, "th", "vi", "fr"}


def _languages_first(value: Json, read: Sequence[str]) -> list[tuple[str, Any]]:
    """Of a text in several languages, those that the reader reads come first; all are shown."""
    items = list(value.items())
    if _is_by_language(value):
        items.sort(key=lambda item: read.index(item[0]) if item[0] in read else len(read))
    return items
