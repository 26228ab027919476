"""Bulletins that wait for a second officer, as the node's store keeps them.

What one says, its first signature and the key under which its attachments are sealed already rest
sealed under the archive key of the bulletin's day; only the header is in clear, as that of every
bulletin. When it has left, was refused, withdrawn or has expired, they go.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta
from saphan_schemas.codec import Record, decode, encode
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blobs, Digest, Handle, Header, Signature

from saphan.compose import Draft
from saphan.node.archive import Archive
from saphan.node.files.attachments import seal_uploaded
from saphan.node.files.blobs import BlobFiles
from saphan.node.files.uploads import Uploads
from saphan.node.prepared import Prepared, Presealed
from saphan.node.rows.db import Database, Row

WAITING: Final = "waiting"
SIGNED: Final = "signed"
REFUSED: Final = "refused"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
KEPT_BYTES: Final = 2 * LIMITS.content_bytes
OUTCOME_BYTES: Final = 16 * 1024
ALIKE: Final = 16
"""Rows looked at whose ids begin alike; already two are one chance in four billion."""
_COLUMNS: Final = "id, header, author, day, stored, state, bulletin"
_END: Final = (
    "UPDATE countersigning SET state = ?, sealed = NULL, outcome = ?, bulletin = ?, decided = ?"
    " WHERE id = ? AND state = 'waiting'"
)


class Kept(Record, frozen=True):
    """What is sealed at rest; the attachments are sealed files under `content_key`."""

    inner: Annotated[bytes, Meta(max_length=4096)]
    signature: Signature
    content: Annotated[bytes, Meta(max_length=LIMITS.content_bytes)]
    content_key: Digest
    attachments: Blobs


class Decision(Record, frozen=True):
    """Who has ended it, with the officer's signed record if it was a refusal."""

    handle: Handle
    reason: str | None = None
    record: bytes | None = None
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeptDraft:
    """One row; `id` is the identity of the header, `bulletin` the id under which it has left.

    `author`: None when the archive key of its day is gone; then nobody can open it any more.
    """

    id: bytes
    header_bytes: bytes
    author: str | None
    day: int
    stored: int
    state: str
    bulletin: bytes | None

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
        blobs = self._seal_attachments(draft, content_key, prepared.owner)
        try:
            self._insert(prepared, content_key, blobs)
        except SaphanError:
            # It may have been kept all the same; a store that does not say so leaves it to the
            # sweep at the next start.
            with contextlib.suppress(SaphanError):
                if self.find(draft.header_id) is None:
                    self._files.remove(draft.header_id)
            raise
        self._uploads.remove([one.blob.digest for one in draft.attachments], prepared.owner)

    def has_left(self, nonce: bytes, agency: str) -> bool:
        """Whether a bulletin of ours with these 16 random bytes was sealed already."""
        query = "SELECT 1 FROM bulletins WHERE sender = ? AND nonce = ?"
        return self._db.row(query, (agency, nonce)) is not None

    def find(self, draft: bytes) -> KeptDraft | None:
        """One of them; None if it was never here."""
        row = self._db.row(f"SELECT {_COLUMNS} FROM countersigning WHERE id = ?", (draft,))  # noqa: S608
        return None if row is None else self._parse(row)

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
        return [self._parse(row) for row in rows]

    def alike(self, start: str) -> list[KeptDraft]:
        """Those that wait, or have waited, whose ids begin with these hexadecimal digits."""
        low, high = bytes.fromhex(start.ljust(64, "0")), bytes.fromhex(start.ljust(64, "f"))
        query = f"SELECT {_COLUMNS} FROM countersigning WHERE id BETWEEN ? AND ? LIMIT ?"  # noqa: S608
        return [self._parse(row) for row in self._db.rows(query, (low, high, ALIKE))]

    def open(self, draft: bytes) -> Kept:
        """What one that waits says.

        Raises:
            InvalidInput: `countersign_unknown`; OperatorError: `archive_key_gone`.
        """
        row = self._db.row("SELECT sealed, day FROM countersigning WHERE id = ?", (draft,))
        if row is None or row[0] is None:
            raise unknown()
        opened = self._archive.open_draft(row[0], draft, row[1])
        return decode(Kept, opened, KEPT_BYTES, "draft")

    def presealed(self, one: KeptDraft, kept: Kept, signed: Decision) -> Presealed:
        """Its content key and sealed attachments, for the seal, and who has signed it second."""
        return Presealed(
            content_key=kept.content_key,
            folder=self.folder(one.id),
            blobs=kept.attachments,
            signed=self._archive.seal_draft(encode(signed), one.id, one.day),
        )

    def folder(self, draft: bytes) -> Path:
        """Of its sealed attachments, each a file named by its number."""
        return self._files.sent(draft, 1).parent

    def clear(self, draft: bytes) -> None:
        """Take the attachments of one that has ended; a crash before leaves them to the sweep."""
        self._files.remove(draft)

    def end(self, one: KeptDraft, state: str, decision: Decision | None) -> None:
        """Write how it ended without leaving; what it said goes. A crash before leaves it waiting.

        Args:
            decision: None: nobody's, its time was over.

        Raises:
            OperatorError: the disk.
        """
        outcome = None
        if decision is not None:
            outcome = self._archive.seal_draft(encode(decision), one.id, one.day)
        with self._db.transaction() as tx:
            tx.execute(_END, (state, outcome, None, self._clock(), one.id))
        self.clear(one.id)

    def decision(self, draft: bytes) -> Decision | None:
        """Who has ended one, and how; None while it waits, and if nobody has.

        Raises:
            OperatorError: `archive_key_gone`.
        """
        row = self._db.row("SELECT outcome, day FROM countersigning WHERE id = ?", (draft,))
        if row is None or row[0] is None:
            return None
        opened = self._archive.open_draft(row[0], draft, row[1])
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
        draft, day = prepared.draft, prepared.draft.header.retain_until
        (signature,) = prepared.signatures
        kept = Kept(prepared.inner, signature, draft.content, content_key, blobs)
        sealed = self._archive.seal_draft(encode(kept), draft.header_id, day)
        author = self._archive.seal_author(prepared.author, draft.header_id, day)
        row = (draft.header_id, draft.header_bytes, author, day, self._clock(), WAITING, sealed)
        with self._db.transaction() as tx:
            tx.execute(
                "INSERT INTO countersigning (id, header, author, day, stored, state, sealed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def _parse(self, row: Row) -> KeptDraft:
        draft, header, author, day, stored, state, bulletin = row
        handle = self._archive.author(author, draft, day)
        return KeptDraft(draft, header, handle, day, stored, state, bulletin)


def keep_left(
    tx: sqlite3.Connection, draft: bytes, presealed: Presealed, bulletin: bytes, now: int
) -> None:
    """Note, beside the bulletin, that it has left under both signatures.

    In the transaction that keeps the bulletin: it is never sealed and waiting at once, so nobody
    refuses, takes back or writes again what is on its way.

    Raises:
        InvalidInput: `countersign_unknown`: its time was over meanwhile.
    """
    found = tx.execute(_END, (SIGNED, presealed.signed, bulletin, now, draft))
    if found.rowcount != 1:
        raise unknown()


def unknown() -> InvalidInput:
    """Nothing of this name waits here, or nothing for whoever asks."""
    return InvalidInput(
        "countersign_unknown",
        "nothing waits for a second officer under this id",
        field="id",
        hint="list what waits: saphan countersign list",
    )
