"""What stands at this desk beside the list of what came: the numbers that every page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saphan_schemas.codec import decode

from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Queued
from saphan.desk.owed import OpenRequest, OwedHere
from saphan.desk.store import ROW_BYTES, Shelf

Json = dict[str, Any]


class Standing:
    """As it was seen last.

    Attributes:
        queued: bulletins that wait here for the line; drafts: what is being written.
        second: bulletins that wait for this officer's second signature.
        stopped: why the node does not speak with its broker (code, message, since), or None.
        owed: requests that somebody still has to answer; owed_heard: when the node was asked, ms.
    """

    def __init__(self) -> None:
        self.queued = 0
        self.drafts = 0
        self.second = 0
        self.stopped: Json | None = None
        self.owed: tuple[OpenRequest, ...] = ()
        self.owed_heard: int | None = None
        self._outbox: dict[int, tuple[bytes, bytes | None]] = {}
        """Mark of each row of the store, and its name while it waits."""

    def load(self, desk: Desk) -> None:
        """After each word with the node; blocking.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        inbox, owed = Inbox(desk), OwedHere(desk)
        self.second = inbox.waiting()
        self.stopped = inbox.corridors().get("stopped")
        self.owed, self.owed_heard = tuple(owed.all()), owed.heard()
        self._look_at_outbox(desk)
        self.count(desk)

    def count(self, desk: Desk) -> None:
        """Before each page: what the page itself may have changed; blocking, raises the same."""
        store = desk.store
        if store.count(Shelf.OUTBOX) != len(self._outbox):
            self._look_at_outbox(desk)
        waiting = [name for _, name in self._outbox.values() if name is not None]
        queued = sum(store.has(Shelf.FORMS, name) for name in waiting)  # forms that are closed
        self.drafts = store.count(Shelf.DRAFTS) + store.count(Shelf.FORMS) - queued

    def owes(self, agency: str) -> Mapping[str, int | None]:
        """Requests that this agency has to answer, and until when (ms UTC)."""
        found: dict[str, int | None] = {}
        for request in self.owed:
            for one in request.owed if request.direction == "received" else ():
                if one.replier == agency and one.state != "undelivered":
                    found[request.id] = one.until
        return found

    def _look_at_outbox(self, desk: Desk) -> None:
        """What was sent stays in the outbox for years: only what was written since is opened."""
        known = {number: mark for number, (mark, _) in self._outbox.items()}
        changes = desk.store.changes(Shelf.OUTBOX, known)
        for number in changes.gone:
            del self._outbox[number]
        for one in changes.written:
            waits = decode(Queued, one.value, ROW_BYTES, "queued").bulletin is None
            self._outbox[one.number] = (one.mark, one.name if waits else None)
        self.queued = sum(name is not None for _, name in self._outbox.values())
