"""Requests that somebody still has to answer: this agency's own, and those it was sent."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from saphan.header_json import header_json
from saphan.node.archive import Archive
from saphan.node.rows.db import Database
from saphan.node.threads.replaced import Shows
from saphan.node.threads.requests import Owed, Requests

Json = dict[str, Any]
LOOKED_AT: Final = 256
"""Requests looked at for one page, when most are hidden or answered."""
UNDELIVERED: Final = "undelivered"


class OpenRequests:
    """Of one node; blocking."""

    def __init__(self, agency: str, db: Database, archive: Archive, requests: Requests) -> None:
        self._agency = agency
        self._db = db
        self._archive = archive
        self._requests = requests

    def page(self, after: int, items: int, size: int, shows: Shows) -> Json:
        """Open requests after a place, in the order in which they were kept here.

        Args:
            items: at most so many; size: bytes of JSON after which a page ends.
            shows: whether a bulletin is shown to whoever asks.

        Returns:
            `requests`: seq, id, direction, author, header and who owes what (`owed`, as a status
            has it); `next`: the place to go on from; `more`: whether there may be more.
        """
        rows = self._db.rows(
            "SELECT b.seq, b.id, b.header, b.author, b.wrap_day FROM bulletins b WHERE b.seq > ?"
            " AND b.seq IN (SELECT seq FROM owed) ORDER BY b.seq LIMIT ?",
            (after, LOOKED_AT),
        )
        found: list[Json] = []
        length = 0
        for seq, bulletin, header, author, day in rows:
            if len(found) == items or length > size:
                return {"requests": found, "next": after, "more": True}
            after = seq
            owed = self._requests.owed(bulletin, shows) if shows(bulletin) else []
            if any(map(_open, owed)):
                shown = header_json(header)
                one = {
                    "seq": seq,
                    "id": bulletin.hex(),
                    "direction": "sent" if shown["sender"] == self._agency else "received",
                    "author": self._archive.author(author, bulletin, day),
                    "header": shown,
                    "owed": [each.json() for each in owed],
                }
                found.append(one)
                length += len(msgspec.json.encode(one))
        return {"requests": found, "next": after, "more": len(rows) == LOOKED_AT}


def _open(owed: Owed) -> bool:
    """An answer is owed, or will be once the request has come."""
    return owed.owing.owes or owed.owing.state == UNDELIVERED
