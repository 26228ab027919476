"""The rows of a desk's inbox in memory: each is opened once, and again when it was written since.

Another program of the same desk may write them too; whoever looks again sees what it wrote.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from typing import Final

import msgspec
from saphan_schemas.decoders import json_decoder

from saphan.desk.row_changes import Changes
from saphan.desk.store import DeskStore, Shelf


class Marked(msgspec.Struct, gc=False):
    """As `answers.Marking`, which was checked when the row was kept."""

    tlp: str
    codes: list[str]


class InboxRow(msgspec.Struct):
    """A row of the inbox, as `answers.Row` has it; `opened`: what it says is at this desk.

    Those that have taken its place are `replaced_by`, without what was taken back itself."""

    seq: int
    id: str
    author: str | None
    received: int
    read: bool
    sender: str
    recipients: list[str]
    schema: str
    marking: Marked
    urgency: str
    exercise: bool
    created: int
    expires: int
    answer_by: int | None
    retain_until: int
    recalled: str | None = None
    erased: str | None = None
    suppressed: bool = False
    replaced_by: list[str] = []
    opened: bool = False


_decoder: Final = json_decoder(InboxRow)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of a row of the store: whose it is, of which writing, and what it said.

    `place`: where the content of this bulletin would lie."""

    seq: int
    mark: bytes
    said: int
    place: bytes


class Listed:
    """The rows by their places. Whoever looks again waits for whoever is looking; what was seen is
    replaced as a whole, so that it can be read meanwhile.

    `ids`: of all rows; `version`: another one after each change, whoever saw it first.
    """

    def __init__(self) -> None:
        self.rows: dict[int, InboxRow] = {}
        self.ids: frozenset[str] = frozenset()
        self.version = 0
        self._kept: dict[int, _Kept] = {}
        """By the numbers of the store's rows."""
        self._said: dict[int, int] = {}
        self._lock = threading.Lock()

    def refresh(self, store: DeskStore) -> bool:
        """Look again; whether anything has changed. Blocking.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        with self._lock:
            known = {number: one.mark for number, one in self._kept.items()}
            changes = store.changes(Shelf.INBOX, known)
            changed = bool(changes.gone or changes.written)
            if changed:
                self._take(changes, store)
            changed = self._note_opened(store) or changed
            self.version += changed
            return changed

    def same(self, seq: int, value: bytes) -> bool:
        """Whether a row is kept in these bytes already."""
        return self._said.get(seq) == hash(value)

    def in_order(self) -> tuple[InboxRow, ...]:
        """All rows, in the order in which they came."""
        rows = self.rows
        return tuple(rows[seq] for seq in sorted(rows))

    # --- inside -----------------------------------------------------------------------------------

    def _take(self, changes: Changes, store: DeskStore) -> None:
        """The numbers of rows that went may have been given again, and the same row may have come
        back under another number: what is gone goes first."""
        rows, kept = dict(self.rows), dict(self._kept)
        written = {one.number for one in changes.written}
        for number in (*changes.gone, *(written & kept.keys())):
            rows.pop(kept.pop(number).seq, None)
        for one in changes.written:
            row = _decoder.decode(one.value)
            row.sender, row.schema = sys.intern(row.sender), sys.intern(row.schema)
            place = store.place(Shelf.OPENED, bytes.fromhex(row.id))
            rows[row.seq] = row
            kept[one.number] = _Kept(row.seq, one.mark, hash(one.value), place)
        _let_stand(rows)
        self.rows, self._kept = rows, kept
        self.ids = frozenset(row.id for row in rows.values())
        self._said = {one.seq: one.said for one in kept.values()}

    def _note_opened(self, store: DeskStore) -> bool:
        here, changed = store.places(Shelf.OPENED), False
        for one in self._kept.values():
            row, opened = self.rows[one.seq], one.place in here
            if row.opened != opened:
                row.opened, changed = opened, True
        return changed


def _let_stand(rows: dict[int, InboxRow]) -> None:
    """What a bulletin replaced that was taken back stands again; the node names that one only, and
    what was taken back stays so."""
    back = {row.id for row in rows.values() if row.recalled is not None}
    for row in rows.values():
        if row.replaced_by:
            row.replaced_by = [one for one in row.replaced_by if one not in back]
