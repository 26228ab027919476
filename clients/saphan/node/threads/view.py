"""A thread as whoever asks is shown it: each bulletin of it that they may see, from both ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from saphan_schemas.limits import LIMITS

from saphan.header_json import header_json
from saphan.node.archive import Archive
from saphan.node.policy.current import Current
from saphan.node.retention.keeping import is_sealed
from saphan.node.rows.db import Database
from saphan.node.threads.calendar import Calendar
from saphan.node.threads.open_requests import OpenRequests
from saphan.node.threads.replaced import Shows
from saphan.node.threads.requests import Requests
from saphan.node.threads.rows import held, taken_back, words_of_row
from saphan.threads.rules import may_replace
from saphan.threads.words import REPLACING, Relation, Words

Json = dict[str, Any]
SAID: Final = frozenset({"reference", "message", "outcome", "owed"})
"""Of a thread's row: what its content says, for those who have read it."""


def open_threads(
    agency: str,
    db: Database,
    archive: Archive,
    settings: Current,
    clock: Callable[[], int],
) -> Threads:
    """The threads of one node; `clock` gives ms UTC."""
    calendar = Calendar(settings)
    return Threads(agency, db, archive, Requests(agency, db, archive, calendar, clock))


class Threads:
    """The threads of one node; blocking."""

    def __init__(self, agency: str, db: Database, archive: Archive, requests: Requests) -> None:
        self._agency = agency
        self._db = db
        self._archive = archive
        self.requests = requests
        self.open = OpenRequests(agency, db, archive, requests)

    def part(self, bulletin: bytes, shows: Shows = lambda _: True) -> Json:
        """What a status says of a bulletin's thread.

        Returns:
            `relations` that it has and how each stands, `replaced_by` (ids), `owed` (who owes an
            answer to it by when; empty for what is no request).
        """
        words = words_of_row(self._db, self._archive, bulletin)
        return {
            "relations": [] if words is None else self._relations(bulletin, words),
            "replaced_by": [one.hex() for one in self.requests.replaced.by(bulletin, shows)],
            "owed": [one.json() for one in self.requests.owed(bulletin, shows)],
        }

    def thread(self, bulletin: bytes, shows: Shows = lambda _: True) -> Json:
        """All that belong together, in the order in which they came here.

        Returns:
            `bulletins`: rows with what a list shows of each, what `part` says, and its outcome if
            it is a reply; `more`: there are more than are shown together.
        """
        seen: list[bytes] = [bulletin]
        more = False
        for one in seen:  # grows as it goes
            neighbours = self._neighbours(one)
            more = more or len(neighbours) == LIMITS.thread_bulletins
            for other in neighbours:
                if other in seen or not shows(other):
                    continue
                if len(seen) == LIMITS.thread_bulletins:
                    more = True
                    break
                seen.append(other)
        rows = sorted((self._row(one, shows) for one in seen), key=lambda row: row["stored"])
        return {"id": bulletin.hex(), "bulletins": rows, "more": more}

    def near(self, bulletin: bytes, shows: Shows = lambda _: True) -> list[Json]:
        """Those that name a bulletin or that it names, oldest first, as far as they are shown: what
        stands outside their seals, whether they stand, and what they name."""
        ids = [one for one in self._neighbours(bulletin) if one != bulletin and shows(one)]
        rows = (self._row(one, shows) for one in ids[: LIMITS.thread_bulletins])
        told = [{name: value for name, value in row.items() if name not in SAID} for row in rows]
        return sorted(told, key=lambda row: int(row["stored"]))

    def _neighbours(self, bulletin: bytes) -> list[bytes]:
        rows = self._db.rows(
            "SELECT o.id FROM bulletins b JOIN relations r ON r.seq = b.seq"
            " JOIN bulletins o ON o.id = r.target WHERE b.id = ?1"
            " UNION SELECT b.id FROM relations r JOIN bulletins b USING (seq) WHERE r.target = ?1"
            " LIMIT ?2",
            (bulletin, LIMITS.thread_bulletins),
        )
        return [one for (one,) in rows]

    def _row(self, bulletin: bytes, shows: Shows) -> Json:
        row = self._db.row("SELECT sender, header, stored FROM bulletins WHERE id = ?", (bulletin,))
        assert row is not None  # it was just found, and rows stay
        sealed = is_sealed(self._db, bulletin)
        words = None if sealed else words_of_row(self._db, self._archive, bulletin)
        answered = None if words is None else words.answered
        return {
            "id": bulletin.hex(),
            "direction": "sent" if row[0] == self._agency else "received",
            "stored": row[2],
            "reference": None if words is None else words.reference,
            "message": None if words is None else words.message,
            "outcome": None if answered is None else answered.outcome,
            "recalled": taken_back(self._db, bulletin),
            **header_json(row[1]),
            **self.part(bulletin, shows),
        }

    def _relations(self, bulletin: bytes, words: Words) -> list[Json]:
        return [
            {"kind": one.kind, "id": one.target.hex(), "stands": self._stands(bulletin, one)}
            for one in words.relations
        ]

    def _stands(self, bulletin: bytes, one: Relation) -> str:
        """T5: "holds", "not_held", or "foreign": it is not theirs to replace, so it counts for
        nothing; `misses`: recipients of the original have not got what takes its place."""
        original, own = held(self._db, one.target), held(self._db, bulletin)
        if original is None or own is None:
            return "not_held"
        if one.kind not in REPLACING:
            return "holds"
        if not may_replace(own, original):
            return "foreign"
        reached = (
            to in own.recipients and self.requests.replaced.reaches(bulletin, to)
            for to in original.recipients
        )
        return "holds" if all(reached) else "misses"
