"""`saphan records export`: what an agency may show an auditor, out of its node's store.

Everything in its own corridors: entries, statements, salts, signatures, headers, agreements; and
the heads that it has kept, which bound the entries' times. No content, no stanza, no key, nothing
of who read what inside the agency. The store is read beside a running node, in one snapshot. An
entry whose signature or header the store has lost is left out: it could be opened, but not proven.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from saphan_protocol.pack import pack_stream
from saphan_protocol.pins import Pins
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS
from saphan_schemas.packs import PACK_FORMAT, PackEnd, PackEntry, PackHead, PackItem
from saphan_schemas.records import BROKER, BatchSignature, Blob, Blobs, SignatureItem

from saphan.audit.kept_logs import KeptLog, kept_log
from saphan.audit.packfile import write_pack
from saphan.node.rows.schema import APPLICATION_ID, FORMAT

ITEM_BYTES: Final = 1024
"""An item at its longest: 16 hashes of path, key id and salt."""
CONSIGNMENTS: Final = ("submitted", "consigned")
_ENTRIES: Final = (
    "SELECT e.idx, e.event, e.bulletin, e.issuer, e.entry, e.salt, e.statement, e.item, e.root,"
    " b.header, length(y.ciphertext), b.digest"
    " FROM entries e LEFT JOIN bulletins b ON b.id = e.bulletin"
    " LEFT JOIN bodies y ON y.seq = b.seq"
)
_OWN: Final = {
    True: "SELECT item, root FROM consignments WHERE bulletin = ? AND body = ? LIMIT 1",
    False: "SELECT item, root FROM statements WHERE bulletin = ? AND body = ? LIMIT 1",
}
"""The feed leaves out the signatures that the agency made itself: they lie with what it sent."""
_PARTS: Final = "SELECT place, length, digest FROM parts WHERE bulletin = ? ORDER BY place"
"""Place 0 is a ciphertext that came late, the others are the sealed attachments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a pack holds: entries of leaves [start, stop), and how many of each thing.

    Args:
        origin: of the evidence log.
        left_out: entries of the range that the store cannot prove any more.
    """

    origin: str
    start: int
    stop: int
    agreements: int
    signatures: int
    entries: int
    left_out: int


def export_records(
    store: Path,
    out: Path,
    agency: str,
    pins: Pins,
    now: int,
    start: int = 0,
    stop: int | None = None,
    log: int | None = None,
) -> Exported:
    """Write the pack of the leaves start <= index < stop, at most up to the newest verified head.

    Args:
        store: the node's database file.
        agency: the pack's maker.
        log: number of the evidence log that it is about; None: the newest one.
        now: time at which the pack is made, ms.

    Raises:
        InvalidInput: `range_empty`, `log_unknown`.
        OperatorError: `file_missing`, `store_foreign`, `store_newer`, `store_damaged`,
            `file_exists`, `file_unwritable`.
    """
    with closing(open_store(store)) as db:
        try:
            db.execute("BEGIN")
            kept = kept_log(db, pins, log)
            pins = kept.pins
            end = _end(db, pins, start, stop)
            origins = (pins.directory.origin, pins.evidence.origin)
            head = PackHead(PACK_FORMAT, agency, now, *origins, start, end)
            opened = Opened(db, kept)
            notes = _notes(db, pins.evidence.origin, start)
            stream = pack_stream(head, _agreements(db), opened.between(start, end), notes)
            counted = _Counted(stream)
            write_pack(out, counted)
        except sqlite3.Error as error:
            raise damaged(str(error)) from None
    last = counted.last
    if not isinstance(last, PackEnd):
        raise RuntimeError("a pack was written without its end")
    return Exported(
        origin=pins.evidence.origin,
        start=start,
        stop=end,
        agreements=last.agreements,
        signatures=last.signatures,
        entries=last.entries,
        left_out=opened.left_out,
    )


class _Counted:
    """Passes items on and keeps the last one, whose counts are the export's."""

    def __init__(self, items: Iterator[PackItem]) -> None:
        self._items = items
        self.last: PackItem | None = None

    def __iter__(self) -> Iterator[PackItem]:
        for item in self._items:
            self.last = item
            yield item


