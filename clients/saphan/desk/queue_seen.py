"""Which bulletins of the outbox wait: each row is opened once, and again when it was written since.

What was sent stays in the outbox for years, and is not opened for every piece of news.
"""

from __future__ import annotations

import threading

from saphan_schemas.codec import decode

from saphan.desk.outbox import Queued
from saphan.desk.store import ROW_BYTES, DeskStore, Shelf


class QueueSeen:
    """The outbox as it was seen last; whoever looks again waits for whoever is looking."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[bytes, int | None]] = {}
        """Mark of each row of the store, and the number of its bulletin while it waits."""
        self._lock = threading.Lock()

    def refresh(self, store: DeskStore) -> list[int]:
        """Look again; the numbers of those that wait, sorted. Blocking.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        with self._lock:
            known = {number: mark for number, (mark, _) in self._rows.items()}
            changes = store.changes(Shelf.OUTBOX, known)
            rows = dict(self._rows)
            for number in changes.gone:
                del rows[number]
            for one in changes.written:
                queued = decode(Queued, one.value, ROW_BYTES, "queued")
                rows[one.number] = (one.mark, queued.number if queued.bulletin is None else None)
            self._rows = rows
        return sorted(number for _, number in rows.values() if number is not None)
