"""What a bulletin says, line by line, with the names of fields and codes in the reader's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from saphan.showing.items import Item
from saphan.showing.naming import Naming, tongue
from saphan.showing.places import places_of


class ContentWords:
    """The words for one type's content.

    Args:
        schema: the type's name; of one that this program has not, fields are called by their names.
        lang: of names and codes; read: languages of texts, those that are read best first.
    """

    def __init__(self, schema: str, lang: str, read: Sequence[str]) -> None:
        self._naming = Naming(places_of(schema), lang, read, by_schema=False)
        self._lang = lang

    def lines(self, value: dict[str, Any], pointer: str) -> Iterator[str]:
        """Everything in an object of the content.

        Args:
            pointer: of the object, such as "/body".
        """
        for item in self._naming.group(value, pointer):
            yield from self._named(item, 0)

    def _named(self, item: Item, depth: int) -> Iterator[str]:
        pad = "  " * depth
        if item.kind in ("group", "list", "languages"):
            yield f"{pad}{item.name}:"
            yield from self._below(item, depth + 1)
        else:
            yield f"{pad}{item.name}: {_scalar(item)}"

    def _below(self, item: Item, depth: int) -> Iterator[str]:
        pad = "  " * depth
        if item.kind == "languages":
            for value in item.values:
                yield f"{pad}{tongue(value.lang, self._lang)}: {value.text}"
        elif item.kind == "list":
            for entry in item.below:
                if entry.kind in ("group", "list", "languages"):
                    first, *more = self._below(entry, depth + 1)
                    yield f"{pad}- {first.strip()}"
                    yield from more
                else:
                    yield f"{pad}- {_scalar(entry)}"
        else:
            for one in item.below:
                yield from self._named(one, depth)


def _scalar(item: Item) -> str:
    words = item.values[0].text
    return f"{words} ({item.code})" if item.code else words
