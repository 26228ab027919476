"""What a frame's bulletins are to this node already: one look into the store for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from saphan_protocol.admission import Admitted

from saphan.node.effects import Effects
from saphan.node.files.parts import attachments_of
from saphan.node.judging import Received
from saphan.node.rows.db import Database, Row

PART: Final = 256
"""Ids in one query; the most entries that a frame holds."""


class Stored:
    """Stored bulletins of a frame.

    Args:
        bulletins: those whose header or digest the frame needs; opening: those whose handover
            by this agency it shows.
    """

    def __init__(self, db: Database, bulletins: Iterable[bytes], opening: Iterable[bytes]) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._digests: dict[bytes, bytes] = {}
        self._received: dict[bytes, Received] = {}
        for row in _look(db, "id, header, digest FROM bulletins", bulletins):
            self._headers[row[0]], self._digests[row[0]] = row[1], row[2]
        whole = (
            "id, header, header_id, ciphertext, digest, judged_at"
            " FROM bulletins JOIN bodies USING (seq)"
        )
        opened = set(opening)
        attachments = attachments_of(db, opened)
        for row in _look(db, whole, opened):
            self._received[row[0]] = Received(
                id=row[0],
                header=row[1],
                header_id=row[2],
                ciphertext=row[3],
                digest=row[4],
                judged_at=row[5],
                attachments=attachments.get(row[0], ()),
            )

    def arrived(self, admitted: Admitted) -> None:
        """What the frame brings itself: its later entries are judged by it."""
        self._headers[admitted.bulletin_id] = admitted.header_bytes
        self._digests[admitted.bulletin_id] = admitted.ciphertext.digest

    def header(self, bulletin: bytes) -> bytes | None:
        """Exact header bytes, None if the bulletin is not stored."""
        return self._headers.get(bulletin)

    def digest(self, bulletin: bytes) -> bytes | None:
        """SHA-256 of the stored ciphertext."""
        return self._digests.get(bulletin)

    def received(self, bulletin: bytes) -> Received | None:
        """The whole bulletin, if the frame shows its handover."""
        return self._received.get(bulletin)


def just_arrived(effects: Effects, bulletin: bytes) -> Received | None:
    """A bulletin whose ciphertext came with the frame itself."""
    for seen, admitted, at in effects.arrived:
        ciphertext = seen.raw.ciphertext
        if admitted.bulletin_id == bulletin and isinstance(ciphertext, bytes):
            return Received(
                id=bulletin,
                header=admitted.header_bytes,
                header_id=admitted.header_id,
                ciphertext=ciphertext,
                digest=admitted.ciphertext.digest,
                judged_at=at,
                attachments=admitted.attachments,
            )
    return None


def _look(db: Database, what: str, bulletins: Iterable[bytes]) -> Iterator[Row]:
    wanted = list(set(bulletins))
    for at in range(0, len(wanted), PART):
        part = wanted[at : at + PART]
        marks = ",".join("?" * len(part))
        yield from db.rows(f"SELECT {what} WHERE id IN ({marks})", part)
