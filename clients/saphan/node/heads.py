"""Signed heads as this node has verified them: both log lines, consistency, never backwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from saphan_protocol.checkpoint import Head, KeyPair, verify_cosignatures, verify_head
from saphan_protocol.directory import Directory
from saphan_protocol.merkle import verify_consistency
from saphan_protocol.notes import (
    KeyType,
    add_lines,
    parse_lines,
    parse_note,
    parse_vkey,
    verifier_key,
)
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.records import HeadRef, Role

from saphan.node.rows.db import Database

KEPT_HEADS: Final = 256
"""Notes kept per log: enough to show a proof under a cosigned head, not one per commit for ever."""


@dataclass(frozen=True, slots=True)
class Known:
    """The newest verified head of a log; size 0 and no root before the first."""

    size: int
    root: bytes
    time: int


class Heads:
    """One log's heads.

    Args:
        pin: origin and verifier keys, from the pin file and from nowhere else.
    """

    def __init__(self, db: Database, pin: LogPin) -> None:
        self.origin: Final = pin.origin
        self._db = db
        self._kept = 0
        first, second = (parse_vkey(vkey) for vkey in pin.vkeys)
        self._keys: Final[KeyPair] = (first, second)
        self._expected: Known | None = None
        self.load()

    def load(self) -> None:
        """Take the newest head that the store holds, or the later one that a witness has signed."""
        row = self._db.row(
            "SELECT size, root, time FROM heads WHERE origin = ? ORDER BY size DESC LIMIT 1",
            (self.origin,),
        )
        self.newest: Known | None = Known(*row) if row else None
        self._last: Head | None = None
        if self._expected is not None:
            self.take_newer(self._expected)

    def verify(self, note: bytes, start: int, consistency: Sequence[bytes]) -> Head:
        """A head that continues the newest one known; nothing is changed yet (see `adopt`).

        Args:
            note: empty for the one verified last, which the broker sends once.
            start: size the consistency path starts from; the newest known one, unless none is.

        Raises:
            InvalidInput: `head_missing`, what `checkpoint.verify_head` and
                `merkle.verify_consistency` raise.
            OperatorError: `split_view` (two roots for one size), `log_rolled_back`.
        """
        if self._last is not None and note in (b"", self._last.note):
            return self._last
        if not note:
            raise InvalidInput(
                "head_missing", f"{self.origin} leaves out a head that was never here", field="note"
            )
        head = verify_head(note, self._keys)
        known = self.newest
        if known is not None:
            self._continue(known, head, start, consistency)
        self._last = head
        return head

    def _continue(self, known: Known, head: Head, start: int, path: Sequence[bytes]) -> None:
        if head.size < known.size:
            raise OperatorError(
                "log_rolled_back",
                f"{self.origin} shows {head.size} leaves after it had shown {known.size}",
                hint="ask the broker's operator what was restored; this node keeps what it has",
            )
        if head.size == known.size:
            if head.root != known.root:
                raise self._split(known)
            return
        if start != known.size:
            raise InvalidInput(
                "proof_consistency",
                f"consistency is shown from {start} leaves, not from the {known.size} known here",
                field="consistency",
            )
        verify_consistency(known.size, head.size, known.root, head.root, path)

    def _split(self, known: Known) -> OperatorError:
        return OperatorError(
            "split_view",
            f"{self.origin} has signed two different histories of {known.size} leaves",
            hint="stop sending; show both heads to the other agencies and to the auditor",
        )

    def with_lines(self, ref: HeadRef, lines: bytes) -> Head | None:
        """A head that is kept here, with further lines; None if it is not, or they say nothing new.

        Raises:
            InvalidInput: `note_*`; OperatorError: `split_view`.
        """
        row = self._db.row(
            "SELECT size, root, time, note, witnesses FROM heads WHERE origin = ? AND size = ?",
            (ref.origin, ref.size),
        )
        if row is None:
            return None
        if row[1] != ref.root:
            raise self._split(Known(*row[:3]))
        known = row[4].split()
        new = b"".join(line.encode() for line in parse_lines(lines) if line.name not in known)
        return verify_head(add_lines(row[3], new), self._keys) if new else None

    def adopt(self, head: Head) -> None:
        """Make a verified head the newest, after it was persisted."""
        if self.newest is None or head.size >= self.newest.size:
            self.newest = Known(head.size, head.root, head.time)

    def keep(self, tx: sqlite3.Connection, head: Head, witnesses: Iterable[str]) -> None:
        """Persist a verified head before anything relies on it."""
        names = " ".join(sorted(set(witnesses)))
        tx.execute(
            "INSERT INTO heads VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (origin, size) DO UPDATE"
            " SET time = excluded.time, note = excluded.note, witnesses = excluded.witnesses"
            " WHERE length(excluded.witnesses) >= length(heads.witnesses)",
            (self.origin, head.size, head.root, head.time, head.note, names),
        )
        self._kept += 1
        if self._kept % KEPT_HEADS:
            return
        tx.execute(
            "DELETE FROM heads WHERE origin = ?1 AND size < (SELECT min(size) FROM (SELECT size"
            " FROM heads WHERE origin = ?1 ORDER BY size DESC LIMIT ?2))",
            (self.origin, KEPT_HEADS),
        )

    def take_newer(self, known: Known) -> None:
        """Start from a head that this node's own witness state holds (a restored database)."""
        self._expected = known
        if self.newest is None or known.size > self.newest.size:
            self.newest = known
        elif known.size == self.newest.size and known.root != self.newest.root:
            raise self._split(known)


def cosigners(directory: Directory, head: Head) -> tuple[str, ...]:
    """Agencies whose witness lines on a head hold; a line that does not hold is no one's."""
    if head.note.count(b"\n\xe2\x80\x94 ") <= 2:  # the log's own two lines, nobody else's
        return ()
    found = []
    named = {line.name for line in parse_note(head.note).lines}
    for agency in sorted(named.intersection(directory.agencies())):
        pairs = [_pair(agency, key.public) for key in directory.keys(agency, Role.WITNESS)]
        try:
            found += [line.name for line in verify_cosignatures(head.note, pairs)]
        except InvalidInput:
            continue
    return tuple(found)


def _pair(agency: str, public: bytes) -> KeyPair:
    return (
        verifier_key(agency, KeyType.COSIGNATURE_ED25519, public[:32]),
        verifier_key(agency, KeyType.COSIGNATURE_MLDSA44, public[32:]),
    )
