"""What this agency can say about a reference: held, sent, received, exported, destroyed.

1. The index is asked after whatever waits for it is in it: an answer leaves nothing out.
2. Each bulletin found: how long it is kept, who read it, what of it was exported, which desks have
   it, and what others have said that they did with it.
3. What was destroyed here is found by its id, or as something that a bulletin here names: the index
   that would say whom it named went with it. How many those are is said.
4. Whether the reference is suppressed after a recall for the wrong person.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.limits import LIMITS

from saphan.header_json import header_json
from saphan.node.exports.copies import DeskCopies
from saphan.node.exports.exporting import Exporting
from saphan.node.rows.db import Database, Row
from saphan.node.rows.places import shown
from saphan.node.subjects.index import SubjectIndex
from saphan.subjects.references import CERTAIN, KINDS, NAME_LIKE, Reference, asked_references

Json = dict[str, Any]
BY_ID: Final = "id"
"""In place of a kind: the question was a bulletin's id."""
NAMED: Final = "named"
"""In place of a kind: a bulletin that was found names it."""
_ID: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_ROW: Final = (
    "SELECT b.seq, b.id, b.sender, b.header, b.stored, r.day, r.rule, r.review, r.state,"
    " r.sealed, r.erased FROM bulletins b JOIN retention r USING (seq)"
)
_SAID: Final = frozenset({"erased", "destroyed", "obeyed", "declined", "recalled"})
"""Events that tell what became of a bulletin elsewhere."""