def open_store(store: Path) -> sqlite3.Connection:
    """A node's store for reading, beside a running node; opened as it is, never made.

    Raises:
        OperatorError: `file_missing`, `store_foreign`, `store_newer`, `store_damaged`.
    """
    if not store.is_file():
        raise OperatorError(
            "file_missing",
            f"there is no store {store}: no node has run here",
            field="dir",
            hint="name the agency's folder with --dir DIR",
        )
    try:
        # A store in WAL mode needs its shared memory file even for reading, hence rw.
        db = sqlite3.connect(f"file:{quote(str(store))}?mode=rw", uri=True, isolation_level=None)
        db.execute("PRAGMA query_only = ON")
        (owner,) = db.execute("PRAGMA application_id").fetchone()
        (found,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise damaged(str(error)) from None
    if owner != APPLICATION_ID:
        raise OperatorError("store_foreign", f"{store} is not a node's store")
    if found > FORMAT:
        raise OperatorError(
            "store_newer",
            f"{store} has format {found}; this program knows formats up to {FORMAT}",
            hint="use the newer Saphan that made it",
        )
    return db


def _end(db: sqlite3.Connection, pins: Pins, start: int, stop: int | None) -> int:
    (size,) = db.execute(
        "SELECT coalesce(max(size), 0) FROM heads WHERE origin = ?", (pins.evidence.origin,)
    ).fetchone()
    end = int(size) if stop is None else min(stop, int(size))
    if not 0 <= start < end:
        raise InvalidInput(
            "range_empty",
            f"no leaf from {start} to {end}: this node has verified {size} leaves",
            field="from",
            hint="leave out --from and --to to export everything that is verified",
        )
    return end


def _agreements(db: sqlite3.Connection) -> Iterator[bytes]:
    for (package,) in db.execute("SELECT package FROM agreements ORDER BY position"):
        yield package


@dataclass(frozen=True, slots=True)
class Found:
    """An entry as a pack shows it, with its signature.

    `whole`: nothing that would prove it is lost.
    """

    entry: PackEntry
    batch: BatchSignature | None
    whole: bool


def _notes(db: sqlite3.Connection, origin: str, start: int) -> Iterator[bytes]:
    """Heads beyond the first entry that the node has kept; evenly fewer if there are too many."""
    sizes = [
        size
        for (size,) in db.execute(
            "SELECT size FROM heads WHERE origin = ? AND size >= ? ORDER BY size", (origin, start)
        )
    ]
    every = -(-len(sizes) // LIMITS.pack_notes) or 1
    for size in sizes[::-every][::-1]:  # the newest is always among them
        (note,) = db.execute(
            "SELECT note FROM heads WHERE origin = ? AND size = ?", (origin, size)
        ).fetchone()
        yield note


class Opened:
    """Entries of one log as a pack shows them; `left_out` counts those that it cannot prove."""

    def __init__(self, db: sqlite3.Connection, log: KeptLog) -> None:
        self._db = db
        self._log = log
        self.left_out = 0

    def between(self, start: int, stop: int) -> Iterator[tuple[PackEntry, BatchSignature | None]]:
        """The entries of leaves start <= index < stop, each with its signature."""
        for found in self._found("", (), start, stop):
            if found.whole:
                yield found.entry, found.batch
            else:
                self.left_out += 1

    def of_bulletin(self, bulletin: bytes) -> Iterator[Found]:
        """The entries of one bulletin, by rising index, with what is left of each."""
        return self._found("e.bulletin = ? AND ", (bulletin,), 0, self._log.stop - self._log.first)

    def _found(
        self, which: str, values: tuple[object, ...], start: int, stop: int
    ) -> Iterator[Found]:
        first = self._log.first
        query = f"{_ENTRIES} WHERE {which}e.idx >= ? AND e.idx < ? ORDER BY e.idx"
        for place, *row in self._db.execute(query, (*values, first + start, first + stop)):
            yield self._show(place - first, *row)

    def _show(  # the columns of a row, in their order
        self,
        index: int,
        event: str,
        bulletin: bytes,
        issuer: str,
        entry: bytes,
        salt: bytes,
        statement: bytes,
        packed: bytes | None,
        root: bytes,
        header: bytes | None,
        length: int | None,
        digest: bytes | None,
    ) -> Found:
        consigned = event in CONSIGNMENTS
        if packed is None and issuer != BROKER:
            packed, root = self._own(consigned, bulletin, statement)
        item = None if packed is None else decode(SignatureItem, packed, ITEM_BYTES, "item")
        batch = None if item is None else self._signature(item, root)
        signed = batch is not None or issuer == BROKER
        if not consigned or digest is None:
            shown = PackEntry(index, entry, salt, statement, item, None, None)
            return Found(shown, batch, signed and not consigned)
        sealed, attachments = self._bodies(bulletin, length, digest)
        shown = PackEntry(index, entry, salt, statement, item, header, sealed, attachments)
        return Found(shown, batch, signed)

    def _bodies(self, bulletin: bytes, length: int | None, digest: bytes) -> tuple[Blob, Blobs]:
        """What the bulletin id covers beside the header: ciphertext and sealed attachments."""
        parts = self._db.execute(_PARTS, (bulletin,)).fetchall()
        late = [size for place, size, _ in parts if place == 0]
        attachments = tuple(Blob(size, found) for place, size, found in parts if place)
        return Blob(late[0] if late else length or 0, digest), attachments

    def _own(self, consigned: bool, bulletin: bytes, body: bytes) -> tuple[Any, Any]:
        row = self._db.execute(_OWN[consigned], (bulletin, body)).fetchone()
        return (None, None) if row is None else (row[0], row[1])

    def _signature(self, item: SignatureItem, root: bytes) -> BatchSignature | None:
        found = self._db.execute(
            "SELECT signature FROM signatures WHERE key = ? AND size = ? AND root = ?",
            (item.key, item.size, root),
        ).fetchone()
        return None if found is None else BatchSignature(item.key, item.size, root, found[0])


def damaged(why: str) -> OperatorError:
    """The disk, or the file, under a node's store."""
    return OperatorError(
        "store_damaged",
        f"the node's store cannot be read: {why}",
        hint="check the disk; if it stays so, restore the node's backup",
    )
