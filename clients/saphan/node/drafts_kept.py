"""Bulletins that wait for a second officer, as the node's store keeps them.

What one says, its first signature and the key under which its attachments are sealed already rest
sealed under the archive key of the bulletin's day; only the header is in clear, as that of every
bulletin. When it has left, was refused, withdrawn or has expired, they go.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blobs, Digest, Handle, Header, Signature

from saphan.compose import Draft
from saphan.node.archive import Archive
from saphan.node.db import Database, Row
from saphan.node.files.attachments import seal_uploaded
from saphan.node.files.blobs import BlobFiles
from saphan.node.files.uploads import Uploads
from saphan.node.prepared import Outcome, Prepared, Presealed
from saphan.node.resent import first_answer

WAITING: Final = "waiting"
SIGNED: Final = "signed"
REFUSED: Final = "refused"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
KEPT_BYTES: Final = 2 * LIMITS.content_bytes
OUTCOME_BYTES: Final = 16 * 1024
_COLUMNS: Final = "id, header, day, stored, state, sealed, outcome, bulletin, decided"


class Kept(Record, frozen=True):
    """What is sealed at rest; the attachments are sealed files under `content_key`."""

    author: Handle
    inner: Annotated[bytes, Meta(max_length=4096)]
    signature: Signature
    content: Annotated[bytes, Meta(max_length=LIMITS.content_bytes)]
    content_key: Digest
    attachments: Blobs


class Decision(Record, frozen=True):
    """Who has ended it, with the officer's signed record if it was a refusal."""

    author: Handle
    handle: Handle | None = None
    reason: str | None = None
    record: bytes | None = None
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeptDraft:
    """One row; `id` is the identity of the header, `bulletin` the id under which it has left."""

    id: bytes
    header_bytes: bytes
    day: int
    stored: int
    state: str
    bulletin: bytes | None
    decided: int | None

    @property
    def header(self) -> Header:
        """Parsed."""
        return decode(Header, self.header_bytes, LIMITS.header_bytes, "header")


