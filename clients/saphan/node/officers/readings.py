"""Reading: an officer signs first, then sees; the log gets one `read` per bulletin (design 4.5).

Who read stays here. The log's statement commits to the officer's record under a salt of the node's
own, so that the node can prove later who it was, and nobody can guess it now.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from typing import Any, Final

from saphan_protocol.batch import verify_one
from saphan_protocol.content import ciphertext_length
from saphan_protocol.identity import pae
from saphan_protocol.keys import SigningKey
from saphan_protocol.opening import Opened, open_bulletin
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import PAE_TYPES, Event, Header, OfficerRead, Role, Signature

from saphan.header_json import header_json
from saphan.node.archive import Archive
from saphan.node.bulletins import unknown
from saphan.node.files.attachments import Shown
from saphan.node.files.blobs import BlobFiles, require_length
from saphan.node.files.parts import attachments_of
from saphan.node.logs import Logs
from saphan.node.officers.showings import keep_reading
from saphan.node.restored import Restored
from saphan.node.retention.keeping import check_here, is_sealed
from saphan.node.rows.db import Database, Row
from saphan.node.rows.statements import Said, keep_statements, sign_statements

READ_TYPE: Final = PAE_TYPES[OfficerRead]
RECORD_BYTES: Final = 1024
SIGNATURE_BYTES: Final = 8192
SYSTEM: Final = b"system"
"""Reader of a reading by the agency's own programs."""


