"""What can be found at this desk, in memory while it is open; at rest it lies sealed (ADR 49).

1. The rows of the shelf of what is searched in are read in slices, the newest first, and again when
   any program has written one. What has gone from its source goes from here and from the shelf.
2. What has no row yet is folded now (`reindexing`). Drafts are folded when they were changed, and
   are never written.
3. Texts beyond `LIMITS.desk_search_memory` are let go, the oldest first, and read from the store
   when somebody searches: slower, and just as complete.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator

from saphan_schemas.codec import decode
from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.desk.desk import Desk
from saphan.desk.kept import Kept
from saphan.desk.reindexing import SOURCES, index_again
from saphan.desk.searchable import Searchable, read_searchable
from saphan.desk.store import Shelf
from saphan.folding.packing import pack
from saphan.web.seeking.drafts_folded import folded_draft, folded_form
from saphan.web.seeking.entries import Entry, Key, entry

SLICE = 500
"""Rows that are read at once: a page that waits meanwhile waits for some milliseconds."""
FOLDED = 25
"""Bulletins that are folded at once."""
NUMBER_BYTES = 8
"""Of the name of what was queued here; what was received is named by its id."""


class SearchIndex:
    """The index of one open desk; used in the thread that owns its store alone.

    Args:
        memory: bytes of texts that are kept.
    """

    def __init__(self, memory: int = LIMITS.desk_search_memory) -> None:
        self._memory = memory
        self._held = 0
        self._entries: dict[Key, Entry] = {}
        self._oldest: list[tuple[int, Key]] = []
        self._heads: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
        self._keys: dict[tuple[Shelf, int], Key] = {}
        self._marks: dict[Shelf, dict[int, bytes]] = {}
        self._places: dict[Key, bytes] = {}
        self._kept: dict[bytes, Kept] = {}
        self._kept_names: dict[int, bytes] = {}
        self._missing: list[tuple[Shelf, bytes]] = []
        self._gone: set[bytes] = set()
        self._version: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"<SearchIndex of {len(self._entries)}>"

    def load(self, desk: Desk) -> bool:
        """Do one slice of what is to do; whether everything is in. Blocking.

        Raises:
            OperatorError: `desk_store_damaged`, the disk.
        """
        if self._missing:
            self._fold_some(desk)
            return False
        version = desk.store.version()
        if version == self._version:
            return True
        self._read_days(desk)
        done = self._read_rows(desk) and self._compare(desk)
        self._read_drafts(desk)
        self._version = version if done else None
        return done

    def entries(self, desk: Desk) -> Iterator[Entry]:
        """What may be shown today, in no order."""
        today = desk.clock() // DAY_MS
        for (source, name), one in self._entries.items():
            kept = self._kept.get(name) if source == "received" else None
            if kept is None or (not kept.sealed and (kept.held or today < kept.day)):
                yield one

    def heads(self) -> Iterable[tuple[str, str, tuple[str, ...]]]:
        """Types, senders and recipients that there are."""
        return self._heads.keys()

    def text_of(self, desk: Desk, one: Entry) -> str:
        """Its text, from the store if it is not in memory; "" when it has gone meanwhile."""
        if one.text is not None:
            return one.text
        value = desk.store.get(Shelf.SEARCH, one.key[1])
        made = None if value is None else read_searchable(value)
        return "" if made is None else pack(made.text)

    # --- inside -----------------------------------------------------------------------------------

    def _read_rows(self, desk: Desk) -> bool:
        """Step 1; whether all are read."""
        marks = self._marks.setdefault(Shelf.SEARCH, {})
        changes = desk.store.changes(Shelf.SEARCH, marks, SLICE)
        self._let_go(Shelf.SEARCH, changes.gone)
        for number, mark, name, value in changes.written:
            made = read_searchable(value)
            shelf = Shelf.OUTBOX if len(name) == NUMBER_BYTES else Shelf.OPENED
            key: Key = ("sent" if shelf is Shelf.OUTBOX else "received", name)
            if made is not None:
                self._take(Shelf.SEARCH, number, key, made)
                self._places[key] = desk.store.place(shelf, name)
            marks[number] = mark
        return len(changes.written) < SLICE

    def _compare(self, desk: Desk) -> bool:
        """What the sources have is here, and only that; whether nothing is missing."""
        places = {(shelf, place) for shelf in SOURCES for place in desk.store.places(shelf)}
        there = {place for _, place in places}
        for key in [key for key, place in self._places.items() if place not in there]:
            desk.store.remove(Shelf.SEARCH, key[1])
            self._drop(key)
        known = {*self._places.values(), *self._gone}
        self._missing = [one for one in places if one[1] not in known]
        return not self._missing

    def _fold_some(self, desk: Desk) -> None:
        """Step 2."""
        with desk.store.transaction():
            for shelf, place in self._missing[-FOLDED:]:
                if not index_again(desk, shelf, place):
                    self._gone.add(place)  # its row cannot be opened any more
        del self._missing[-FOLDED:]

    def _read_drafts(self, desk: Desk) -> None:
        for shelf, folded in ((Shelf.DRAFTS, folded_draft), (Shelf.FORMS, folded_form)):
            marks = self._marks.setdefault(shelf, {})
            changes = desk.store.changes(shelf, marks)
            self._let_go(shelf, changes.gone)
            for number, mark, name, value in changes.written:
                key: Key = ("draft" if shelf is Shelf.DRAFTS else "form", name)
                self._take(shelf, number, key, folded(desk.me.agency, value))
                marks[number] = mark

    def _read_days(self, desk: Desk) -> None:
        """What is sealed, or past its day, is not found either."""
        marks = self._marks.setdefault(Shelf.KEEPING, {})
        changes = desk.store.changes(Shelf.KEEPING, marks)
        for number in changes.gone:
            del marks[number]
            self._kept.pop(self._kept_names.pop(number), None)
        for number, mark, name, value in changes.written:
            if self._kept_names.get(number, name) != name:
                self._kept.pop(self._kept_names[number], None)  # its number was given again
            marks[number], self._kept_names[number] = mark, name
            self._kept[name] = decode(Kept, value, 64, "kept")

    def _take(self, shelf: Shelf, number: int, key: Key, made: Searchable) -> None:
        self._let_go(shelf, [number])
        self._drop(key)
        one = self._entries[key] = entry(key, made)
        self._keys[shelf, number] = key
        self._heads[one.schema, one.sender, one.recipients] += 1
        if shelf is not Shelf.SEARCH:
            return  # drafts are few, and have no row to be read again
        self._held += one.size
        heapq.heappush(self._oldest, (one.created, key))
        while self._held > self._memory and self._oldest:
            old = self._entries.get(heapq.heappop(self._oldest)[1])
            if old is not None:
                self._held -= old.size
                old.text = None

    def _let_go(self, shelf: Shelf, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._marks[shelf].pop(number, None)
            key = self._keys.pop((shelf, number), None)
            if key is not None:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        one = self._entries.pop(key, None)
        self._places.pop(key, None)
        if one is None:
            return
        head = (one.schema, one.sender, one.recipients)
        self._heads[head] -= 1
        if not self._heads[head]:
            del self._heads[head]
        if one.source in ("received", "sent"):
            self._held -= one.size
