"""Finding: word for word first, then by the sound of names and the end of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from saphan.desk.desk import Desk
from saphan.desk.listed import InboxRow
from saphan.folding.packing import pack
from saphan.folding.searching import search_key
from saphan.web.seeking.entries import Entry, Key, head_text
from saphan.web.seeking.index import SearchIndex
from saphan.web.seeking.question import Filters, Group, Question


class Hit(NamedTuple):
    """One that was found; `alike`: by sound or by the end of a number alone.

    Sorted, the surest and newest come first."""

    alike: bool
    older: int
    key: Key


def find(desk: Desk, index: SearchIndex, rows: Iterable[InboxRow], asked: Question) -> list[Hit]:
    """Everything that answers a question, best first. Blocking: some tens of milliseconds.

    Args:
        rows: of the inbox; of those that were never opened only the header is searched in.
    """
    if asked.empty:
        return []
    hidden = {row.id for row in rows if row.suppressed or row.erased is not None}
    found = [*_opened(desk, index, asked, hidden), *_listed(rows, asked, hidden)]
    return sorted(found)


def _opened(desk: Desk, index: SearchIndex, asked: Question, hidden: set[str]) -> Iterator[Hit]:
    filters = asked.filters if asked.filters != Filters() else None
    for one in index.entries(desk):
        received = one.source == "received"
        if filters and not _passes(one, filters, one.sender if received else None):
            continue
        name = one.bulletin.hex() if hidden or asked.id else ""
        if name in hidden:
            continue
        if asked.id and name.startswith(asked.id):
            yield Hit(False, -one.created, one.key)
            continue
        text = one.text if one.text is not None else index.text_of(desk, one)
        alike = _alike(asked.groups, text, one)
        if alike is not None:
            yield Hit(alike, -one.created, one.key)


def _listed(rows: Iterable[InboxRow], asked: Question, hidden: set[str]) -> Iterator[Hit]:
    """What was never opened here: its header is all that the desk has."""
    narrow = asked.filters != Filters()
    for row in rows:
        if row.opened or row.id in hidden or (narrow and not _row_passes(row, asked.filters)):
            continue
        key: Key = ("received", bytes.fromhex(row.id))
        if asked.id and row.id.startswith(asked.id):
            yield Hit(False, -row.created, key)
            continue
        author = _packed(row.author or "")
        head = head_text(row.schema, row.sender, tuple(row.recipients))
        words = (word for group in asked.groups for word in group.words)
        if all(word in author or word in head for word in words):
            yield Hit(False, -row.created, key)


@lru_cache(maxsize=1_024)
def _packed(author: str) -> str:
    return pack(search_key(author))


def _alike(groups: tuple[Group, ...], text: str, one: Entry) -> bool | None:
    """False: found word for word, or by what a code is called; True: alike; None: not found."""
    alike = False
    for group in groups:
        for word in group.words:
            if word not in text and word not in one.head:
                break
        else:
            continue
        if any(code in one.codes for code in group.codes):
            continue
        sounding = group.sound and f" {group.sound} " in one.sounds
        if not sounding and not any(phone in text for phone in group.phones):
            return None
        alike = True
    return alike


def _passes(one: Entry, asked: Filters, sender: str | None) -> bool:
    """Args: sender: of what was received; None: it is ours."""
    where = "draft" if one.source == "form" else one.source
    others = one.recipients if sender is None else (sender,)
    return (
        asked.where in ("", where)
        and asked.schema in ("", one.schema)
        and asked.urgency in ("", one.urgency)
        and (not asked.agency or asked.agency in others)
        and _within(one.created, asked)
    )


def _row_passes(row: InboxRow, asked: Filters) -> bool:
    return (
        asked.where in ("", "received")
        and asked.schema in ("", row.schema)
        and asked.urgency in ("", row.urgency)
        and asked.agency in ("", row.sender)
        and _within(row.created, asked)
    )


def _within(created: int, asked: Filters) -> bool:
    after = asked.since is None or asked.since <= created
    return after and (asked.until is None or created < asked.until)
