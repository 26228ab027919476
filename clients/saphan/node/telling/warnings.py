"""Warnings before a deadline: at half and at nine tenths of the time, while it is not too late.

1. Every delivery without an outcome gets a row for each share of each deadline, once: of our own
   bulletins, and of those we received and have not answered.
2. When a row is due and what it waits for has not come, `told` is written, in one transaction with
   the row by which the notice command is told (`notices`); then it is an event. A crash before
   that loses the event alone: status and notice have it, and nothing is said twice.
3. What has come meanwhile, or is too late, is told of by the log: its row goes away. A node that
   was down over both shares says the later one only.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from saphan_protocol.admission import due_day
from saphan_protocol.deadlines import Times
from saphan_protocol.delivery import State
from saphan_schemas.codec import decode
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import DAY_MS, LIMITS
from saphan_schemas.records import Header

from saphan.node.alarms import Alarms
from saphan.node.engine import Engine
from saphan.node.events import WARNING, Event, Events
from saphan.node.restored import Restored
from saphan.node.rows.db import Database, Row
from saphan.node.rows.deliveries import QUEUED
from saphan.node.telling.owed import OwedReplies, owed_at
from saphan.node.telling.recalls import RECALL, recall_end, unanswered

log = logging.getLogger("saphan.node")

Deadline = Literal["expires", "answer_by", "reply", "review", "recall"]
DEADLINES: Final[tuple[Deadline, ...]] = ("expires", "answer_by")
"""Those of a header; by when a request is answered stands in no header (`owed`)."""
SHARES: Final = (50, 90)
"""Hundredths of the time from a bulletin's creation to its deadline."""
OVER: Final = 100
"""Share of a reply that is owed still when its time is over: no log says that."""
STEPS: Final[tuple[tuple[Deadline, int], ...]] = (
    ("expires", 50), ("expires", 90), ("answer_by", 50), ("answer_by", 90),
    ("reply", 50), ("reply", 90), ("reply", OVER), ("review", 0), ("review", 50), ("review", 90),
    ("recall", 50), ("recall", 90), ("recall", OVER),
)  # fmt: skip
"""Warnings among a bulletin's notices, from step -1 downwards."""

WATCHED: Final = "warnings_from"
"""Fact: place of the newest bulletin whose deliveries have had their rows."""
PAGE: Final = 1_024
"""Bulletins looked at, or rows told, in one transaction."""
LOOK_S: Final = 10.0
"""Between two looks, so that what is urgent for minutes is warned of in time."""

