"""When a bulletin's matter was closed, as this node knows it: answered, carried out, cancelled.

It only says what it finds now; whoever asks keeps the last answer, because a reply that is erased
before its request must not open the request again.
"""

from __future__ import annotations

from typing import Final

from saphan_schemas.codec import decode
from saphan_schemas.limits import DAY_MS, LIMITS

from saphan.node.archive import Archive
from saphan.node.rows.db import Database
from saphan.node.threads.requests import Requests
from saphan.node.threads.rows import named_by
from saphan.retention.facts import DELIVERY_FAMILY, Facts
from saphan.retention.reckoning import WRONG_PERSON, Closing
from saphan.threads.words import (
    LEGAL_FAMILY,
    REPLACING,
    REPLY,
    REPLY_FAMILY,
    REQUEST_FAMILY,
    family,
)

FACTS_BYTES: Final = 4_096
CANCEL: Final = "cancel"
ENDS: Final = frozenset({"result", "abort", "refusal"})
"""Phases that end a controlled delivery."""
UNANSWERED: Final = frozenset({"undelivered", "waiting", "interim", "overdue"})
"""States of what is owed in which a request is open."""
VERSIONS: Final = 32
"""Of one request, one in the place of the other, that are followed."""


class Closings:
    """Of one node; blocking."""

    def __init__(self, db: Database, archive: Archive, requests: Requests) -> None:
        self._db = db
        self._archive = archive
        self._requests = requests

    def find(self, bulletin: bytes, sender: str, schema: str, facts: Facts) -> Closing | None:
        """How the matter of a bulletin stands closed now; None: it is open."""
        if facts.message == CANCEL:
            return self._cancels(bulletin, sender, facts)
        cancelled = self._cancelled(bulletin, sender)
        if cancelled is not None:
            return cancelled
        kind = family(schema)
        if kind in (REQUEST_FAMILY, REPLY_FAMILY, LEGAL_FAMILY):
            return self._answered(self._request(bulletin), sender)
        return self._ended(bulletin) if kind == DELIVERY_FAMILY else None

    def facts(self, bulletin: bytes) -> Facts | None:
        """What was reckoned of another bulletin; None while it was not, or it is erased."""
        row = self._db.row(
            "SELECT r.facts, b.wrap_day FROM retention r JOIN bulletins b USING (seq)"
            " WHERE b.id = ? AND r.facts IS NOT NULL",
            (bulletin,),
        )
        data = None if row is None else self._archive.facts(row[0], bulletin, row[1])
        return None if data is None else decode(Facts, data, FACTS_BYTES, "facts")

    def neighbours(self, bulletin: bytes) -> list[bytes]:
        """What names it here, and what it names."""
        rows = self._db.rows(
            "SELECT b.id FROM relations r JOIN bulletins b USING (seq) WHERE r.target = ?1"
            " UNION SELECT r.target FROM relations r JOIN bulletins b USING (seq) WHERE b.id = ?1"
            " LIMIT ?2",
            (bulletin, LIMITS.thread_bulletins),
        )
        return [one for (one,) in rows]

    # --- inside -----------------------------------------------------------------------------------

    def _cancelled(self, bulletin: bytes, sender: str) -> Closing | None:
        """Taken back by its own agency, with a bulletin that names it or what took its place."""
        seen, waiting = {bulletin}, [bulletin]
        found: list[Closing] = []
        while waiting and len(seen) <= LIMITS.thread_bulletins:
            for other in named_by(self._db, waiting.pop(), REPLACING, sender):
                if other in seen:
                    continue
                seen.add(other)
                waiting.append(other)
                facts = self.facts(other)
                if facts is not None and facts.message == CANCEL:
                    found.append(self._taken_back(other, facts))
        return _first(found)

    def _cancels(self, bulletin: bytes, sender: str, facts: Facts) -> Closing | None:
        """Of what takes others back: as its matter stands, for it may be taken back once more."""
        marks = ",".join("?" * len(REPLACING))
        targets = self._db.rows(
            "SELECT r.target FROM relations r JOIN bulletins b USING (seq) WHERE b.id = ?"  # noqa: S608 - marks
            f" AND r.kind IN ({marks})",
            (bulletin, *REPLACING),
        )
        found = [self._cancelled(target, sender) for (target,) in targets]
        own = self._taken_back(bulletin, facts)
        return _first([own, *(one for one in found if one is not None)])

    def _taken_back(self, by: bytes, facts: Facts) -> Closing:
        word = WRONG_PERSON if facts.word == WRONG_PERSON else "cancelled"
        return Closing(self._day(by), word)

    def _request(self, bulletin: bytes) -> bytes:
        """The request that a reply answers; a bulletin that answers none is its own."""
        row = self._db.row(
            "SELECT r.target FROM relations r JOIN bulletins b USING (seq) WHERE b.id = ?"
            " AND r.kind = ? AND EXISTS (SELECT 1 FROM bulletins o WHERE o.id = r.target)",
            (bulletin, REPLY),
        )
        return bulletin if row is None else row[0]

    def _answered(self, request: bytes, sender: str) -> Closing | None:
        """Every one of those who were asked has answered, or never will."""
        gone = self._gone(request)
        if gone is not None:
            return gone
        owed = self._requests.owed(request)
        for _ in range(VERSIONS):
            newer = self._requests.replaced.by(request)
            if not newer or not any(one.owing.state == "replaced" for one in owed):
                break
            request = newer[-1]
            owed = self._requests.owed(request)
        states = {one.owing.state for one in owed}
        if not states or states & UNANSWERED:
            return self._cancelled(request, self._sender(request, sender))
        days = [self._day(reply) for one in owed for reply in one.owing.replies]
        word = "no_trace" if states == {"no_trace"} else "closed"
        return Closing(max(days, default=self._day(request)), word)

    def _gone(self, request: bytes) -> Closing | None:
        """A request that this node has erased is closed: as it was, or on that day."""
        row = self._db.row(
            "SELECT r.closed, r.closing, r.erased FROM retention r JOIN bulletins b USING (seq)"
            " WHERE b.id = ? AND r.erased IS NOT NULL",
            (request,),
        )
        if row is None:
            return None
        closed, word, erased = row
        return Closing(erased // DAY_MS, "closed") if closed is None else Closing(closed, word)

    def _ended(self, bulletin: bytes) -> Closing | None:
        """Any message of the same operation says that it is over."""
        seen, found = {bulletin}, []
        waiting = [bulletin]
        while waiting and len(seen) <= LIMITS.thread_bulletins:
            one = waiting.pop()
            facts = self.facts(one)
            if facts is not None and facts.word in ENDS:
                found.append(self._day(one))
            for other in self.neighbours(one):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return Closing(max(found), "ended") if found else None

    def _sender(self, bulletin: bytes, otherwise: str) -> str:
        row = self._db.row("SELECT sender FROM bulletins WHERE id = ?", (bulletin,))
        return otherwise if row is None else row[0]

    def _day(self, bulletin: bytes) -> int:
        """The day on which it was kept here, by its entry's time or this node's clock."""
        row = self._db.row("SELECT stored FROM bulletins WHERE id = ?", (bulletin,))
        return 0 if row is None else row[0] // DAY_MS


def _first(found: list[Closing]) -> Closing | None:
    """The one that counts of several: that it is the wrong person, else the earliest."""
    return min(found, key=lambda one: (one.word != WRONG_PERSON, one.day), default=None)