class Readings:
    """Opens stored bulletins for those who may see them, and keeps who did."""

    def __init__(
        self,
        agency: str,
        key: SigningKey,
        db: Database,
        logs: Logs,
        archive: Archive,
        files: BlobFiles,
        restored: Restored,
        clock: Callable[[], int],
    ) -> None:
        self._agency = agency
        self._key = key
        self._db = db
        self._logs = logs
        self._archive = archive
        self._files = files
        self._restored = restored
        self._clock = clock

    def officer(
        self, bulletin: bytes, record: bytes, signature: bytes
    ) -> tuple[dict[str, Any], bool]:
        """Content for an officer; True when a `read` statement was signed (the first reading).

        Raises:
            InvalidInput: `bulletin_unknown`, `signature_invalid`, codec codes.
            Refused: `not_readable`, `bulletin_recalled`, `read_mismatch`, `read_time`, `key_*`.
            OperatorError: `archive_key_gone`, the disk.
        """
        read = self.check(bulletin, record, signature)
        opened, row, _ = self._open(bulletin)
        content = _content(bulletin, row, opened)
        salt = os.urandom(32)
        detail = hmac.digest(salt, pae(READ_TYPE, record), "sha256")
        kept = (bulletin, read.key, read.handle, read.time, record, signature, salt)
        return content, self._note(bulletin, row, kept, None, detail)

    def system(self, bulletin: bytes, reader: bytes = SYSTEM) -> tuple[dict[str, Any], bool]:
        """Content for the agency's case system; the first reading is stated with code `system`.

        Args:
            reader: which of its systems.

        Raises:
            InvalidInput: `bulletin_unknown`; Refused: `not_readable`, `bulletin_recalled`;
            OperatorError.
        """
        opened, row, _ = self._open(bulletin)
        content = _content(bulletin, row, opened)
        kept = (bulletin, reader, None, self._clock(), None, None, None)
        return content, self._note(bulletin, row, kept, "system", None)

    def attachment(
        self,
        bulletin: bytes,
        number: int,
        reader: bytes | None = None,
        officer: str | None = None,
    ) -> Shown:
        """An attachment of a bulletin that has been read.

        Args:
            number: from 1, as the bulletin lists them.
            reader: id of the officer's key whose reading counts; None: of any key.
            officer: handle of the officer whose reading counts; None: anybody's of this agency.

        Raises:
            InvalidInput: `bulletin_unknown`, `attachment_unknown`.
            Refused: `not_readable`, `bulletin_recalled`, `attachment_unread`.
            OperatorError: `archive_key_gone`, `attachment_damaged`.
        """
        opened, row, content_key = self._open(bulletin)
        query = (
            "SELECT 1 FROM readings WHERE bulletin = ?1 AND (?2 IS NULL OR reader = ?2)"
            " AND (?3 IS NULL OR handle = ?3)"
        )
        if self._db.row(query, (bulletin, reader, officer)) is None:
            raise Refused(
                "attachment_unread",
                "attachments are given to those who have read their bulletin",
                field="id",
                hint=f"read it first: saphan read {bulletin.hex()[:16]}",
            )
        if not 1 <= number <= len(opened.inner.attachments):
            raise InvalidInput(
                "attachment_unknown",
                f"the bulletin has {len(opened.inner.attachments)} attachments",
                field="number",
                hint="their numbers stand in the bulletin, from 1",
            )
        described = opened.content["attachments"][number - 1]
        where = self._files.sent if row[0] == self._agency else self._files.received
        path, blob = where(bulletin, number), opened.inner.attachments[number - 1]
        require_length(path, ciphertext_length(blob.length))
        return Shown(
            name=described["name"],
            media_type=described["media_type"],
            blob=blob,
            path=path,
            place=number - 1,
            header_id=row[2],
            content_key=content_key,
        )

    def check_shown(self, bulletin: bytes) -> None:
        """Refuse to go on with what was taken back or erased since it was opened.

        Raises:
            Refused: `bulletin_recalled`, `bulletin_erased`.
        """
        check_here(self._db, bulletin)
        row = self._db.row("SELECT sender FROM bulletins WHERE id = ?", (bulletin,))
        if row is not None and is_sealed(self._db, bulletin):
            raise _sealed(row[0], bulletin)

    def check(self, bulletin: bytes, record: bytes, signature: bytes) -> OfficerRead:
        """A signed reading of this minute, by an active officer of this agency.

        Args:
            bulletin: its id, or that of a draft that waits for a second officer.

        Raises:
            InvalidInput: `signature_invalid`, codec codes.
            Refused: `read_mismatch`, `read_time`, `key_*`.
        """
        read = decode(OfficerRead, record, RECORD_BYTES, "record")
        signed = decode(Signature, signature, SIGNATURE_BYTES, "signature")
        if read.bulletin != bulletin or read.agency != self._agency:
            raise Refused(
                "read_mismatch",
                "the signed reading is of another bulletin, or another agency's",
                field="record",
            )
        if abs(read.time - self._clock()) > LIMITS.skew_ms:
            raise Refused(
                "read_time",
                "the signed reading is not of this minute",
                field="record.time",
                hint="set this computer's clock, and read again",
            )
        with self._logs.lock:
            info = self._logs.directory.key(read.key, Role.OFFICER)
            key = self._logs.directory.verifying(read.key)
        if info.agency != self._agency or info.handle != read.handle:
            raise Refused(
                "key_foreign", f"this key is not {read.handle}'s of {self._agency}", field="record"
            )
        verify_one(signed, key, READ_TYPE, record)
        return read

    def _open(self, bulletin: bytes) -> tuple[Opened, Row, bytes]:
        """The bulletin, its row and its content key."""
        self._restored.require_heard()
        row = self._db.row(
            "SELECT sender, header, header_id, ciphertext, digest, wrapped, wrap_day, judged_at,"
            " arrived FROM bulletins JOIN bodies USING (seq) WHERE id = ?",
            (bulletin,),
        )
        if row is None:
            check_here(self._db, bulletin)
            raise unknown(bulletin)
        own = row[0] == self._agency
        if is_sealed(self._db, bulletin):
            raise _sealed(row[0], bulletin)
        if row[5] is None or (row[8] is None and not own):
            raise Refused(
                "not_readable",
                "this bulletin was not accepted, so it is shown to nobody",
                field="id",
                hint=f"see why: saphan status {bulletin.hex()[:16]}...",
            )
        header = decode(Header, row[1], LIMITS.header_bytes, "header")
        content_key = self._archive.unwrap(row[5], bulletin, row[6])
        attachments = attachments_of(self._db, [bulletin]).get(bulletin, ())
        with self._logs.lock:
            opened = open_bulletin(
                content_key,
                header,
                row[2],
                row[3],
                self._logs.directory,
                row[7],
                attachments=attachments,
            )
        return opened, row, content_key

    def _note(
        self,
        bulletin: bytes,
        row: Row,
        kept: tuple[Any, ...],
        code: str | None,
        detail: bytes | None,
    ) -> bool:
        """Keep the reading; the first one of a received bulletin is stated."""
        with self._db.transaction() as tx:
            # A restored node may have lost who read; the log still knows that somebody did.
            (before,) = tx.execute(
                "SELECT (SELECT count(*) FROM readings WHERE bulletin = ?1) + (SELECT count(*)"
                " FROM entries WHERE bulletin = ?1 AND event = 'read' AND issuer = ?2)",
                (bulletin, self._agency),
            ).fetchone()
            tx.execute(
                "INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", kept
            )
            _, _, handle, time, record, signature, _ = kept
            if handle is not None:
                keep_reading(tx, bulletin, handle, time, record, signature)
            first: bool = before == 0 and row[0] != self._agency
            if first:
                said = Said(
                    event=Event.READ,
                    bulletin=bulletin,
                    ciphertext=row[4],
                    sender=row[0],
                    recipient=self._agency,
                    time=self._clock(),
                    code=code,
                    detail=detail,
                )
                keep_statements(tx, *sign_statements(self._key, self._agency, [said]))
        return first


def _sealed(sender: str, bulletin: bytes) -> Refused:
    return Refused(
        "bulletin_recalled",
        f"{sender} has taken this bulletin back: what it says is shown to nobody any more",
        field="id",
        hint=f"see why, and how it was answered: saphan recall show {bulletin.hex()[:16]}",
    )


def _content(bulletin: bytes, row: Row, opened: Opened) -> dict[str, Any]:
    return {
        "id": bulletin.hex(),
        "header": header_json(row[1]),
        "author": opened.inner.author,
        "authors": [
            {
                "agency": key.agency,
                "role": key.role.value,
                "handle": key.handle,
                "key": key.key_id.hex(),
            }
            for key in opened.authors
        ],
        "content": opened.content,
        "attachments": [
            {"number": number, **described, "length": blob.length, "sha256": blob.digest.hex()}
            for number, (described, blob) in enumerate(
                zip(opened.content["attachments"], opened.inner.attachments, strict=True), 1
            )
        ],
    }
