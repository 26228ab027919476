"""The outbox as the line sees it: what to send next, and what an answer means for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from saphan_protocol.batch import SALT_BYTES
from saphan_protocol.stanza import STANZA_BYTES
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import OperatorError
from saphan_schemas.frames import Result, Submission
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, SignatureItem

from saphan.node.files.parts import attachments_of
from saphan.node.portions import CLASSES, Look, Portion
from saphan.node.rows.db import Database, Row
from saphan.node.rows.deliveries import MAX_ATTEMPTS, QUEUED, REFUSED
from saphan.node.rows.signatures import find
from saphan.node.rows.statements import hold_back, mark_refused
from saphan.node.trust.releasing import HELD_BACK

SUBMIT_ITEMS: Final = 64
"""Bulletins in one frame: one batch signature, at most 6 MiB cut by `SUBMIT_BYTES`."""
SUBMIT_BYTES: Final = LIMITS.frame_bytes // 2
LEAST_BYTES: Final = 4_096
"""A submission is never smaller: its stanza alone takes a quarter of that, its ciphertext 4 KiB."""

ANEW: Final = frozenset(
    {
        "mailbox_ended",
        "mailbox_ends_first",
        "key_revoked",
        "key_unknown",
        "key_foreign",
        "stanza_digest",
    }
)
"""Refusals that a new consignment can cure: the recipient's or our own keys have changed."""
OVERTAKEN: Final = frozenset({"order_illegal", "already_decided"})
"""Of a bulletin that is in the log: the recipient took an earlier consignment in the meantime."""
RESUMED: Final = frozenset({"agreement_suspended", "agreement_missing"})
"""Of a bulletin that a lost log had admitted: there it would have waited, or gone on."""
ANEW_WAIT_S: Final = 0.05
"""Before the first new consignment; the eighth waits 6 s."""


_COLUMNS: Final = (
    "SELECT c.id, b.header, c.body, c.item, c.root, c.salts, c.stanzas, y.ciphertext, b.id"
    " FROM consignments c JOIN bulletins b ON b.id = c.bulletin"
    " JOIN bodies y ON y.seq = b.seq WHERE c.state = 'waiting'"
)
_BARE: Final = " AND NOT EXISTS (SELECT 1 FROM parts p WHERE p.bulletin = c.bulletin)"
"""Those with attachments are sent by name, when the broker holds them (`Uploading`)."""


