"""Every row of the inbox in memory, so that a page asks no store."""

from __future__ import annotations

from typing import Any

from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox

Json = dict[str, Any]


class Rows:
    """Rows as `Inbox.rows` gives them, in their order."""

    def __init__(self) -> None:
        self._rows: list[Json] = []

    def load(self, desk: Desk) -> None:
        """Read them all; blocking, in the thread that owns `desk`."""
        self._rows = Inbox(desk).rows()

    def all(self) -> list[Json]:
        """Oldest first."""
        return self._rows
