"""What the outbox keeps of a sealed bulletin: its row, its consignment, what is sent of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from saphan_protocol.batch import SALT_BYTES
from saphan_schemas.frames import Submission
from saphan_schemas.records import SignatureItem

from saphan.compose import URGENCIES
from saphan.node.rows.signatures import item_bytes
from saphan.node.sealing import Consigned, SealedBulletin
from saphan.node.waiting import cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A sealed and consigned bulletin; key and author are under the key of the retention day."""

    sealed: SealedBulletin
    wrapped: bytes
    author: bytes | None
    consigned: Consigned


def bulletin_row(one: Ready, now: int) -> tuple[object, ...]:
    """Values of `bulletins`, but for the place in the directory log."""
    sealed, header = one.sealed, one.sealed.draft.header
    return (
        sealed.id,
        header.sender,
        header.nonce,
        sealed.draft.header_bytes,
        sealed.draft.header_id,
        sealed.digest,
        one.wrapped,
        header.retain_until,
        one.author,
        now,
        URGENCIES.index(header.urgency),
    )


def submission_of(one: Ready, item: SignatureItem, salts: bytes) -> Submission:
    """What is sent of it, without attachments."""
    return Submission(
        one.sealed.draft.header_bytes,
        one.consigned.body,
        item,
        cut(salts, SALT_BYTES),
        one.consigned.stanzas,
        one.sealed.ciphertext,
    )


def keep_consignments(
    tx: sqlite3.Connection, made: Sequence[tuple[Consigned, SignatureItem]], root: bytes
) -> tuple[int, list[bytes]]:
    """Put signed consignments in the queue for the broker; the last row, and fresh leaf salts."""
    salts = [os.urandom(SALT_BYTES * len(one.recipients)) for one, _ in made]
    tx.executemany(
        "INSERT INTO consignments (bulletin, body, item, root, salts, stanzas, state, urgency)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting',"
        " (SELECT urgency FROM bulletins WHERE id = ?1))",
        [
            (
                one.bulletin,
                one.body,
                item_bytes(item),
                root,
                salt,
                b"".join(one.stanzas),
            )
            for (one, item), salt in zip(made, salts, strict=True)
        ],
    )
    (last,) = tx.execute("SELECT last_insert_rowid()").fetchone()
    return last, salts