class DraftsKept:
    """The rows of one node and the files of their attachments; blocking.

    Args:
        clock: ms UTC.
    """

    def __init__(
        self,
        db: Database,
        archive: Archive,
        files: BlobFiles,
        uploads: Uploads,
        clock: Callable[[], int],
    ) -> None:
        self._db = db
        self._archive = archive
        self._files = files
        self._uploads = uploads
        self._clock = clock

    def keep(self, prepared: Prepared) -> None:
        """Seal its attachments and put it down; durable when it returns.

        A crash before that leaves a folder that no row names: swept at the start.

        Raises:
            InvalidInput: `attachment_missing`, `attachment_mismatch`, `attachment_type`.
            OperatorError: the disk; nothing was kept.
        """
        draft, content_key = prepared.draft, os.urandom(32)
        try:
            blobs = self._seal_attachments(draft, content_key, prepared.owner)
            self._insert(prepared, content_key, blobs)
        except BaseException:
            self._files.remove(draft.header_id)
            raise
        self._uploads.remove([one.blob.digest for one in draft.attachments], prepared.owner)

    def has_left(self, nonce: bytes, agency: str) -> bool:
        """Whether a bulletin of ours with these 16 random bytes was sealed already."""
        query = "SELECT 1 FROM bulletins WHERE sender = ? AND nonce = ?"
        return self._db.row(query, (agency, nonce)) is not None

    def first_answer(self, prepared: Prepared, outcome: Outcome) -> Outcome:
        """The id under which it was sealed before, if `outcome` says that it is a replay."""
        return first_answer(self._db, self._archive, prepared, outcome)

    def find(self, draft: bytes) -> KeptDraft | None:
        """One of them; None if it was never here."""
        row = self._row(draft)
        return None if row is None else _parse(row)

    def get(self, draft: bytes) -> KeptDraft:
        """One of them.

        Raises:
            InvalidInput: `countersign_unknown`.
        """
        found = self.find(draft)
        if found is None:
            raise unknown()
        return found

    def waiting(self) -> list[KeptDraft]:
        """Those that wait, oldest first; at most `LIMITS.countersigning`."""
        rows = self._db.rows(
            f"SELECT {_COLUMNS} FROM countersigning WHERE state = 'waiting'"  # noqa: S608
            " ORDER BY stored, id LIMIT ?",
            (LIMITS.countersigning,),
        )
        return [_parse(row) for row in rows]

    def resolve(self, start: str) -> bytes:
        """The one that waits, or has waited, whose id begins with these hexadecimal digits.

        Raises:
            InvalidInput: `countersign_unknown`, `id_ambiguous`.
        """
        low, high = bytes.fromhex(start.ljust(64, "0")), bytes.fromhex(start.ljust(64, "f"))
        query = "SELECT id FROM countersigning WHERE id BETWEEN ? AND ? LIMIT 2"
        rows = self._db.rows(query, (low, high))
        if not rows:
            raise unknown()
        if len(rows) > 1:
            raise InvalidInput(
                "id_ambiguous",
                f"more than one id begins with {start}",
                field="id",
                hint="give more digits",
            )
        found: bytes = rows[0][0]
        return found

    def open(self, draft: bytes) -> Kept:
        """What one that waits says.

        Raises:
            InvalidInput: `countersign_unknown`; OperatorError: `archive_key_gone`.
        """
        row = self._row(draft)
        if row is None or row[5] is None:
            raise unknown()
        return decode(Kept, self._archive.open_draft(row[5], row[0], row[2]), KEPT_BYTES, "draft")

    def presealed(self, draft: bytes, kept: Kept) -> Presealed:
        """Its content key and sealed attachments, for the seal."""
        folder = self._files.sent(draft, 1).parent
        return Presealed(content_key=kept.content_key, folder=folder, blobs=kept.attachments)

    def end(
        self, one: KeptDraft, state: str, decision: Decision, bulletin: bytes | None = None
    ) -> None:
        """Write how it ended; what it said goes. A crash before leaves it waiting.

        Raises:
            OperatorError: the disk.
        """
        sealed = self._archive.seal_draft(encode(decision), one.id, one.day)
        with self._db.transaction() as tx:
            tx.execute(
                "UPDATE countersigning SET state = ?, sealed = NULL, outcome = ?, bulletin = ?,"
                " decided = ? WHERE id = ? AND state = 'waiting'",
                (state, sealed, bulletin, self._clock(), one.id),
            )
        self._files.remove(one.id)

    def decision(self, draft: bytes) -> Decision | None:
        """How one ended; None while it waits.

        Raises:
            OperatorError: `archive_key_gone`.
        """
        row = self._row(draft)
        if row is None or row[6] is None:
            return None
        opened = self._archive.open_draft(row[6], row[0], row[2])
        return decode(Decision, opened, OUTCOME_BYTES, "decision")

    def _seal_attachments(self, draft: Draft, content_key: bytes, owner: str) -> Blobs:
        if not draft.attachments:
            return ()
        staged = self._files.stage(draft.header.nonce.hex())
        try:
            blobs = seal_uploaded(self._uploads, self._files, draft, content_key, staged, owner)
            self._files.adopt(staged, draft.header_id)
        except BaseException:
            self._files.unstage(staged)
            raise
        return blobs

    def _insert(self, prepared: Prepared, content_key: bytes, blobs: Blobs) -> None:
        draft, author = prepared.draft, prepared.author
        assert author is not None
        (signature,) = prepared.signatures
        kept = Kept(author, prepared.inner, signature, draft.content, content_key, blobs)
        day = draft.header.retain_until
        sealed = self._archive.seal_draft(encode(kept), draft.header_id, day)
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT INTO countersigning (id, header, day, stored, state, sealed)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (draft.header_id, draft.header_bytes, day, self._clock(), WAITING, sealed),
            )

    def _row(self, draft: bytes) -> Row | None:
        query = f"SELECT {_COLUMNS} FROM countersigning WHERE id = ?"  # noqa: S608 (our names)
        return self._db.row(query, (draft,))


def _parse(row: Row) -> KeptDraft:
    return KeptDraft(row[0], row[1], row[2], row[3], row[4], row[7], row[8])


def unknown() -> InvalidInput:
    """Nothing of this name waits here, or nothing for whoever asks."""
    return InvalidInput(
        "countersign_unknown",
        "nothing waits for a second officer under this id",
        field="id",
        hint="list what waits: saphan countersign list",
    )
