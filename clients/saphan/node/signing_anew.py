"""Statements that wait and would be refused: signed again by the present key, or dated again.

The bytes of a statement name its issuer, not the key: the same bytes under another signature are
the same statement. What was dated by a clock that ran ahead is said anew, with the present time: no
log has it. What the log shows already stays as it is (`resending`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from saphan_protocol.batch import sign_batch, sign_one
from saphan_protocol.disclosure import DISCLOSURE_TYPE
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import decode, encode
from saphan_schemas.decoders import msgpack_decoder
from saphan_schemas.errors import Refused
from saphan_schemas.frames import Result
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import (
    Event,
    Role,
    SignatureItem,
    Statement,
    statement_record,
    statement_type,
)

from saphan.node.logs import Logs
from saphan.node.rows.db import Database, Row
from saphan.node.rows.signatures import item_bytes, keep

KEY_ENDED: Final = "key_revoked"
AHEAD: Final = "stated_in_future"
"""This clock was ahead when the statement was made, or the broker's is behind."""
_COPIES: Final = ("disclosures", "exports")
"""Tables that keep an `exported` statement's exact bytes, too."""


def sign_ended(db: Database, logs: Logs, key: SigningKey, now: int) -> None:
    """Before a session sends: sign what waits under a revoked key, or is dated after `now`.

    Raises:
        OperatorError: the disk.
    """
    after = 0
    while rows := db.rows(
        "SELECT id, event, body, item FROM statements WHERE state = 'waiting' AND id > ?"
        " ORDER BY id LIMIT ?",
        (after, LIMITS.frame_items),
    ):
        after = rows[-1][0]
        ended = [row for row in rows if _ended(logs, key, row) or _dated(row) > now]
        if ended:
            _sign(db, key, ended, now)


def sign_refused(
    db: Database, key: SigningKey, refused: Sequence[tuple[int, Result]], now: int
) -> list[int]:
    """Of statements that the broker refused, those whose key has ended are signed by the present
    one, those dated after `now` are dated anew, and all of them wait again; gives their rows.

    Raises:
        OperatorError: the disk.
    """
    again = []
    for number, result in refused:
        rows = db.rows(
            "SELECT id, event, body, item FROM statements WHERE id = ? AND state = 'waiting'",
            (number,),
        )
        if result.code == KEY_ENDED:
            again += [row for row in rows if _signer(row) != key.key_id]
        elif result.code == AHEAD:
            again += [row for row in rows if _dated(row) > now]
    if again:
        _sign(db, key, again, now)
    return [row[0] for row in again]


def _statement(row: Row) -> Statement:
    return decode(statement_record(Event(row[1])), row[2], LIMITS.statement_bytes, "statement")


def _dated(row: Row) -> int:
    return _statement(row).time


def _signer(row: Row) -> bytes:
    return msgpack_decoder(SignatureItem).decode(row[3]).key


def _ended(logs: Logs, key: SigningKey, row: Row) -> bool:
    signer = _signer(row)
    if signer == key.key_id:
        return False
    try:
        with logs.lock:
            logs.directory.key(signer, Role.NODE)
    except Refused:
        return True
    return False


def _sign(db: Database, key: SigningKey, rows: Sequence[Row], now: int) -> None:
    """One batch over all of them, in the transaction that puts them back under it."""
    bodies = [_body(row, now) for row in rows]
    kinds = [statement_type(Event(row[1])) for row in rows]
    items = [(kind, body, os.urandom(32)) for kind, body in zip(kinds, bodies, strict=True)]
    batch, signed = sign_batch(key, items)
    with db.transaction() as tx:
        keep(tx, (batch,))
        tx.executemany(
            "UPDATE statements SET body = ?, item = ?, root = ? WHERE id = ? AND state = 'waiting'",
            [
                (body, item_bytes(item), batch.root, row[0])
                for body, item, row in zip(bodies, signed, rows, strict=True)
            ],
        )
        changed = [
            (body, row[2])
            for body, row in zip(bodies, rows, strict=True)
            if row[1] == Event.EXPORTED
        ]
        for table in _COPIES:
            tx.executemany(f"UPDATE {table} SET statement = ? WHERE statement = ?", changed)  # noqa: S608
        _sign_disclosures(tx, key, [body for body, _ in changed])


def _body(row: Row, now: int) -> bytes:
    """The same bytes, unless they are dated after `now`."""
    statement = _statement(row)
    body: bytes = row[2]
    return encode(msgspec.structs.replace(statement, time=now)) if statement.time > now else body


def _sign_disclosures(tx: sqlite3.Connection, key: SigningKey, exports: Sequence[bytes]) -> None:
    """A disclosure's own signature is judged where its `exported` statement is logged."""
    for statement in exports:
        found = tx.execute(
            "SELECT seq, record FROM disclosures WHERE statement = ?", (statement,)
        ).fetchall()
        for seq, record in found:
            signature = encode(sign_one(key, DISCLOSURE_TYPE, record, os.urandom(32)))
            tx.execute("UPDATE disclosures SET signature = ? WHERE seq = ?", (signature, seq))
