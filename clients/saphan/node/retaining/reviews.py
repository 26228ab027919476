"""Reviews: a person is asked in time, and what they decide is a record (spec/retention.md).

A review whose day has come makes a bulletin `due_review`; whoever may decide hears of it then, and
again at half and at nine tenths of the time that is left. Nobody decides: it is erased. A decision
is a row with who, when, until when and why; the reason rests sealed under the bulletin's day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import DAY_MS
from saphan_schemas.text import check_text

from saphan.node.archive import Archive
from saphan.node.bulletins import unknown
from saphan.node.events import WARNING, Event
from saphan.node.retaining.armed import Armed
from saphan.node.retaining.reckoner import Reckoner
from saphan.node.retention.erasing import Erasing, HeldAmong
from saphan.node.retention.keeping import ACTIVE, DUE_REVIEW, EXTENDED, Keeping
from saphan.node.rows.db import Database
from saphan.node.telling.warnings import step_of

Decided = Literal["extend", "keep", "erase"]
SHARES: Final = (90, 50, 0)
"""Hundredths of the time that is left for a decision at which somebody is told, the last first."""
REASON: Final = 1_024
"""Characters of a reason, at most."""
OPEN: Final = ("queued", "submitted", "unopened", "handed_over", "unanswered")
REVIEW: Final = "review"
ORDER: Final = "order"


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decides about a bulletin.

    Args:
        who: as the records of this node name them; reason: 1 to 1,024 characters.
        until: the day of the next review, for `extend`; order: whether a court or the agency's own
            authority has ordered the erasure.
    """

    what: Decided
    who: str
    reason: str
    until: int | None = None
    order: bool = False


