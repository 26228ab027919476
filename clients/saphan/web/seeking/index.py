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
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from saphan_schemas.codec import decode
from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.desk.desk import Desk
from saphan.desk.kept import Kept
from saphan.desk.reindexing import SOURCES, index_again
from saphan.desk.row_changes import WrittenRow
from saphan.desk.searchable import Searchable, read_searchable
from saphan.desk.store import Shelf
from saphan.folding.packing import pack
from saphan.web.seeking.drafts_folded import folded_draft, folded_form
from saphan.web.seeking.entries import Entry, Key, entry

SLICE = 250
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
        self._gone: set[bytes] = set()
        self._version: tuple[int, int] | None = None
        self._steps: Iterator[bool] | None = None

    def __repr__(self) -> str:
        return f"<SearchIndex of {len(self._entries)}>"

    def load(self, desk: Desk) -> bool:
        """Do one slice of what is to do; whether everything is in. Blocking.

        Raises:
            OperatorError: `desk_store_damaged`, the disk; the next call begins anew.
        """
        if self._steps is None:
            version = desk.store.version()
            if version == self._version:
                return True
            self._steps = self._follow(desk, version)
        steps, self._steps = self._steps, None
        if next(steps, True):
            return True
        self._steps = steps
        return False

    def entries(self, desk: Desk) -> Iterator[Entry]:
        """What may be shown today, in no order."""
        today = desk.clock() // DAY_MS
        for one in self._entries.values():
            kept = self._kept.get(one.bulletin)
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

    def _follow(self, desk: Desk, version: tuple[int, int]) -> Iterator[bool]:
        """Steps 1 and 2; a pause, False, after each slice that is not the last."""
        yield from self._read(desk, Shelf.KEEPING, self._take_day)
        yield from self._read(desk, Shelf.SEARCH, partial(self._take_row, desk))
        if missing := self._compare(desk):
            while missing:
                self._fold(desk, missing[-FOLDED:])
                del missing[-FOLDED:]
                yield False
            yield from self._read(desk, Shelf.SEARCH, partial(self._take_row, desk))
        for shelf in (Shelf.DRAFTS, Shelf.FORMS):
            yield from self._read(desk, shelf, partial(self._take_draft, desk.me.agency, shelf))
        self._version = version

    def _read(self, desk: Desk, shelf: Shelf, take: Callable[[WrittenRow], None]) -> Iterator[bool]:
        """Rows of a shelf that were written since, the newest first."""
        known = self._marks.setdefault(shelf, {})
        marks = desk.store.marks(shelf)
        for number in [number for number in known if number not in marks]:
            self._let_go(shelf, number)
        new = sorted(number for number, mark in marks.items() if known.get(number) != mark)
        while new:
            part = new[-SLICE:]
            del new[-SLICE:]
            for written in desk.store.written(shelf, part):
                self._let_go(shelf, written.number)
                take(written)
            known.update((number, marks[number]) for number in part)
            if new:
                yield False

    def _take_day(self, written: WrittenRow) -> None:
        """What is sealed, or past its day, is not found either."""
        self._kept[written.name] = decode(Kept, written.value, 64, "kept")
        self._kept_names[written.number] = written.name

    def _take_row(self, desk: Desk, written: WrittenRow) -> None:
        made, name = read_searchable(written.value), written.name
        shelf = Shelf.OUTBOX if len(name) == NUMBER_BYTES else Shelf.OPENED
        key: Key = ("sent" if shelf is Shelf.OUTBOX else "received", name)
        if made is not None:
            self._take(Shelf.SEARCH, written.number, key, made)
            self._places[key] = desk.store.place(shelf, name)

    def _take_draft(self, agency: str, shelf: Shelf, written: WrittenRow) -> None:
        key: Key = ("draft" if shelf is Shelf.DRAFTS else "form", written.name)
        folded = folded_draft if shelf is Shelf.DRAFTS else folded_form
        self._take(shelf, written.number, key, folded(agency, written.value))

    def _compare(self, desk: Desk) -> list[tuple[Shelf, bytes]]:
        """What of the sources is not here; what is here without a source goes."""
        places = {(shelf, place) for shelf in SOURCES for place in desk.store.places(shelf)}
        there = {place for _, place in places}
        for key in [key for key, place in self._places.items() if place not in there]:
            desk.store.remove(Shelf.SEARCH, key[1])
            self._drop(key)
        known = {*self._places.values(), *self._gone}
        return [one for one in places if one[1] not in known]

    def _fold(self, desk: Desk, missing: Iterable[tuple[Shelf, bytes]]) -> None:
        """Step 2."""
        with desk.store.transaction():
            for shelf, place in missing:
                if not index_again(desk, shelf, place):
                    self._gone.add(place)  # its row cannot be opened any more

    def _take(self, shelf: Shelf, number: int, key: Key, made: Searchable) -> None:
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

    def _let_go(self, shelf: Shelf, number: int) -> None:
        """A row that has gone, or is to be taken anew."""
        self._marks[shelf].pop(number, None)
        if shelf is Shelf.KEEPING:
            self._kept.pop(self._kept_names.pop(number, b""), None)
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