def next_portion(db: Database, look: Look) -> Portion[Submission]:
    """Waiting consignments to send, all of one class: an urgent one overtakes what waits."""
    if look.again:
        part = look.again[:SUBMIT_ITEMS]
        marks = ",".join("?" * len(part))
        rows = db.rows(f"{_COLUMNS} AND c.id IN ({marks}) ORDER BY c.id", part)
        return _portion(db, rows, look.room)
    for urgency in range(CLASSES - 1, look.least - 1, -1):
        few = min(SUBMIT_ITEMS, 1 + look.room // LEAST_BYTES)
        above = (urgency, look.after[urgency], few)
        rows = db.rows(
            f"{_COLUMNS}{_BARE} AND c.urgency = ? AND c.id > ? ORDER BY c.id LIMIT ?", above
        )
        if rows:
            more = urgency > 0 or len(rows) == few
            return _portion(db, rows, look.room, urgency, more)
    return Portion([], (), (), more=look.least > 0)


def cut(data: bytes, size: int) -> tuple[bytes, ...]:
    """Pieces that rest as one."""
    return tuple(data[at : at + size] for at in range(0, len(data), size))


def bytes_of(one: Submission) -> int:
    """What a submission takes in a frame, but for its item's path, which is short."""
    stanzas = sum(map(len, one.stanzas))
    return len(one.header) + len(one.consignment) + stanzas + len(one.ciphertext)


def _portion(
    db: Database, rows: Sequence[Row], room: int, urgency: int = 0, more: bool = True
) -> Portion[Submission]:
    numbers: list[int] = []
    items: list[Submission] = []
    refs, size = set(), 0
    attachments = attachments_of(db, [row[8] for row in rows])
    for row in rows:
        number, header, body, item, root, salts, stanzas, ciphertext, bulletin = row
        parsed = msgpack_decoder(SignatureItem).decode(item)
        one = Submission(
            header,
            body,
            parsed,
            cut(salts, SALT_BYTES),
            cut(stanzas, STANZA_BYTES),
            ciphertext,
            attachments.get(bulletin, ()),
        )
        size += bytes_of(one)
        if items and size > min(room, SUBMIT_BYTES):
            break
        refs.add((parsed.key, parsed.size, root))
        numbers.append(number)
        items.append(one)
    more |= len(items) < len(rows)
    return Portion(numbers, tuple(items), find(db.rows, refs), urgency, more)


@dataclass(slots=True)
class Refusals:
    """What refused consignments lead to.

    Attributes:
        anew: (bulletin, recipient) to consign anew, with the attempts that were made so far.
        wait_s: how long to wait before: the directory that names the newer key may still be on its
            way, so the wait doubles with each attempt.
        ended: what a person must hear of.
    """

    anew: dict[tuple[bytes, str], int] = field(default_factory=dict)
    wait_s: float = 0.0
    ended: list[OperatorError] = field(default_factory=list)


def refused(db: Database, rows: list[tuple[int, Result]], now: int) -> Refusals:
    """The broker refused consignments for good: note it."""
    found = Refusals()
    with db.transaction() as tx:
        for row, result in rows:
            waiting = tx.execute(
                "SELECT bulletin, body FROM consignments WHERE id = ? AND state = 'waiting'", (row,)
            ).fetchone()
            if waiting is None:
                continue
            bulletin, body = waiting
            tx.execute(
                "UPDATE consignments SET state = 'refused', code = ? WHERE id = ?",
                (result.code, row),
            )
            record = msgpack_decoder(Consignment).decode(body)
            for ref in record.recipients:
                attempts, state = tx.execute(
                    "SELECT attempts, state FROM deliveries WHERE bulletin = ? AND recipient = ?",
                    (bulletin, ref.agency),
                ).fetchone()
                if result.code in OVERTAKEN and state != QUEUED:
                    continue
                if result.code in RESUMED and state == QUEUED and _had(tx, bulletin, ref.agency):
                    continue  # when an agreement carries it again, it is consigned anew
                if result.code in ANEW and attempts < MAX_ATTEMPTS:
                    found.anew[bulletin, ref.agency] = attempts
                    found.wait_s = max(found.wait_s, ANEW_WAIT_S * 2**attempts)
                    continue
                found.ended.append(_ended(bulletin, ref.agency, result))
                tx.execute(
                    "UPDATE deliveries SET state = ?, code = ?, changed = ? WHERE bulletin = ?"
                    " AND recipient = ? AND state = 'queued'",
                    (REFUSED, result.code, now, bulletin, ref.agency),
                )
    return found


def _had(tx: sqlite3.Connection, bulletin: bytes, recipient: str) -> bool:
    """Whether a log has had this delivery."""
    row = "SELECT 1 FROM entries WHERE bulletin = ? AND recipient = ?"
    return tx.execute(row, (bulletin, recipient)).fetchone() is not None


def _ended(bulletin: bytes, recipient: str, result: Result) -> OperatorError:
    return OperatorError(
        "bulletin_refused",
        f"the broker does not carry bulletin {bulletin.hex()[:16]} to {recipient}: "
        f"{result.message} ({result.code})",
        hint=result.hint or f"tell its author; see: saphan status {bulletin.hex()[:16]}",
    )


def refused_statements(db: Database, rows: list[tuple[int, Result]]) -> None:
    """The broker will never take these statements; what a lost log had taken waits, if it may not
    be handed over at present."""
    with db.transaction() as tx:
        for row, result in rows:
            why = _held_back(tx, row, result.code)
            if why is None:
                mark_refused(tx, row, result.code or "refused")
            else:
                hold_back(tx, [row], why)


def _held_back(tx: sqlite3.Connection, row: int, code: str | None) -> str | None:
    """Why a handover is not taken yet that a lost log had, and what was said after it."""
    found = tx.execute(
        "SELECT (SELECT h.code FROM statements h WHERE h.bulletin = s.bulletin"
        " AND h.state = 'waiting' AND h.code IS NOT NULL LIMIT 1) FROM statements s WHERE s.id = ?"
        " AND EXISTS (SELECT 1 FROM entries e WHERE e.bulletin = s.bulletin"
        " AND e.event = 'handover')",
        (row,),
    ).fetchone()
    if found is None:
        return None
    before: str | None = found[0]
    return code if code in HELD_BACK else before
