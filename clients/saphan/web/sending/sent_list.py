"""What the list of what was sent shows of each bulletin, in memory: opened once a writing."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from saphan_schemas.codec import decode

from saphan.desk.outbox import Queued, queued_row
from saphan.desk.store import ROW_BYTES, DeskStore, Shelf
from saphan.header_json import header_json
from saphan.web.open_desk import OpenDesk

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """One bulletin of the outbox, without what it says but for its title.

    Args:
        row: `queued_row`; header: in JSON; title: by language, {} if it has none.
        draft: as the node calls it while it waits there; asked: the node may have it.
    """

    row: Json
    header: Json
    title: Json
    draft: str
    asked: bool


class SentList:
    """The outbox of one open desk."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[bytes, Listed]] = {}
        self._lock = threading.Lock()

    def look(self, store: DeskStore) -> list[Listed]:
        """Look again: what waits before what was sent, the newest first. Blocking.

        Raises:
            OperatorError: `desk_store_damaged`.
        """
        with self._lock:
            known = {number: mark for number, (mark, _) in self._kept.items()}
            changes = store.changes(Shelf.OUTBOX, known)
            for number in changes.gone:
                del self._kept[number]
            for one in changes.written:
                self._kept[one.number] = (one.mark, _listed(one.value))
            found = [one for _, one in self._kept.values()]
        return sorted(found, key=lambda one: (one.row["id"] is not None, -one.row["number"]))


_lists: WeakKeyDictionary[OpenDesk, SentList] = WeakKeyDictionary()


def sent_list(place: OpenDesk) -> SentList:
    """The list of an open desk; it goes with it."""
    return _lists.setdefault(place, SentList())


def _listed(value: bytes) -> Listed:
    one = decode(Queued, value, ROW_BYTES, "queued")
    title = one.written.wish().about.get("title")
    return Listed(
        row=queued_row(one),
        header=header_json(one.header),
        title=title if isinstance(title, dict) else {},
        draft=one.draft.hex(),
        asked=one.asked,
    )
