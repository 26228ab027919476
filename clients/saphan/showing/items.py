"""What a document is made of: a tree of named values, and the sections that it begins with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from saphan.showing.texts import Text

_WORD: Final = re.compile(r"[a-z][a-z0-9_+-]*")
Kind = Literal[
    "text", "code", "flag", "time", "day", "languages", "group", "list", "bulletin", "file", "empty"
]
"""What stands there: `text` one text; `code` words and the exact code; `flag` yes or no; `time`
and `day` as RFC 3339 writes them; `languages` the same text in several; `group` named values
below; `list` entries below; `bulletin` another one's id; `file` the number of an attachment."""


@dataclass(frozen=True, slots=True)
class Item:
    """One named value, or one entry of a list.

    Args:
        pointer: in the content, such as "/body/persons/0/sex"; name: in the reader's words, ""
            for an entry of a list; help: one sentence about the field, or "".
        values: what is written there: one text, or one for each language.
        code: exact code beside its words, or "".
        below: values of a group, entries of a list.
        caption: what a group is about, such as a person's name; inline: a group of few values
            that belong on one line, such as a date and how exactly it is known.
    """

    pointer: str
    name: str
    help: str
    kind: Kind
    values: tuple[Text, ...] = ()
    code: str = ""
    below: tuple[Item, ...] = ()
    caption: Text | None = None
    inline: bool = False

    @property
    def millis(self) -> int | None:
        """Of a `time` or a `day` (its first instant): ms UTC; None if it is none."""
        try:
            found = datetime.fromisoformat(self.values[0].text)
        except (IndexError, ValueError):
            return None
        return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1000)

    @property
    def shown_code(self) -> str:
        """The code where people use it, such as "LA-CH" or "H1"; "" for a word of programs."""
        return "" if _WORD.fullmatch(self.code) else self.code

    @property
    def anchor(self) -> str:
        """The place in a page's address."""
        return "at" + self.pointer.replace("/", "-")


@dataclass(frozen=True, slots=True)
class Section:
    """Values that belong together, under a heading in the reader's language."""

    key: str
    heading: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What a bulletin says.

    Args:
        lang: of names and codes.
        title, summary: in every language that they are written in, the reader's first.
        sections: everything, the title and the summary as well.
    """

    lang: str
    title: tuple[Text, ...]
    summary: tuple[Text, ...]
    sections: tuple[Section, ...]

    def each(self) -> tuple[Item, ...]:
        """Every item of the tree, in the order in which it is read."""
        waiting = [item for section in reversed(self.sections) for item in reversed(section.items)]
        found = list[Item]()
        while waiting:
            item = waiting.pop()
            found.append(item)
            waiting.extend(reversed(item.below))
        return tuple(found)
