"""Every row of the inbox in memory, so that a page asks no store."""

from __future__ import annotations

from saphan.desk.desk import Desk
from saphan.desk.listed import InboxRow, Listed


class Rows:
    """The rows as they were seen last; `listed` is what the line's task goes by, too.

    `unread`: how many nobody of the agency has read that may be read.
    """

    def __init__(self) -> None:
        self.listed = Listed()
        self._rows: tuple[InboxRow, ...] = ()
        self._by_id: dict[str, InboxRow] = {}
        self.unread = 0

    def load(self, desk: Desk) -> bool:
        """Look again; whether anything has changed. Only what was written since is opened.

        Blocking, in a thread that owns `desk`.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        changed = self.listed.refresh(desk.store)
        rows = self.listed.in_order()
        self._by_id = {row.id: row for row in rows}
        self._rows = rows
        self.unread = sum(map(_unread, rows))
        return changed

    def all(self) -> tuple[InboxRow, ...]:
        """Oldest first."""
        return self._rows

    def get(self, bulletin: str) -> InboxRow | None:
        """The row of an id of 64 hexadecimal digits."""
        return self._by_id.get(bulletin)


def _unread(row: InboxRow) -> bool:
    return not (row.read or row.opened) and row.recalled is None and row.erased is None
