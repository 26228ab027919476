"""Statements that wait under a node key which has ended meanwhile: signed again by the present one.

The bytes of a statement name its issuer, not the key: the same bytes under another signature are
the same statement. What the log shows already stays as it is (`resending`).
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
from saphan_schemas.codec import encode
from saphan_schemas.errors import Refused
from saphan_schemas.frames import Result
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Event, Role, SignatureItem, statement_type

from saphan.node.logs import Logs
from saphan.node.rows.db import Database, Row
from saphan.node.rows.signatures import item_bytes, keep

KEY_ENDED: Final = "key_revoked"


def sign_ended(db: Database, logs: Logs, key: SigningKey) -> None:
    """Before a session sends: sign what waits under a revoked key.

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
        ended = [row for row in rows if _ended(logs, key, row)]
        if ended:
            _sign(db, key, ended)


def sign_refused(db: Database, key: SigningKey, refused: Sequence[tuple[int, Result]]) -> list[int]:
    """Of statements that the broker refused, those whose key has ended are signed by the present
    one, and wait again; gives their rows.

    Raises:
        OperatorError: the disk.
    """
    ended = []
    for number, result in refused:
        if result.code != KEY_ENDED:
            continue
        rows = db.rows(
            "SELECT id, event, body, item FROM statements WHERE id = ? AND state = 'waiting'",
            (number,),
        )
        ended += [row for row in rows if _signer(row) != key.key_id]
    if ended:
        _sign(db, key, ended)
    return [row[0] for row in ended]


def _signer(row: Row) -> bytes:
    return msgspec.msgpack.decode(row[3], type=SignatureItem).key


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


def _sign(db: Database, key: SigningKey, rows: Sequence[Row]) -> None:
    """One batch over all of them, in the transaction that puts them back under it."""
    items = [(statement_type(Event(row[1])), row[2], os.urandom(32)) for row in rows]
    batch, signed = sign_batch(key, items)
    with db.transaction() as tx:
        keep(tx, (batch,))
        tx.executemany(
            "UPDATE statements SET item = ?, root = ? WHERE id = ? AND state = 'waiting'",
            [
                (item_bytes(item), batch.root, row[0])
                for item, row in zip(signed, rows, strict=True)
            ],
        )
        _sign_disclosures(tx, key, [row[2] for row in rows if row[1] == Event.EXPORTED])


def _sign_disclosures(tx: sqlite3.Connection, key: SigningKey, exports: Sequence[bytes]) -> None:
    """A disclosure's own signature is judged where its `exported` statement is logged."""
    for statement in exports:
        found = tx.execute(
            "SELECT seq, record FROM disclosures WHERE statement = ?", (statement,)
        ).fetchall()
        for seq, record in found:
            signature = encode(sign_one(key, DISCLOSURE_TYPE, record, os.urandom(32)))
            tx.execute("UPDATE disclosures SET signature = ? WHERE seq = ?", (signature, seq))