@dataclass(frozen=True, slots=True)
class SubjectReport:
    """Answers for one node; blocking.

    Args:
        held: which of some bulletins a hold keeps.
    """

    agency: str
    db: Database
    index: SubjectIndex
    exports: Exporting
    copies: DeskCopies
    held: Callable[[Collection[bytes]], set[bytes]]

    def about(self, text: str, skip: int = 0) -> Json:
        """Steps 2 to 4, of a name, a number, an account, a telephone, or a bulletin's id.

        What is certain comes first, then what only sounds like it; the oldest first. Of more than
        `LIMITS.report_bulletins` one page is told; `next` is what to skip for the one behind it.
        """
        asked = asked_references(text)
        rows, following = self._found(text.strip().lower(), asked, skip)
        bulletins = [self._told(row, kind) for row, kind in rows]
        here = [one for one in bulletins if one["erased"] is None]
        gone = [one for one in bulletins if one["erased"] is not None]
        return {
            "about": text,
            "asked": sorted({one.kind for one in asked}),
            "bulletins": here,
            "destroyed": gone,
            "destroyed_unknown": self._unknown(len(gone)),
            "suppressed": self._suppressed(asked),
            "more": following is not None,
            "next": following,
            "totals": _totals(here, gone),
        }

    def left(self, bulletin: bytes) -> Json:
        """What was exported of one bulletin, and which desks have it."""
        return {"exports": self.exports.listed(bulletin), "desks": self.copies.of(bulletin)}

    # --- inside -----------------------------------------------------------------------------------

    def _found(
        self, text: str, asked: Iterable[Reference], skip: int
    ) -> tuple[list[tuple[Row, str]], int | None]:
        """Rows of bulletins, each with the kind by which it was found; how many to skip for what
        is behind them, None: nothing is."""
        by = {one.seq: one.kind for one in self.index.find(asked)}
        if _ID.fullmatch(text):
            start, end = bytes.fromhex(text.ljust(64, "0")), bytes.fromhex(text.ljust(64, "f"))
            same = self.db.rows("SELECT seq FROM bulletins WHERE id BETWEEN ? AND ?", (start, end))
            by = dict.fromkeys((seq for (seq,) in same), BY_ID) | by
        seqs = sorted(by, key=lambda seq: (by[seq] == NAME_LIKE, seq))
        end_at = skip + LIMITS.report_bulletins
        taken = seqs[skip:end_at]
        rows = [(self._row("WHERE b.seq = ?", seq), by[seq]) for seq in taken]
        named = [(row, NAMED) for row in self._named(taken, by)]
        told = [(row, kind) for row, kind in (*rows, *named) if row]
        return told, end_at if len(seqs) > end_at else None

    def _named(self, seqs: Collection[int], told: Collection[int]) -> list[Row]:
        """Destroyed bulletins that those found here name; none that is told of by itself."""
        named: dict[int, Row] = {}
        for seq in seqs:
            rows = self.db.rows(
                f"{_ROW} JOIN relations n ON n.target = b.id"
                " WHERE n.seq = ? AND r.erased IS NOT NULL",
                (seq,),
            )
            named |= {row[0]: row for row in rows if row[0] not in told}
        return [named[seq] for seq in sorted(named)]

    def _row(self, where: str, value: object) -> Row:
        return self.db.row(f"{_ROW} {where}", (value,)) or ()

    def _told(self, row: Row, kind: str) -> Json:
        """Step 2, of one."""
        _, bulletin, sender, header, stored, day, rule, review, state, sealed, erased = row
        return {
            "id": bulletin.hex(),
            "found_by": kind,
            "certain": kind in CERTAIN or kind == BY_ID,
            "direction": "sent" if sender == self.agency else "received",
            **header_json(header),
            "stored": stored,
            "day": day,
            "rule": rule,
            "review": review,
            "state": "held" if erased is None and self.held((bulletin,)) else state,
            "sealed": sealed,
            "erased": erased,
            "readings": self._readings(bulletin),
            **self.left(bulletin),
            "elsewhere": self._elsewhere(bulletin),
        }

    def _readings(self, bulletin: bytes) -> list[Json]:
        rows = self.db.rows(
            "SELECT handle, CASE WHEN handle IS NULL THEN reader END, time FROM readings"
            " WHERE bulletin = ? ORDER BY time",
            (bulletin,),
        )
        return [
            {"handle": handle, "system": None if name is None else _name(name), "time": time}
            for handle, name, time in rows
        ]

    def _elsewhere(self, bulletin: bytes) -> list[Json]:
        """What the broker and others have said that they did with it, in the order of the log."""
        rows = self.db.rows(
            "SELECT idx, time, event, issuer, recipient, code FROM entries"
            " WHERE bulletin = ? ORDER BY idx",
            (bulletin,),
        )
        names = ("time", "event", "issuer", "recipient", "code")
        return [
            shown(row[0]) | dict(zip(names, row[1:], strict=True))
            for row in rows
            if row[2] in _SAID and row[3] != self.agency
        ]

    def _unknown(self, told: int) -> int:
        """Bulletins that were destroyed here and are not told of: whom they named is gone too."""
        row = self.db.row("SELECT count(*) FROM retention WHERE erased IS NOT NULL")
        return max(0, (0 if row is None else int(row[0])) - told)

    def _suppressed(self, asked: Iterable[Reference]) -> Json | None:
        """Step 4: the longest suppression of it that stands."""
        found = [
            {"kind": KINDS[row[0]], "since": row[1], "until": row[2]}
            for one in asked
            if (row := self._suppression(one)) is not None
        ]
        return max(found, key=lambda one: int(one["until"])) if found else None

    def _suppression(self, one: Reference) -> Row | None:
        return self.db.row(
            "SELECT kind, time, until FROM suppressed WHERE token = ?", (self.index.token(one),)
        )


def _name(reader: bytes) -> str:
    """Of a system that has read: as `views.system_reader` writes it."""
    return reader.decode(errors="replace")


def _totals(here: list[Json], gone: list[Json]) -> Json:
    ways = Counter(one["direction"] for one in (*here, *gone))
    exports = Counter(each["kind"] for one in (*here, *gone) for each in one["exports"])
    return {
        "held": len(here),
        "sent": ways["sent"],
        "received": ways["received"],
        "destroyed": len(gone),
        "exported": sum(exports.values()),
    }
