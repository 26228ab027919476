"""The rows of a desk's inbox in memory: each is opened once, and again when it was written since.

Another program of the same desk may write them too; whoever looks again sees what it wrote.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Final

import msgspec

from saphan.desk.answers import Row
from saphan.desk.row_changes import WrittenRow
from saphan.desk.store import DeskStore, Shelf


class InboxRow(Row):
    """A row of the inbox; `opened`: what it says is at this desk.

    Those that have taken its place are `replaced_by`, without what was taken back itself."""

    opened: bool = False


_decoder: Final = msgspec.json.Decoder(InboxRow)


@dataclass(slots=True)
class Listed:
    """The rows by their places; one thread at a time.

    Args:
        ids: of all of them.
    """

    rows: dict[int, InboxRow] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    _marks: dict[int, bytes] = field(default_factory=dict)
    _seqs: dict[int, int] = field(default_factory=dict)
    _said: dict[int, int] = field(default_factory=dict)
    _places: dict[int, bytes] = field(default_factory=dict)
    """Where the content of each would lie."""

    def refresh(self, store: DeskStore) -> bool:
        """Look again; whether anything has changed. Blocking.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        changes = store.changes(Shelf.INBOX, self._marks)
        for number in changes.gone:
            self._drop(number)
        for written in changes.written:
            self._take(written, store)
        changed = bool(changes.gone or changes.written)
        if changed:
            self.ids = {row.id for row in self.rows.values()}
            self._let_stand()
        return self._note_opened(store) or changed

    def same(self, seq: int, value: bytes) -> bool:
        """Whether a row is kept in these bytes already."""
        return self._said.get(seq) == hash(value)

    def in_order(self) -> tuple[InboxRow, ...]:
        """All rows, in the order in which they came."""
        return tuple(self.rows[seq] for seq in sorted(self.rows))

    # --- inside -----------------------------------------------------------------------------------

    def _take(self, written: WrittenRow, store: DeskStore) -> None:
        row = _decoder.decode(written.value)
        row.sender, row.schema = sys.intern(row.sender), sys.intern(row.schema)
        if written.number in self._seqs and self._seqs[written.number] != row.seq:
            self._drop(written.number)  # the number of a row that went was given again
        self.rows[row.seq] = row
        self._seqs[written.number] = row.seq
        self._marks[written.number] = written.mark
        self._said[row.seq] = hash(written.value)
        self._places[row.seq] = store.place(Shelf.OPENED, bytes.fromhex(row.id))

    def _drop(self, number: int) -> None:
        seq = self._seqs.pop(number)
        del self._marks[number]
        for kept in (self.rows, self._said, self._places):
            kept.pop(seq, None)

    def _let_stand(self) -> None:
        """What a bulletin replaced that was taken back stands again; the node names that one only,
        and what was taken back stays so."""
        back = {row.id for row in self.rows.values() if row.recalled is not None}
        for row in self.rows.values():
            if row.replaced_by:
                row.replaced_by = [one for one in row.replaced_by if one not in back]

    def _note_opened(self, store: DeskStore) -> bool:
        here, changed = store.places(Shelf.OPENED), False
        for seq, row in self.rows.items():
            opened = self._places[seq] in here
            if row.opened != opened:
                row.opened, changed = opened, True
        return changed
