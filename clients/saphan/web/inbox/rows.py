"""Every row of the inbox in memory, so that a page asks no store."""

from __future__ import annotations

from saphan.desk.desk import Desk
from saphan.desk.listed import InboxRow, Listed
from saphan.web.inbox.listing import Line, is_unread, line_of


class Rows:
    """The rows as they were seen last; `listed` is what the line's task goes by, too.

    `lines`: the newest first, as a list shows them; `unread`: how many nobody has read.
    """

    def __init__(self) -> None:
        self.listed = Listed()
        self._rows: tuple[InboxRow, ...] = ()
        self._by_id: dict[str, InboxRow] = {}
        self.lines: tuple[Line, ...] = ()
        self.unread = 0
        self._version = -1
        self._store: tuple[int, int] | None = None

    def load(self, desk: Desk) -> bool:
        """Look again; whether anything has changed, whoever has seen that first. Only what was
        written since is opened.

        Blocking, in a thread that owns `desk`.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        store = desk.store.version()
        if store != self._store:
            self.listed.refresh(desk.store)
            self._store = store
        version = self.listed.version
        if version == self._version:
            return False
        self._version, rows = version, self.listed.in_order()
        self._by_id = {row.id: row for row in rows}
        self._rows = rows
        self.unread = sum(map(is_unread, rows))
        self.lines = tuple(map(line_of, reversed(rows)))
        return True

    def all(self) -> tuple[InboxRow, ...]:
        """Oldest first."""
        return self._rows

    def get(self, bulletin: str) -> InboxRow | None:
        """The row of an id of 64 hexadecimal digits."""
        return self._by_id.get(bulletin)
