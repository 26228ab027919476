"""A value of the content and everything in it, as items in the reader's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from saphan_schemas.messages import LANGUAGES, has_text, text

from saphan.showing.captions import caption
from saphan.showing.items import Item, Kind
from saphan.showing.places import Places
from saphan.showing.texts import OF_SCRIPT, UNKNOWN, Text, ordered, told

Json = dict[str, Any]
TONGUES: Final = frozenset({*LANGUAGES, "th", "vi", "fr"})
ON_ONE_LINE: Final = frozenset({"date_approx", "money", "period"})
_KINDS: Final[dict[str, Kind]] = {
    "time": "time",
    "date": "day",
    "bulletin_id": "bulletin",
    "attachment_ref": "file",
}
"""Shared types that a page shows in a way of their own."""


class Naming:
    """Names the values of one type's content.

    Args:
        lang: of names and codes; read: languages of texts, those that are read best first.
        by_schema: fields stand in the order of the type, not in that of the content's bytes.
    """

    def __init__(
        self, places: Places, lang: str, read: Sequence[str], *, by_schema: bool = True
    ) -> None:
        self._places = places
        self._lang = lang
        self._read = tuple(read)
        self._by_schema = by_schema

    def group(self, value: Json, pointer: str) -> tuple[Item, ...]:
        """The named values of an object.

        Args:
            pointer: of the object, such as "/body".
        """
        names = self._places.order(pointer, value) if self._by_schema else value
        return tuple(self._named(f"{pointer}/{name}", name, value) for name in names)

    def _named(self, pointer: str, name: str, around: Json) -> Item:
        title = self._places.title(pointer, name, self._lang)
        return self._item(pointer, name, title, around[name], around)

    def _item(self, pointer: str, name: str, title: str, value: Any, around: Json) -> Item:
        about = self._places.help(pointer, self._lang) if title else ""
        if value is None or value == {} or value == []:
            return Item(pointer, title, about, "empty", (Text("-", ""),))
        if isinstance(value, dict):
            if by_language(value):
                texts = tuple(Text(str(value[k]), k) for k in ordered(list(value), self._read))
                return Item(pointer, title, about, "languages", texts)
            return self._group(pointer, title, about, value)
        if isinstance(value, list):
            entries = (
                self._item(f"{pointer}/{number}", "", "", one, {})
                for number, one in enumerate(value)
            )
            return Item(pointer, title, about, "list", below=tuple(entries))
        return self._scalar(pointer, name, (title, about), value, around)

    def _group(self, pointer: str, title: str, about: str, value: Json) -> Item:
        field = self._places.field(pointer)
        shared = "" if field is None else field.shared
        below = self.group(value, pointer)
        plain = not any(item.kind in ("group", "list", "languages") for item in below)
        return Item(
            pointer,
            title,
            about,
            "group",
            below=below,
            caption=caption(shared, value, self._read),
            inline=plain and shared in ON_ONE_LINE,
        )

    def _scalar(
        self, pointer: str, name: str, called: tuple[str, str], value: Any, around: Json
    ) -> Item:
        if isinstance(value, bool):
            word = text("right.true" if value else "right.false", self._lang)
            return Item(pointer, *called, "flag", (Text(word, self._lang),))
        choice = self._places.choice(pointer, name, around)
        if choice is not None and choice.listed and value in choice.codes:
            words = choice.label(str(value), self._lang)
            code = "" if words == value else str(value)
            return Item(pointer, *called, "code", (Text(words, self._lang),), code)
        field = self._places.field(pointer)
        shared = "" if field is None else field.shared
        if shared == "language" and has_text(f"language.{value}"):
            return Item(
                pointer, *called, "code", (Text(tongue(value, self._lang), self._lang),), value
            )
        kind = _KINDS.get(shared, "text")
        return Item(pointer, *called, kind, (_text(value, around),))


def by_language(value: Json) -> bool:
    """Whether an object is one text in several languages."""
    return bool(value) and value.keys() <= TONGUES


def tongue(lang: str, reader: str) -> str:
    """A language's name in the reader's language; its tag where the catalogue has none."""
    key = f"language.{lang}"
    return text(key, reader) if has_text(key) else lang


def _text(value: Any, around: Json) -> Text:
    """A text beside which its language may stand, as beside a name."""
    found, said = told(str(value)), str(around.get("lang"))
    if found.lang == UNKNOWN and said in TONGUES and said not in OF_SCRIPT:
        return Text(found.text, said)  # a romanised name is not Lao
    return found
