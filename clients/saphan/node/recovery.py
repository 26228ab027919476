"""What a stop in the wrong moment, a missing key or an old release left open, taken up again.

The same functions as in normal work finish it: stanzas are fetched again, a bulletin of an unknown
schema is judged again after an upgrade, one whose mailbox key was missing is handed over, and what
was unopened at the other end is consigned anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event

from saphan.node.alarms import Alarms
from saphan.node.archive import Archive
from saphan.node.db import Database, Row
from saphan.node.judging import WAITS, Judge, Received, Verdict, seal_reason
from saphan.node.logs import Logs
from saphan.node.mailboxes import Mailboxes
from saphan.node.statements import Said, keep_statements, sign_statements
from saphan.node.storing import mark_shown

PORTION: Final = LIMITS.frame_items
_COLUMNS: Final = (
    "SELECT b.id, b.header, b.header_id, y.ciphertext, b.digest, b.judged_at, b.sender,"
    " b.wrapped, b.wrap_day, d.mailbox_key, b.seq"
    " FROM deliveries d JOIN bulletins b ON b.id = d.bulletin"
    " JOIN bodies y ON y.seq = b.seq WHERE d.recipient = ?"
)
_UNANSWERED: Final = (
    " AND NOT EXISTS (SELECT 1 FROM statements s WHERE s.bulletin = d.bulletin"
    " AND s.state = 'waiting')"
)


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
        self._hand_over_late()
        self._judge_waiting()
        return [row[0] for row in self._unanswered("d.state = 'handed_over' AND b.wrapped IS NULL")]

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
        answers: list[tuple[Received, str, Verdict]] = []
        for bulletin, stanza in zip(bulletins, stanzas, strict=False):
            rows = self._db.rows(
                f"{_COLUMNS} AND b.id = ? AND d.state = 'handed_over'", (self._agency, bulletin)
            )
            if stanza is None or not rows or rows[0][9] is None:
                continue
            received = _received(rows[0])
            answers.append((received, rows[0][6], self._judge.judge(received, stanza, rows[0][9])))
        return self._answer(answers)

    def _judge_waiting(self) -> None:
        """Bulletins of a schema that this program did not have when they came."""
        answers = []
        for row in self._unanswered("d.state = 'handed_over' AND b.wrapped IS NOT NULL"):
            try:
                content_key = self._archive.unwrap(row[7], row[0], row[8])
            except SaphanError as error:
                self._alarms.sound(error)
                continue
            verdict = self._judge.judge_content(_received(row), content_key)
            if verdict.code != WAITS:
                answers.append((_received(row), row[6], verdict))
            if len(answers) == PORTION:
                self._answer(answers)
                answers = []
        self._answer(answers)

    def _hand_over_late(self) -> None:
        """Bulletins whose mailbox key was missing; what admission refused here stays refused."""
        late = (
            row
            for row in self._unanswered(
                "d.state = 'submitted' AND coalesce(d.code, 'mailbox_key_missing') ="
                " 'mailbox_key_missing'"
            )
            if row[9] is not None and self._mailboxes.get(row[9]) is not None
        )
        while said := [self._handover(row) for row in islice(late, PORTION)]:
            batch, signed = sign_statements(self._key, self._agency, said)
            with self._db.transaction() as tx:
                keep_statements(tx, batch, signed)
            self._alarms.clear("mailbox_key_missing")

    def _handover(self, row: Row) -> Said:
        return Said(
            event=Event.HANDOVER,
            bulletin=row[0],
            ciphertext=row[4],
            sender=row[6],
            recipient=self._agency,
            time=self._clock(),
        )

    def _answer(self, answers: Sequence[tuple[Received, str, Verdict]]) -> bool:
        said = [
            Said(
                event=verdict.event,
                bulletin=received.id,
                ciphertext=received.digest,
                sender=sender,
                recipient=self._agency,
                time=self._clock(),
                code=verdict.code,
                detail=seal_reason(
                    self._logs, self._agency, received.id, sender, verdict.reason, self._clock()
                ),
            )
            for received, sender, verdict in answers
            if verdict.event is not None
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
            mark_shown(tx, [r.id for r, _, v in answers if v.event is Event.ACCEPTED])
            if signed is not None:
                keep_statements(tx, *signed)
        return bool(said)


def _received(row: Row) -> Received:
    return Received(
        id=row[0],
        header=row[1],
        header_id=row[2],
        ciphertext=row[3],
        digest=row[4],
        judged_at=row[5],
    )