class Reviews:
    """Of one node; runs in the frames' thread; blocking.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self,
        agency: str,
        db: Database,
        archive: Archive,
        erasing: Erasing,
        held: HeldAmong,
        reckoner: Reckoner,
        armed: Armed,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._db = db
        self._archive = archive
        self._erasing = erasing
        self._held = held
        self._reckoner = reckoner
        self._armed = armed
        self._clock = clock
        self._asked_on = -1

    def ask(self, today: int) -> list[Event]:
        """Ask about what is due on `today`, while the rules are armed; the events to publish.

        Raises:
            OperatorError: the disk.
        """
        acts = self._armed.standing().acts
        if not self._changes(today, acts):
            return []
        with self._db.transaction() as tx:
            tx.execute(
                # Words in the text of a query, where it is to find its rows by a partial index.
                "UPDATE retention SET state = CASE WHEN extended > 0 THEN ? ELSE ? END"
                " WHERE state = 'due_review' AND (review IS NULL OR review > ? OR NOT ?)",
                (EXTENDED, ACTIVE, today, acts),
            )
            fresh = tx.execute(
                "UPDATE retention SET state = ? WHERE review <= ? AND state IN (?, ?)"
                " AND erased IS NULL AND ?",
                (DUE_REVIEW, today, ACTIVE, EXTENDED, acts),
            ).rowcount
        self._asked_on = today
        return self._tell(today) if fresh or acts else []

    def _changes(self, today: int, acts: bool) -> bool:
        """Whether anything is to be asked for, or asked for no more."""
        queries = [
            "SELECT 1 FROM retention WHERE state = 'due_review'"
            " AND (review IS NULL OR review > ?1 OR NOT ?2) LIMIT 1",
            "SELECT 1 FROM retention WHERE review <= ?1 AND ?2 AND erased IS NULL"
            " AND state IN ('active', 'extended') LIMIT 1",
        ]
        if today != self._asked_on:
            queries.append("SELECT 1 FROM retention WHERE state = 'due_review' AND ?1 AND ?2")
        return any(self._db.row(query, (today, acts)) is not None for query in queries)

    def decide(self, bulletin: bytes, decision: Decision) -> None:
        """Write what somebody decided, and do it; durable when it returns.

        Raises:
            InvalidInput: `bulletin_unknown`, `retention_reason`, `text_forbidden`.
            Refused: `retention_erased`, `retention_beyond`, `retention_past`, `retention_open`,
                `held_here`. OperatorError: the disk.
        """
        if not 1 <= len(decision.reason.strip()) <= REASON:
            raise InvalidInput(
                "retention_reason",
                f"a decision says why, in 1 to {REASON} characters",
                field="reason",
                hint="name the case or the law: it is what a court reads later",
            )
        check_text(decision.reason, "reason")
        row = self._db.row(
            "SELECT r.seq, r.retain, r.erased, b.wrap_day FROM retention r"
            " JOIN bulletins b USING (seq) WHERE b.id = ?",
            (bulletin,),
        )
        if row is None:
            raise unknown(bulletin)
        seq, retain, erased, wrap_day = row
        if erased is not None:
            raise Refused("retention_erased", "this node has erased it already", field="id")
        if decision.what == "erase":
            self._check_erasable(bulletin)
        until = self._until(bulletin, decision, retain)
        self._write(seq, bulletin, wrap_day, decision, until)
        if until is None:
            self._erasing.erase([bulletin], ORDER if decision.order else REVIEW)
        else:
            self._reckoner.step(bulletin)

    # --- inside -----------------------------------------------------------------------------------

    def _until(self, bulletin: bytes, decision: Decision, retain: int) -> int | None:
        """The day until which it is extended; None: it is erased."""
        if decision.what == "erase":
            return None
        until = retain if decision.what == "keep" or decision.until is None else decision.until
        if until > retain:
            raise Refused(
                "retention_beyond",
                f"nobody may keep it beyond {_date(retain)}, the last day of its header",
                field="until",
                hint="ask its originator for a new bulletin; only a hold keeps it longer",
            )
        # Some ends no review puts off: whoever extends beyond one would think that it is kept.
        end = self._reckoner.end(bulletin, until)
        if end < until and decision.what == "extend":
            raise Refused(
                "retention_beyond",
                f"its rules erase it on {_date(end)}, and no extension moves that day",
                field="until",
                hint="take a day before it; only a hold keeps it longer: saphan hold order",
            )
        until = min(until, end)
        if until <= self._clock() // DAY_MS:
            raise Refused(
                "retention_past", "the day of the next review is over already", field="until"
            )
        return until

    def _check_erasable(self, bulletin: bytes) -> None:
        if self._held([bulletin]):
            raise Refused(
                "held_here",
                "a hold of this agency keeps this bulletin, so it cannot be erased",
                field="id",
                hint=f"see which one: saphan hold list --id {bulletin.hex()[:16]}",
            )
        states = self._db.rows("SELECT state FROM deliveries WHERE bulletin = ?", (bulletin,))
        if any(state in OPEN for (state,) in states):
            raise Refused(
                "retention_open",
                "a delivery of it has no outcome yet",
                field="id",
                hint="wait for it; what this agency has sent can be recalled: saphan recall",
            )

    def _write(
        self, seq: int, bulletin: bytes, day: int, decision: Decision, until: int | None
    ) -> None:
        reason = self._archive.seal_reason(decision.reason, bulletin, day)
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT INTO retention_decisions (seq, time, who, decision, until, reason)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (seq, self._clock(), decision.who, decision.what, until, reason),
            )
            if until is None:  # a crash after this: the sweep does what was decided
                rule = ORDER if decision.order else REVIEW
                Keeping.bring_forward(tx, bulletin, self._clock() // DAY_MS, rule)
            else:
                tx.execute(
                    "UPDATE retention SET extended = ?, state = ?, reckoned = NULL WHERE seq = ?",
                    (until, EXTENDED, seq),
                )

    def _tell(self, today: int) -> list[Event]:
        """Whoever may decide hears of it; a node that was down says the newest share only."""
        undecided = self._armed.table.undecided_days
        now = self._clock()
        told: list[Event] = []
        rows = self._db.rows(
            "SELECT r.seq, b.id, b.sender, r.review, r.planned FROM retention r"
            " JOIN bulletins b USING (seq) WHERE r.state = 'due_review' AND r.day > ?1"
            " AND r.review <= ?1",  # a plan may just have reckoned it anew
            (today,),
        )
        with self._db.transaction() as tx:
            for seq, bulletin, sender, review, planned in rows:
                share = next(one for one in SHARES if review + undecided * one // 100 <= today)
                key = (seq, self._agency, REVIEW, share)
                due = review * DAY_MS
                if tx.execute(
                    "SELECT 1 FROM warnings WHERE seq = ? AND recipient = ? AND deadline = ?"
                    " AND share = ? AND due = ?",
                    (*key, due),
                ).fetchone():
                    continue
                tx.execute("REPLACE INTO warnings VALUES (?, ?, ?, ?, ?, ?)", (*key, due, now))
                tx.execute(
                    "REPLACE INTO notices (bulletin, step, due, state) VALUES (?, ?, ?, 'waiting')",
                    (bulletin, step_of("review", share), now),
                )
                told.append(_event(bulletin, sender, self._agency, planned, share))
        return told


def _date(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def _event(bulletin: bytes, sender: str, agency: str, day: int, share: int) -> Event:
    """What listeners hear."""
    return {
        "type": WARNING,
        "id": bulletin.hex(),
        "sender": sender,
        "recipient": agency,
        "deadline": REVIEW,
        "at": day * DAY_MS,
        "share": share,
        "state": DUE_REVIEW,
    }
