"""Signed heads as this node has verified them: both log lines, consistency, never backwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from saphan_protocol.checkpoint import Cosignature, Head, KeyPair, verify_cosignatures, verify_head
from saphan_protocol.directory import Directory
from saphan_protocol.merkle import history_path, verify_consistency
from saphan_protocol.notes import (
    KeyType,
    add_lines,
    encode_note,
    parse_lines,
    parse_note,
    parse_vkey,
    verifier_key,
)
from saphan_schemas.codec import encode
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.proof_frames import ShownHead
from saphan_schemas.records import HeadRef, Role

from saphan.node.rows.db import Database
from saphan.node.rows.places import first_of, log_number
from saphan.node.split import Doubt, Known, Shown, TwoHistories, compare

KEPT_HEADS: Final = 256
"""Notes kept per log: enough to show a proof under a cosigned head, not one per commit for ever."""


class Heads:
    """One log's heads.

    Args:
        pin: origin and verifier keys, from the pin file and from nowhere else.
        proving: entries rest under these heads: notes and the steps between them are kept, until
            `notes_kept` has found that nothing rests there any more.
    """

    def __init__(self, db: Database, pin: LogPin, *, proving: bool = False) -> None:
        self.origin: Final = pin.origin
        self._db = db
        self._proving = proving
        self._first = first_of(log_number(pin)) if proving else 0
        self._kept = 0
        first, second = (parse_vkey(vkey) for vkey in pin.vkeys)
        self._keys: Final[KeyPair] = (first, second)
        self._expected: Known | None = None
        self.doubted = False
        """A head was shown that is not proven to continue the newest one, and no good one since."""
        self.load()

    def load(self) -> None:
        """Take the newest head that the store holds, or the later one that a witness has signed."""
        row = self._db.row(
            "SELECT size, root, time, note FROM heads WHERE origin = ? ORDER BY size DESC LIMIT 1",
            (self.origin,),
        )
        self.newest: Known | None = Known(*row) if row else None
        self._last: Head | None = None
        self._step: tuple[int, tuple[bytes, ...]] | None = None
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
                `Doubt` if the path leads elsewhere; TwoHistories; OperatorError: `log_rolled_back`.
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
        grown = known is not None and known.size < head.size
        self._last, self._step = head, (start, tuple(consistency)) if grown else None
        return head

    def _continue(self, known: Known, head: Head, start: int, path: Sequence[bytes]) -> None:
        if head.size < known.size:
            self._check_kept(head)
            raise OperatorError(
                "log_rolled_back",
                f"{self.origin} shows {head.size} leaves after it had shown {known.size}",
                hint="ask the broker's operator what was restored; this node keeps what it has",
            )
        if head.size == known.size:
            if head.root != known.root:
                raise self._split(known, head.note)
            return
        if start != known.size:
            why = f"consistency is shown from {start} leaves, not from the {known.size} known here"
            self.doubted = True
            raise Doubt(known, head, why)
        try:
            verify_consistency(known.size, head.size, known.root, head.root, path)
        except InvalidInput as error:
            whole = history_path(known.size, known.root, path)
            self.doubted = True
            raise compare(known, head, whole) or Doubt(known, head, error.message) from None

    def _check_kept(self, head: Head) -> None:
        """An older head is one that was shown here too, as far as it was kept."""
        kept = self.kept(head.size)
        if kept is not None and kept.root != head.root:
            raise self._split(kept, head.note)

    def contradicted(self, shown: ShownHead) -> TwoHistories | None:
        """Two histories, if a head that the broker has instead of a known one shows them."""
        known = self.newest
        try:
            head = verify_head(shown.note, self._keys)
            if known is None:
                return None
            if head.size > known.size:
                return compare(known, head, shown.path)
            before = known if head.size == known.size else self.kept(head.size)
        except InvalidInput:
            return None  # of the other log, or of nobody's
        if before is None or before.root == head.root:
            return None  # an old copy, as far as it was kept here
        return self._split(before, head.note)

    @property
    def ref(self) -> HeadRef | None:
        """The newest verified head by its value."""
        known = self.newest
        return None if known is None else HeadRef(self.origin, known.size, known.root)

    def kept(self, size: int) -> Known | None:
        """The verified head of exactly this size, if its note is still kept."""
        row = self._db.row(
            "SELECT size, root, time, note FROM heads WHERE origin = ? AND size = ?",
            (self.origin, size),
        )
        return Known(*row) if row else None

    def _split(self, known: Known, note: bytes) -> TwoHistories:
        return TwoHistories(self.origin, known.size, Shown(notes=(known.note, note)))

    def with_lines(self, ref: HeadRef, lines: bytes) -> Head | None:
        """A head that is kept here, with further lines; None if it is not, or they say nothing new.

        Raises:
            InvalidInput: `note_*`; `witness_differs` for a root that this log did not sign here:
                whoever says so shows no signature of the log.
        """
        row = self._db.row(
            "SELECT root, note, witnesses FROM heads WHERE origin = ? AND size = ?",
            (ref.origin, ref.size),
        )
        if row is None:
            return None
        root, note, witnesses = row
        if root != ref.root:
            raise InvalidInput(
                "witness_differs",
                f"lines came for another root of {ref.size} leaves of {ref.origin} than the one "
                "that was shown here; no signature of the log came with them",
                field="head",
                hint="the node connects again; tell the other agencies if it stays",
            )
        known = witnesses.split()
        new = b"".join(line.encode() for line in parse_lines(lines) if line.name not in known)
        return verify_head(add_lines(note, new), self._keys) if new else None

    def adopt(self, head: Head) -> None:
        """Make a verified head the newest, after it was persisted."""
        if self.newest is None or head.size > self.newest.size:
            self.doubted = False
        if self.newest is None or head.size >= self.newest.size:
            self.newest = Known(head.size, head.root, head.time, head.note)

    def keep(self, tx: sqlite3.Connection, head: Head) -> None:
        """Persist a verified head (`cleaned`) before anything relies on it."""
        names = " ".join(sorted({line.name for line in head.cosignatures}))
        tx.execute(
            "INSERT INTO heads VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (origin, size) DO UPDATE"
            " SET time = excluded.time, note = excluded.note, witnesses = excluded.witnesses"
            " WHERE length(excluded.witnesses) >= length(heads.witnesses)",
            (self.origin, head.size, head.root, head.time, head.note, names),
        )
        if self._proving:
            self._keep_step(tx, head)
            return
        self._kept += 1
        if self._kept % KEPT_HEADS:
            return
        tx.execute(
            "DELETE FROM heads WHERE origin = ?1 AND size < (SELECT min(size) FROM (SELECT size"
            " FROM heads WHERE origin = ?1 ORDER BY size DESC LIMIT ?2))",
            (self.origin, KEPT_HEADS),
        )

    def _keep_step(self, tx: sqlite3.Connection, head: Head) -> None:
        """How a head continues the one before it, as it was verified."""
        last, step = self._last, self._step
        if last is not None and step is not None and last.size == head.size:
            start, path = step
            tx.execute(
                "INSERT INTO steps VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (self._first + head.size, self._first + start, encode(list(path))),
            )

    def take_newer(self, known: Known) -> None:
        """Start from a head that this node's own witness state holds (a restored database).

        Raises:
            TwoHistories.
        """
        self._expected = known
        if self.newest is None or known.size > self.newest.size:
            self.newest = known
        elif known.size == self.newest.size and known.root != self.newest.root:
            raise self._split(self.newest, known.note)


def contradicted(known: Iterable[Heads], shown: Sequence[ShownHead]) -> TwoHistories | None:
    """The first two histories that heads of a broker show to what is known of its logs."""
    for heads in known:
        for one in shown:
            found = heads.contradicted(one)
            if found is not None:
                return found
    return None


def cleaned(directory: Directory, head: Head) -> Head:
    """The head with the lines of its log and of witnesses that hold, whose `cosignatures` they are.

    No other line is kept: a broken one under a witness's key, which a broker can add by itself,
    would make invalid whatever shows the note later.
    """
    if head.note.count(b"\n\xe2\x80\x94 ") <= 2:  # the log's own two lines, nobody else's
        return head
    note = parse_note(head.note)
    found: list[Cosignature] = []
    known: set[tuple[str, bytes]] = set()
    for agency in sorted({line.name for line in note.lines}.intersection(directory.agencies())):
        for key in directory.keys(agency, Role.WITNESS):
            pair = _pair(agency, key.public)
            try:
                lines = verify_cosignatures(head.note, [pair])
            except InvalidInput:
                continue
            if lines:
                found += lines
                known.update((half.name, half.key_id) for half in pair)
    kept = [
        line for line in note.lines if line.name == head.origin or (line.name, line.key_id) in known
    ]
    text = head.note if len(kept) == len(note.lines) else encode_note(note.text, kept)
    return replace(head, note=text, cosignatures=tuple(found))


def _pair(agency: str, public: bytes) -> KeyPair:
    return (
        verifier_key(agency, KeyType.COSIGNATURE_ED25519, public[:32]),
        verifier_key(agency, KeyType.COSIGNATURE_MLDSA44, public[32:]),
    )
