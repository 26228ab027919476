"""What a stop in the wrong moment, a missing key or an old release left open, taken up again.

The same functions as in normal work finish it: stanzas are fetched again, a bulletin of an unknown
schema is judged again after an upgrade, one whose mailbox key was missing or whose attachments have
come is handed over, and what was unopened at the other end is consigned anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

from saphan_protocol.delivery import HELD
from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import OperatorError, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event

from saphan.node.alarms import Alarms
from saphan.node.archive import Archive
from saphan.node.files.blobs import DAMAGED
from saphan.node.files.parts import MISSING, WAITING, attachments_of, mark
from saphan.node.judging import WAITS, Judge, Received, Verdict, seal_reason
from saphan.node.logs import Logs
from saphan.node.rows.db import Database, Row
from saphan.node.rows.statements import (
    Said,
    held_back_rows,
    hold_back,
    keep_statements,
    sign_statements,
)
from saphan.node.signing_anew import sign_ended
from saphan.node.storing import mark_shown
from saphan.node.threads.rows import keep_words
from saphan.node.trust.mailboxes import Mailboxes, mailbox_missing
from saphan.node.trust.releasing import HELD_BACK, held_back_stored

PORTION: Final = LIMITS.frame_items
WITHHELD: Final = "stanza_missing"
"""Alarm: a handover of ours is logged, and the broker gives nothing for it."""
_COLUMNS: Final = (
    "SELECT b.id, b.header, b.header_id, y.ciphertext, b.digest, b.judged_at, b.sender,"
    " b.wrapped, b.wrap_day, d.mailbox_key, b.seq, d.state"
    " FROM deliveries d JOIN bulletins b ON b.id = d.bulletin"
    " JOIN bodies y ON y.seq = b.seq WHERE d.recipient = ?"
)
_UNANSWERED: Final = (
    " AND NOT EXISTS (SELECT 1 FROM statements s WHERE s.bulletin = d.bulletin"
    " AND s.state = 'waiting')"
    " AND NOT EXISTS (SELECT 1 FROM parts p WHERE p.bulletin = d.bulletin AND p.stage = 0)"
)
_WAIT_CODES: Final = ", ".join(f"'{code}'" for code in ("mailbox_key_missing", WAITING, *HELD_BACK))
_LATE: Final = f"d.state = 'submitted' AND coalesce(d.code, '{WAITING}') IN ({_WAIT_CODES})"
"""Everything is here; what admission refused has another code, and stays refused."""
_HELD: Final = ", ".join(f"'{state}'" for state in sorted(HELD))
_STANZA: Final = (
    f"b.wrapped IS NULL AND (d.state IN ({_HELD}) OR (d.state IN ('accepted', 'read')"  # noqa: S608 - constants
    " AND EXISTS (SELECT 1 FROM parts p WHERE p.bulletin = d.bulletin)))"
)
"""Without its key; accepted ones after a lost store, whose parts came after the log had spoken."""
_CLOSED: Final = (
    "SELECT b.id FROM bulletins b CROSS JOIN deliveries d ON d.bulletin = b.id"  # noqa: S608 - constants
    " CROSS JOIN bodies y ON y.seq = b.seq"
    f" WHERE d.recipient = ?{_UNANSWERED} AND {_STANZA} ORDER BY b.seq"
)
"""All of these: from the bulletins without their keys, never from all that was ever accepted."""


class Recovery:
    """Runs in the frames' thread, at start and at the opening of each session."""

    def __init__(
        self,
        agency: str,
        key: SigningKey,
        db: Database,
        logs: Logs,
        archive: Archive,
        judge: Judge,
        mailboxes: Mailboxes,
        alarms: Alarms,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._key = key
        self._db = db
        self._logs = logs
        self._archive = archive
        self._judge = judge
        self._mailboxes = mailboxes
        self._alarms = alarms
        self._clock = clock

    def run(self) -> list[bytes]:
        """Finish what can be finished here; returns bulletins whose stanzas must be fetched."""
        sign_ended(self._db, self._logs, self._key, self._clock())
        self.let_go()
        self.hand_over_late()
        self.judge_waiting()
        closed = [bulletin for (bulletin,) in self._db.rows(_CLOSED, (self._agency,))]
        if not closed:
            self._alarms.clear(WITHHELD)
        return closed

    def parts_came(self, bulletin: bytes) -> tuple[bool, bool]:
        """Every part is here: hand over, or go on with what was handed over before.

        Returns:
            Whether something is to be stated, and whether the stanza must be fetched.
        """
        row = self._one(bulletin, _LATE)
        if row is None:
            return False, self._one(bulletin, _STANZA) is not None
        if row[9] is not None and self._mailboxes.get(row[9]) is not None:
            if self._held_back(row):
                return False, False
            self._state_handovers([row])
            return True, False
        with self._db.transaction() as tx:
            tx.execute(
                "UPDATE deliveries SET code = 'mailbox_key_missing' WHERE bulletin = ?"
                " AND recipient = ?",
                (bulletin, self._agency),
            )
        self._alarms.sound(mailbox_missing(bulletin, row[9]))
        return False, False

    def _one(self, bulletin: bytes, where: str) -> Row | None:
        return self._db.row(
            f"{_COLUMNS}{_UNANSWERED} AND {where} AND b.id = ?", (self._agency, bulletin)
        )

    def _unanswered(self, where: str) -> Iterator[Row]:
        """All such deliveries, few in memory: one that cannot go on must not hide the next."""
        after = 0
        while rows := self._db.rows(
            f"{_COLUMNS}{_UNANSWERED} AND {where} AND b.seq > ? ORDER BY b.seq LIMIT ?",
            (self._agency, after, PORTION),
        ):
            yield from rows
            after = rows[-1][10]

    def take_stanzas(self, bulletins: Sequence[bytes], stanzas: Sequence[bytes | None]) -> bool:
        """Judge what was fetched; True when there is something to state."""
        answers: list[tuple[Received, Row, Verdict]] = []
        for bulletin, stanza in zip(bulletins, stanzas, strict=False):
            rows = self._db.rows(f"{_COLUMNS} AND b.id = ? AND {_STANZA}", (self._agency, bulletin))
            if not rows or rows[0][9] is None:
                continue
            if stanza is None:
                self._alarms.sound(_withheld(bulletin))
                continue
            received = self._received(rows[0])
            judge = partial(self._judge.judge, received, stanza, rows[0][9])
            verdict = self._judged(judge, bulletin)
            if verdict is not None:
                answers.append((received, rows[0], verdict))
        return self._answer(answers)

    def _judged(self, judge: Callable[[], Verdict], bulletin: bytes) -> Verdict | None:
        """The verdict; None if this disk has changed the attachments, which are fetched again."""
        try:
            return judge()
        except OperatorError as error:
            if error.code != DAMAGED:
                raise
            with self._db.transaction() as tx:
                mark(tx, bulletin, MISSING)
            self._alarms.sound(error)
            return None

    def judge_waiting(self) -> bool:
        """Bulletins of a schema that was not here when they came; whether anything is stated."""
        answers, stated = [], False
        for row in self._unanswered(f"d.state IN ({_HELD}) AND b.wrapped IS NOT NULL"):
            try:
                content_key = self._archive.unwrap(row[7], row[0], row[8])
            except SaphanError as error:
                self._alarms.sound(error)
                continue
            received = self._received(row)
            judge = partial(self._judge.judge_content, received, content_key)
            verdict = self._judged(judge, received.id)
            if verdict is not None and verdict.code != WAITS:
                answers.append((received, row, verdict))
            if len(answers) == PORTION:
                stated = self._answer(answers) or stated
                answers = []
        return self._answer(answers) or stated

    def hand_over_late(self) -> bool:
        """Bulletins whose mailbox key was missing, whose last part came before a crash, or that no
        agreement carried for a while; whether there is anything to state."""
        stated, lacking = False, False

        def may_go(row: Row) -> bool:
            nonlocal lacking
            if row[9] is None:
                return False
            if self._mailboxes.get(row[9]) is None:
                lacking = True
                return False
            return not self._held_back(row)

        late = filter(may_go, self._unanswered(_LATE))
        while rows := list(islice(late, PORTION)):
            self._state_handovers(rows)
            stated = True
        if not lacking:  # the files are back, or all of it was sealed anew to other keys
            self._alarms.clear("mailbox_key_missing")
        return stated

    def let_go(self) -> list[int]:
        """What was said in a lost log and was held back in this one, as far as it may be said now;
        its rows."""
        rows: list[int] = []
        for bulletin, held in held_back_rows(self._db).items():
            known = self._db.row(
                "SELECT mailbox_key FROM deliveries WHERE bulletin = ? AND recipient = ?",
                (bulletin, self._agency),
            )
            where = self._db, self._logs, self._agency, bulletin
            if known is None or held_back_stored(*where, known[0], self._clock()) is None:
                rows += held
        if rows:
            with self._db.transaction() as tx:
                hold_back(tx, rows, None)
        return rows

    def _held_back(self, row: Row) -> bool:
        """Whether it may not be handed over at present; the delivery's code says why."""
        code = held_back_stored(self._db, self._logs, self._agency, row[0], row[9], self._clock())
        known = self._db.row(
            "SELECT code FROM deliveries WHERE bulletin = ? AND recipient = ?",
            (row[0], self._agency),
        )
        if code is not None and known != (code,):
            with self._db.transaction() as tx:
                tx.execute(
                    "UPDATE deliveries SET code = ? WHERE bulletin = ? AND recipient = ?",
                    (code, row[0], self._agency),
                )
        return code is not None

    def _state_handovers(self, rows: list[Row]) -> None:
        said = [self._handover(row) for row in rows]
        batch, signed = sign_statements(self._key, self._agency, said)
        with self._db.transaction() as tx:
            keep_statements(tx, batch, signed)

    def _handover(self, row: Row) -> Said:
        return Said(
            event=Event.HANDOVER,
            bulletin=row[0],
            ciphertext=row[4],
            sender=row[6],
            recipient=self._agency,
            time=self._clock(),
        )

    def _received(self, row: Row) -> Received:
        return Received(
            id=row[0],
            header=row[1],
            header_id=row[2],
            ciphertext=row[3],
            digest=row[4],
            judged_at=row[5],
            attachments=attachments_of(self._db, [row[0]]).get(row[0], ()),
        )

    def _answer(self, answers: Sequence[tuple[Received, Row, Verdict]]) -> bool:
        said = [
            Said(
                event=verdict.event,
                bulletin=received.id,
                ciphertext=received.digest,
                sender=row[6],
                recipient=self._agency,
                time=self._clock(),
                code=verdict.code,
                detail=seal_reason(
                    self._logs, self._agency, received.id, row[6], verdict.reason, self._clock()
                ),
            )
            for received, row, verdict in answers
            if verdict.event is not None and row[11] in HELD
        ]
        if not answers:
            return False
        signed = sign_statements(self._key, self._agency, said) if said else None
        with self._db.transaction() as tx:
            for received, _, verdict in answers:
                tx.execute(
                    "UPDATE bulletins SET wrapped = coalesce(?, wrapped), author = ? WHERE id = ?",
                    (verdict.wrapped, verdict.author, received.id),
                )
                if verdict.words is not None:
                    keep_words(tx, [verdict.words])
            mark_shown(tx, [r.id for r, _, v in answers if v.event is Event.ACCEPTED])
            if signed is not None:
                keep_statements(tx, *signed)
        return bool(said)


def _withheld(bulletin: bytes) -> OperatorError:
    return OperatorError(
        WITHHELD,
        f"bulletin {bulletin.hex()[:16]} was handed over, and the broker does not give its key",
        hint="ask the broker's operator; the node asks again whenever its line is up anew",
    )
