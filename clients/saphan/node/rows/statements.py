"""What this node states: signed in batches, kept and sent again until the log shows it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from saphan_protocol.batch import sign_batch
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.frames import StatementItem
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    BatchSignature,
    Event,
    SealedDetail,
    SignatureItem,
    statement_of,
    statement_type,
)

from saphan.node.portions import Look, Portion
from saphan.node.rows.db import Database
from saphan.node.rows.signatures import find, item_bytes, keep


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A statement to be signed about the delivery of `bulletin` from `sender` to `recipient`."""

    event: Event
    bulletin: bytes
    ciphertext: bytes
    sender: str
    recipient: str
    time: int
    code: str | None = None
    detail: SealedDetail | bytes | None = None
    target: int | None = None


@dataclass(frozen=True, slots=True)
class SignedSaid:
    """A signed statement: exact bytes, the item in its batch, 32 bytes of leaf salt."""

    said: Said
    body: bytes
    item: SignatureItem
    salt: bytes


def sign_statements(
    key: SigningKey, agency: str, said: Sequence[Said]
) -> tuple[BatchSignature, list[SignedSaid]]:
    """One signature over all of them; about 1 ms and 10 us for each."""
    bodies = [
        encode(
            statement_of(
                one.event,
                one.bulletin,
                one.ciphertext,
                agency,
                one.time,
                one.code,
                one.detail,
                one.target,
            )
        )
        for one in said
    ]
    random = os.urandom(64 * len(said))
    cuts = [(random[at : at + 32], random[at + 32 : at + 64]) for at in range(0, len(random), 64)]
    batch, items = sign_batch(
        key,
        [
            (statement_type(one.event), body, cut[0])
            for one, body, cut in zip(said, bodies, cuts, strict=True)
        ],
    )
    signed = [
        SignedSaid(one, body, item, cut[1])
        for one, body, item, cut in zip(said, bodies, items, cuts, strict=True)
    ]
    return batch, signed


def keep_statements(
    tx: sqlite3.Connection, batch: BatchSignature, signed: Sequence[SignedSaid]
) -> Portion[StatementItem]:
    """Put signed statements in the queue for the broker; what was put there, for `Pumps.offer`."""
    keep(tx, (batch,))
    tx.executemany(
        "INSERT INTO statements (bulletin, event, sender, recipient, body, item, root, salt, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
        [
            (
                one.said.bulletin,
                one.said.event.value,
                one.said.sender,
                one.said.recipient,
                one.body,
                item_bytes(one.item),
                batch.root,
                one.salt,
            )
            for one in signed
        ],
    )
    (last,) = tx.execute("SELECT last_insert_rowid()").fetchone()
    items = tuple(
        StatementItem(
            one.said.event, one.said.sender, one.said.recipient, one.body, one.item, one.salt
        )
        for one in signed
    )
    return Portion(list(range(last - len(items) + 1, last + 1)), items, (batch,))


_REPEATED: Final = ",".join(
    f"'{event.value}'"
    for event in (
        Event.EXPORTED,
        Event.HELD,
        Event.RELEASED,
        Event.HOLD_ASKED,
        Event.HOLD_ANSWERED,
    )
)


def mark_logged(tx: sqlite3.Connection, rows: Sequence[tuple[bytes, str, str, bytes]]) -> None:
    """The log shows these (bulletin, event, recipient, statement): nothing about them waits.

    A statement of the same event with other bytes is superseded: the first answer counts. Only
    exports and what holds bring about stand each for itself.
    """
    tx.executemany(
        "UPDATE statements SET state = 'logged' WHERE bulletin = ? AND event = ? AND recipient = ?"  # noqa: S608
        f" AND state = 'waiting' AND (event NOT IN ({_REPEATED}) OR body = ?)",
        rows,
    )


def hold_back(tx: sqlite3.Connection, rows: Sequence[int], code: str | None) -> None:
    """Have statements wait: until what the code says is over, or to be sent if it is None."""
    tx.executemany(
        "UPDATE statements SET state = 'waiting', code = ? WHERE id = ?",
        [(code, row) for row in rows],
    )


def held_back_rows(db: Database) -> dict[bytes, list[int]]:
    """What is held back, by bulletin."""
    found: dict[bytes, list[int]] = {}
    for bulletin, row in db.rows(
        "SELECT bulletin, id FROM statements WHERE state = 'waiting' AND code IS NOT NULL"
    ):
        found.setdefault(bulletin, []).append(row)
    return found


def mark_refused(tx: sqlite3.Connection, row: int, code: str) -> None:
    """The broker will never take this statement; it stays for the record."""
    tx.execute(
        "UPDATE statements SET state = 'refused', code = ? WHERE id = ? AND state = 'waiting'",
        (code, row),
    )


_COLUMNS: Final = (
    "SELECT id, event, sender, recipient, body, item, root, salt FROM statements"
    " WHERE state = 'waiting' AND code IS NULL AND (?1 = 0 OR EXISTS (SELECT 1 FROM entries e"
    " WHERE e.bulletin = statements.bulletin AND e.idx >= ?1 AND (statements.sender ="
    " statements.recipient OR (e.sender = statements.sender"
    " AND e.recipient = statements.recipient))))"
    # A recall of what a lost log saw handed over comes after the handover: it is a request.
    " AND (?1 = 0 OR event != 'recalled' OR NOT EXISTS (SELECT 1 FROM entries h WHERE"
    " h.bulletin = statements.bulletin AND h.recipient = statements.recipient"
    " AND h.event = 'handover') OR EXISTS (SELECT 1 FROM entries h WHERE"
    " h.bulletin = statements.bulletin AND h.recipient = statements.recipient"
    " AND h.event = 'handover' AND h.idx >= ?1))"
)
"""A successor takes no word about a bulletin that it does not have: it waits (bytes.md). What is
held back has the code of why (`hold_back`)."""


def next_statements(db: Database, look: Look, first: int = 0) -> Portion[StatementItem]:
    """Waiting statements to send; all are of one class.

    Args:
        first: stored place of the present log's first leaf.
    """
    if look.again:
        part = look.again[: LIMITS.frame_items]
        marks = ",".join("?" * len(part))
        rows = db.rows(f"{_COLUMNS} AND id IN ({marks}) ORDER BY id", (first, *part))
    else:
        above = (first, look.after[0], LIMITS.frame_items)
        rows = db.rows(f"{_COLUMNS} AND id > ? ORDER BY id LIMIT ?", above)
    items: list[StatementItem] = []
    refs, size = set(), 0
    for _, event, sender, recipient, body, item, root, salt in rows:
        parsed = msgpack_decoder(SignatureItem).decode(item)
        one = StatementItem(Event(event), sender, recipient, body, parsed, salt)
        size += statement_bytes(one)
        if items and size > look.room:
            break
        refs.add((parsed.key, parsed.size, root))
        items.append(one)
    numbers = [row[0] for row in rows[: len(items)]]
    more = len(items) < len(rows) or len(rows) == LIMITS.frame_items
    return Portion(numbers, tuple(items), find(db.rows, refs), more=more)


def statement_bytes(one: StatementItem) -> int:
    """What a statement takes in a frame, about."""
    return len(one.statement) + 32 * len(one.item.path) + 160
