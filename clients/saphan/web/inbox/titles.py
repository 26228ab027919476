"""Titles of what was opened here, for lists: nothing else of a content is read for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from saphan_schemas.codec import decode
from saphan_schemas.decoders import json_decoder

from saphan.desk.desk import Desk
from saphan.desk.inbox import Opened
from saphan.desk.kept import KeptDays
from saphan.desk.store import ROW_BYTES, Shelf
from saphan.showing.texts import Text, ordered

TITLE_CHARS: Final = 200
"""A list shows the beginning; the whole stands in the bulletin."""


class _About(msgspec.Struct):
    title: dict[str, str] = {}
    reference: str = ""


class _Said(msgspec.Struct):
    about: _About


class _Content(msgspec.Struct):
    content: _Said


_contents: Final = json_decoder(_Content)


def titles(desk: Desk, bulletins: Iterable[str], read: tuple[str, ...]) -> Mapping[str, Text]:
    """Title, or else the reference, of those of these ids that were opened here; blocking.

    Args:
        read: languages that the officer reads, the best first.
    """
    found: dict[str, Text] = {}
    kept = KeptDays(desk)
    for text in bulletins:
        name = bytes.fromhex(text)
        value = desk.store.get(Shelf.OPENED, name) if kept.shown(name) else None
        if value is not None and (title := _title(value, read)) is not None:
            found[text] = title
    return found


def _title(value: bytes, read: tuple[str, ...]) -> Text | None:
    try:
        about = _contents.decode(decode(Opened, value, ROW_BYTES, "opened").value).content.about
    except msgspec.DecodeError:
        return None  # an agency's own type may title its bulletins in another way
    if not about.title:
        return Text(about.reference[:TITLE_CHARS], "") if about.reference else None
    best = ordered(list(about.title), read)[0]
    return Text(about.title[best][:TITLE_CHARS], best)
