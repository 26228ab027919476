"""What stands at this desk beside the list of what came: the numbers that every page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saphan.desk.desk import Desk, number_name
from saphan.desk.inbox import Inbox
from saphan.desk.owed import OpenRequest, OwedHere
from saphan.desk.queue_seen import QueueSeen
from saphan.desk.store import Shelf
from saphan.threads.owing import OWING

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
        self._queue = QueueSeen()
        self._version: tuple[int, int] | None = None

    def load(self, desk: Desk) -> None:
        """After each word with the node; blocking.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        inbox, owed = Inbox(desk), OwedHere(desk)
        self.stopped = inbox.corridors().get("stopped")
        self.owed, self.owed_heard = tuple(owed.all()), owed.heard()
        self.count(desk)

    def count(self, desk: Desk) -> None:
        """Before each page: what pages, the line or another program have changed since; blocking,
        raises the same."""
        store, version = desk.store, desk.store.version()
        if version == self._version:
            return
        waiting = [number_name(number) for number in self._queue.refresh(store)]
        closed = sum(store.has(Shelf.FORMS, name) for name in waiting)
        self.queued = len(waiting)
        self.second = Inbox(desk).waiting()
        self.drafts = store.count(Shelf.DRAFTS) + store.count(Shelf.FORMS) - closed
        self._version = version

    def owes(self, agency: str) -> Mapping[str, int | None]:
        """Requests that this agency has to answer, and until when (ms UTC)."""
        found: dict[str, int | None] = {}
        for request in self.owed:
            for one in request.owed if request.direction == "received" else ():
                if one.replier == agency and one.state in OWING:
                    found[request.id] = one.until
        return found
