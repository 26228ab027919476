"""Why others rejected what this agency sent, and what they knew of it when they erased it: sealed
to its mailbox keys, which do not last.

A reason is opened when somebody looks at the bulletin. Before its mailbox key is destroyed it is
moved under the archive key of the bulletin's retention day, and goes with the bulletin.
"""

from __future__ import annotations

from typing import Any

import msgspec
from saphan_protocol.detail import open_detail, open_erasure
from saphan_schemas.codec import decode
from saphan_schemas.decoders import json_decoder
from saphan_schemas.errors import SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import ErasureDetail, Event, SealedDetail, Statement

from saphan.node.archive import Archive
from saphan.node.rows.db import Database
from saphan.node.trust.mailboxes import Mailboxes


class Rejections:
    """The reasons that came with rejections."""

    def __init__(self, db: Database, mailboxes: Mailboxes, archive: Archive) -> None:
        self._db = db
        self._mailboxes = mailboxes
        self._archive = archive

    def reason(self, statement: bytes, issuer: str) -> str | None:
        """Why `issuer` rejected a bulletin; None if it gave no reason, or it cannot be opened.

        Args:
            statement: exact bytes of the signed statement.
        """
        return self._told(decode(Statement, statement, LIMITS.statement_bytes, "statement"), issuer)

    def known(self, statement: bytes, issuer: str) -> dict[str, Any] | None:
        """Exports by kind, and desks, that `issuer` knew of when it erased a bulletin of ours.

        None: it has not said, or nobody can open it any more. Arguments as of `reason`.
        """
        record = decode(Statement, statement, LIMITS.statement_bytes, "statement")
        text = self._told(record, issuer, erased=True)
        if text is None:
            return None
        found = json_decoder(ErasureDetail).decode(text)
        exports = {one.kind: one.count for one in found.exports}
        return {"exports": exports, "desks": {"erased": found.confirmed, "waiting": found.waiting}}

    def outlive(self, mailbox_key: bytes, agency: str) -> None:
        """Keep everything that is sealed to a mailbox key of `agency`, which is then destroyed; not
        of what this agency has erased itself: the key of its day would come back for it.

        Raises:
            OperatorError: the disk; the key must stay.
        """
        rows = self._db.rows(
            "SELECT e.statement, e.issuer, e.event, b.wrap_day FROM entries e JOIN bulletins b"
            " ON b.id = e.bulletin WHERE b.sender = ? AND e.event IN (?, ?) AND NOT EXISTS"
            " (SELECT 1 FROM retention r WHERE r.seq = b.seq AND r.erased IS NOT NULL)",
            (agency, Event.REJECTED.value, Event.ERASED.value),
        )
        kept: list[tuple[bytes, str, bytes]] = []
        for statement, issuer, event, day in rows:
            record = decode(Statement, statement, LIMITS.statement_bytes, "statement")
            detail, erased = record.detail, event == Event.ERASED
            if not isinstance(detail, SealedDetail) or detail.mailbox_key != mailbox_key:
                continue
            reason = self._open(record, issuer, erased=erased)
            if reason is not None:
                wrapped = self._archive.seal_reason(reason, record.bulletin, day)
                kept.append((record.bulletin, _name(issuer, erased=erased), wrapped))
        if kept:
            with self._db.transaction() as tx:
                tx.executemany("INSERT INTO details VALUES (?, ?, ?) ON CONFLICT DO NOTHING", kept)

    def _told(self, record: Statement, issuer: str, *, erased: bool = False) -> str | None:
        if not isinstance(record.detail, SealedDetail):
            return None
        opened = self._open(record, issuer, erased=erased)
        if opened is not None:
            return opened
        row = self._db.row(
            "SELECT d.wrapped, b.wrap_day FROM details d JOIN bulletins b ON b.id = d.bulletin"
            " WHERE d.bulletin = ? AND d.issuer = ?",
            (record.bulletin, _name(issuer, erased=erased)),
        )
        return None if row is None else self._archive.reason(row[0], record.bulletin, row[1])

    def _open(self, record: Statement, issuer: str, *, erased: bool) -> str | None:
        """A reason; of an erasure what was known, as JSON."""
        detail = record.detail
        key = self._mailboxes.get(detail.mailbox_key) if isinstance(detail, SealedDetail) else None
        if key is None or not isinstance(detail, SealedDetail):
            return None
        try:
            if erased:
                known = open_erasure(detail, key, record.bulletin, issuer)
                return msgspec.json.encode(known).decode()
            return open_detail(detail, key, record.bulletin, issuer)
        except SaphanError:
            return None


def _name(issuer: str, *, erased: bool) -> str:
    """An agency may have rejected a bulletin and then said that it erased it: two rows."""
    return f"{issuer} erased" if erased else issuer
