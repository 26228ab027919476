"""`saphan records export`: what an agency may show an auditor, out of its node's store.

Everything in its own corridors: entries, statements, salts, signatures, headers, agreements. No
content, no stanza, no key, nothing of who read what inside the agency. The store is read beside a
running node, in one snapshot.
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
from saphan_schemas.packs import PACK_FORMAT, PackEnd, PackEntry, PackHead, PackItem
from saphan_schemas.records import BatchSignature, Blob, SignatureItem

from saphan.audit.packfile import write_pack
from saphan.node.schema import APPLICATION_ID, FORMAT

ITEM_BYTES: Final = 1024
CONSIGNMENTS: Final = ("submitted", "consigned")
_ENTRIES: Final = (
    "SELECT e.idx, e.event, e.entry, e.salt, e.statement, e.item, e.root, b.header,"
    " length(b.ciphertext), b.digest FROM entries e LEFT JOIN bulletins b ON b.id = e.bulletin"
    " WHERE e.idx >= ? AND e.idx < ? ORDER BY e.idx"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a pack holds: entries of leaves [start, stop), and how many of each thing."""

    start: int
    stop: int
    agreements: int
    signatures: int
    entries: int


def export_records(
    store: Path,
    out: Path,
    agency: str,
    pins: Pins,
    now: int,
    start: int = 0,
    stop: int | None = None,
) -> Exported:
    """Write the pack of the leaves start <= index < stop, at most up to the newest verified head.

    Args:
        store: the node's database file.
        agency: the pack's maker.
        now: time at which the pack is made, ms.

    Raises:
        InvalidInput: `range_empty`.
        OperatorError: `file_missing`, `store_foreign`, `store_newer`, `store_damaged`,
            `file_exists`, `file_unwritable`.
    """
    with closing(_connect(store)) as db:
        try:
            db.execute("BEGIN")
            end = _end(db, pins, start, stop)
            origins = (pins.directory.origin, pins.evidence.origin)
            head = PackHead(PACK_FORMAT, agency, now, *origins, start, end)
            counted = _Counted(pack_stream(head, _agreements(db), _entries(db, start, end)))
            write_pack(out, counted)
        except sqlite3.Error as error:
            raise _damaged(str(error)) from None
    last = counted.last
    if not isinstance(last, PackEnd):
        raise RuntimeError("a pack was written without its end")
    return Exported(
        start=start,
        stop=end,
        agreements=last.agreements,
        signatures=last.signatures,
        entries=last.entries,
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


def _connect(store: Path) -> sqlite3.Connection:
    """The store for reading: it is opened as it is, never made."""
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
        raise _damaged(str(error)) from None
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


def _entries(
    db: sqlite3.Connection, start: int, stop: int
) -> Iterator[tuple[PackEntry, BatchSignature | None]]:
    for row in db.execute(_ENTRIES, (start, stop)):
        index, event, entry, salt, statement, packed, root, header, length, digest = row
        consigned = event in CONSIGNMENTS
        item = None if packed is None else decode(SignatureItem, packed, ITEM_BYTES, "item")
        shown = Blob(length, digest) if consigned and digest is not None else None
        yield (
            PackEntry(index, entry, salt, statement, item, header if consigned else None, shown),
            None if item is None else _signature(db, item, root),
        )


def _signature(db: sqlite3.Connection, item: SignatureItem, root: Any) -> BatchSignature:
    found = db.execute(
        "SELECT signature FROM signatures WHERE key = ? AND size = ? AND root = ?",
        (item.key, item.size, root),
    ).fetchone()
    if found is None:
        raise _damaged(f"the signature of key {item.key.hex()[:16]} is missing")
    return BatchSignature(item.key, item.size, root, found[0])


def _damaged(why: str) -> OperatorError:
    return OperatorError(
        "store_damaged",
        f"the node's store cannot be read: {why}",
        hint="check the disk; if it stays so, restore the node's backup",
    )