UNDELIVERED: Final = (QUEUED, State.SUBMITTED.value, State.UNOPENED.value)
OPEN: Final = (*UNDELIVERED, State.HANDED_OVER.value)
_WAITS_IN: Final[dict[Deadline, tuple[str, ...]]] = {"expires": UNDELIVERED, "answer_by": OPEN}
"""`expires` ends a delivery that nobody has handed over, `answer_by` asks for its outcome."""
_OPEN: Final = ",".join(f"'{state}'" for state in OPEN)
_DUE: Final = (
    "SELECT w.seq, w.recipient, w.deadline, w.share, b.id, b.header, d.state"
    " FROM warnings w LEFT JOIN bulletins b ON b.seq = w.seq LEFT JOIN deliveries d"
    " ON d.bulletin = b.id AND d.recipient = w.recipient"
    " WHERE w.told IS NULL AND w.due <= ? ORDER BY w.due LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class _Due:
    """A row whose time has come, and what it stands for; without a header it is destroyed."""

    key: tuple[int, str, Deadline, int]
    bulletin: bytes
    header: Header | None
    state: str | None

    def stands(self, now: int) -> bool:
        """Whether there is anything to warn of: it waits still, and no later warning is due too."""
        _, _, deadline, share = self.key
        if self.header is None or self.state not in _WAITS_IN[deadline]:
            return False
        at = deadline_of(self.header, deadline)
        if at is None or at <= now:
            return False
        return not any(later > share and due_at(self.header, at, later) <= now for later in SHARES)

    def event(self) -> Event:
        """What listeners hear."""
        assert self.header is not None
        _, recipient, deadline, share = self.key
        return {
            "type": WARNING,
            "id": self.bulletin.hex(),
            "sender": self.header.sender,
            "recipient": recipient,
            "deadline": deadline,
            "at": deadline_of(self.header, deadline),
            "share": share,
            "state": self.state,
        }


class Warnings:
    """The warnings of one node; `run` on the event loop, everything else blocks.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self,
        db: Database,
        restored: Restored,
        alarms: Alarms,
        owed: OwedReplies,
        clock: Callable[[], int],
    ) -> None:
        self._owed = owed
        self._db = db
        self._restored = restored
        self._alarms = alarms
        self._clock = clock

    async def run(self, engine: Engine, events: Events) -> None:
        """Warn, for ever; what fails now is tried again at the next look."""
        while True:
            told: list[Event] = []
            try:
                told = await engine.in_reading(self.look)
                events.publish(told)
            except SaphanError as error:  # the disk
                self._alarms.sound(error)
            except Exception:  # a bug; without this task nobody would be warned any more
                log.exception("a look at the deadlines met a bug")
            if len(told) < PAGE:
                await asyncio.sleep(LOOK_S)

    def look(self) -> list[Event]:
        """Warn of what is due, at least of `PAGE` of it if there is as much; the events to publish.

        Raises:
            OperatorError: the disk.
        """
        if self._restored.listening:
            return []  # what came while it was lost is not heard yet
        self._add()
        now, more = self._clock(), True
        told: list[_Due] = []
        while more and len(told) < PAGE:  # most of what is due was answered long ago
            due = [_parse(row) for row in self._db.rows(_DUE, (now, PAGE))]
            more = len(due) == PAGE
            told += self._tell(due, now)
        return [one.event() for one in told] + self._remind(now) + self._recalled(now)

    def _remind(self, now: int) -> list[Event]:
        """Of replies that are owed: status and notice have it before anybody hears it."""
        owed = self._owed.due(now)
        if not owed:
            return []
        with self._db.transaction() as tx:
            owed.write(tx)
            for one in owed.told:
                tx.execute(
                    "INSERT OR REPLACE INTO warnings VALUES (?, ?, 'reply', ?, ?, ?)",
                    (one.seq, one.replier, one.share, one.at, now),
                )
                tx.execute(
                    "INSERT OR REPLACE INTO notices (bulletin, step, due, state)"
                    " VALUES (?, ?, ?, 'waiting')",
                    (one.bulletin, step_of("reply", one.share), now),
                )
        return [one.event() for one in owed.told]

    def _recalled(self, now: int) -> list[Event]:
        """Of recalls that nobody has answered yet."""
        found = unanswered(self._db, now)
        if not found:
            return []
        with self._db.transaction() as tx:
            for one in found:
                tx.execute(
                    "INSERT OR REPLACE INTO warnings VALUES (?, ?, ?, ?, ?, ?)",
                    (one.seq, one.recipient, RECALL, one.share, one.at, now),
                )
                tx.execute(
                    "INSERT OR REPLACE INTO notices (bulletin, step, due, state)"
                    " VALUES (?, ?, ?, 'waiting')",
                    (one.bulletin, step_of(RECALL, one.share), now),
                )
        return [one.event() for one in found]

    def _tell(self, due: list[_Due], now: int) -> list[_Due]:
        """Step 2 and 3; what stands."""
        if not due:
            return []
        told = [one for one in due if one.stands(now)]
        with self._db.transaction() as tx:
            tx.executemany(
                "UPDATE warnings SET told = ? WHERE seq = ? AND recipient = ?"
                " AND deadline = ? AND share = ?",
                [(now, *one.key) for one in told],
            )
            tx.executemany(
                "DELETE FROM warnings WHERE seq = ? AND recipient = ? AND deadline = ?"
                " AND share = ? AND told IS NULL",
                [one.key for one in due],
            )
            _notice(tx, told, now)
        return told

    # --- rows -------------------------------------------------------------------------------------

    def _add(self) -> None:
        """Rows for the deliveries of every bulletin that came since the last look."""
        newest = self._db.row("SELECT max(seq) FROM bulletins")
        last = (newest[0] if newest else None) or 0
        after = self._watched()
        while after < last:
            until = min(last, after + PAGE)
            rows = [row for found in self._open(after, until) for row in _rows(*found)]
            with self._db.transaction() as tx:
                tx.executemany(
                    "INSERT INTO warnings VALUES (?, ?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING",
                    rows,
                )
                tx.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (WATCHED, str(until)))
            after = until

    def _watched(self) -> int:
        """Place up to which rows were made; of an older store, all before what has no outcome."""
        found = self._db.row("SELECT value FROM facts WHERE name = ?", (WATCHED,))
        if found is not None:
            return int(found[0])
        oldest = self._db.row(
            "SELECT coalesce(min(b.seq), (SELECT max(seq) + 1 FROM bulletins))"  # noqa: S608
            f" FROM deliveries d JOIN bulletins b ON b.id = d.bulletin WHERE d.state IN ({_OPEN})"
        )
        return ((oldest[0] if oldest else None) or 1) - 1

    def _open(self, after: int, until: int) -> list[Row]:
        return self._db.rows(
            "SELECT b.seq, d.recipient, b.header FROM bulletins b"  # noqa: S608 - constants
            " JOIN deliveries d ON d.bulletin = b.id"
            f" WHERE b.seq > ? AND b.seq <= ? AND d.state IN ({_OPEN})",
            (after, until),
        )


def deadline_of(header: Header, deadline: Deadline) -> int | None:
    """When it is, ms UTC; None if the bulletin has none. Nobody can take it from its due-day on."""
    if deadline not in DEADLINES:
        return None
    if deadline == "answer_by":
        return header.answer_by
    return Times(header.expires, header.answer_by, due_day(header)).undelivered


def due_at(header: Header, at: int, share: int) -> int:
    """When so many hundredths of the time to the deadline `at` are over, ms UTC."""
    return header.created + (at - header.created) * share // 100


def _rows(seq: int, recipient: str, data: bytes) -> list[tuple[object, ...]]:
    header = decode(Header, data, LIMITS.header_bytes, "header")
    times = [(deadline, deadline_of(header, deadline)) for deadline in DEADLINES]
    return [
        (seq, recipient, deadline, share, due_at(header, at, share))
        for deadline, at in times
        if at is not None
        for share in SHARES
    ]


def _parse(row: Row) -> _Due:
    seq, recipient, deadline, share, bulletin, data, state = row
    header = None if data is None else decode(Header, data, LIMITS.header_bytes, "header")
    return _Due((seq, recipient, deadline, share), bulletin or b"", header, state)


# --- the notice command and the status ------------------------------------------------------------


def step_of(deadline: Deadline, share: int) -> int:
    """The step of a warning among a bulletin's notices: below 0, for no settings name it."""
    return -1 - STEPS.index((deadline, share))


def of_step(step: int) -> tuple[Deadline, int]:
    """Deadline and share of a warning's step."""
    return STEPS[-1 - step]


def waits(db: Database, bulletin: bytes, step: int) -> bool:
    """Whether anybody waits still for what a warning's step is about."""
    deadline, _ = of_step(step)
    if deadline in LATER:
        return LATER[deadline](db, bulletin) is not None
    states = _WAITS_IN[deadline]
    rows = db.rows("SELECT state FROM deliveries WHERE bulletin = ?", (bulletin,))
    return any(state in states for (state,) in rows)


def review_end(db: Database, bulletin: bytes) -> int | None:
    """When it is erased if nobody decides, ms UTC; None if nobody is asked about it."""
    row = db.row(
        "SELECT r.planned FROM retention r JOIN bulletins b USING (seq)"
        " WHERE b.id = ? AND r.state = 'due_review'",
        (bulletin,),
    )
    return None if row is None or row[0] is None else row[0] * DAY_MS


LATER: Final[dict[Deadline, Callable[[Database, bytes], int | None]]] = {
    "reply": owed_at, "review": review_end, "recall": recall_end
}  # fmt: skip
"""When deadlines are over that stand in no header; None: nobody waits any more."""


def _notice(tx: sqlite3.Connection, told: list[_Due], now: int) -> None:
    """One notice of a bulletin, however many of its recipients have not answered."""
    tx.executemany(
        "INSERT INTO notices (bulletin, step, due, state) VALUES (?, ?, ?, 'waiting')"
        " ON CONFLICT DO NOTHING",
        [(one.bulletin, step_of(one.key[2], one.key[3]), now) for one in told],
    )


def warned(db: Database, bulletin: bytes) -> list[dict[str, Any]]:
    """The warnings that were told about a bulletin, in their order; `told` is ms UTC."""
    rows = db.rows(
        "SELECT recipient, deadline, share, told FROM warnings"
        " WHERE seq = (SELECT seq FROM bulletins WHERE id = ?)"
        " AND told IS NOT NULL ORDER BY told, recipient, deadline, share",
        (bulletin,),
    )
    names = ("recipient", "deadline", "share", "told")
    return [dict(zip(names, row, strict=True)) for row in rows]
