"""The SQLite engine's queries: rows in, frozen rows out; each runs on the thread of its connection.

Look-ups of many keys repeat one prepared statement: it costs a few microseconds a key, and the
number of keys is bounded by a frame, not by SQLite's limit on parameters.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from saphan_protocol.tiles import edge_tiles
from saphan_schemas.records import BatchSignature, Blob, Blobs

from saphan_broker.store.base import (
    BODY_EVENTS,
    LOGS,
    STANZA_EVENTS,
    AnchorRow,
    BulletinFacts,
    BulletinRow,
    CosignatureRow,
    Counts,
    DeliveryRow,
    EntryRow,
    FeedRow,
    Log,
    LogHead,
    LogState,
    SignatureKey,
    SignedHead,
    StanzaRow,
    StatementKey,
    TileKey,
)
from saphan_broker.store.sqlite_bodies import read_body

K = TypeVar("K")
LOG_NUMBERS: Final[dict[Log, int]] = {log: number for number, log in enumerate(LOGS)}

FACT_NAMES: Final = BulletinFacts.__struct_fields__
BODY_NAMES: Final = BulletinRow.__struct_fields__
DELIVERY_NAMES: Final = DeliveryRow.__struct_fields__
ENTRY_NAMES: Final = EntryRow.__struct_fields__
STANZA_NAMES: Final = StanzaRow.__struct_fields__

_FACTS: Final = (
    "b.id, b.sender, b.nonce, b.header_identity, b.ciphertext_length, b.ciphertext_digest,"
    " b.due_day, b.record_day, b.expires, b.attachments"
)
_FACTS_BY_ID: Final = f"SELECT {_FACTS} FROM bulletin b WHERE id = ?"  # noqa: S608 - constants
_FACTS_BY_NONCE: Final = f"SELECT {_FACTS} FROM bulletin b WHERE sender = ? AND nonce = ?"  # noqa: S608
_BODY: Final = (
    f"SELECT {_FACTS}, h.header, o.day, o.place FROM bulletin b"  # noqa: S608
    " LEFT JOIN header h USING (seq) LEFT JOIN body o USING (seq) WHERE id = ?"
)
DELIVERY: Final = (
    "SELECT b.id, d.recipient, d.sender, d.state, d.submitted, d.last, d.consignments, d.expires,"
    " d.answer_by, d.due_day, d.deadline, d.destroyed, d.holds FROM"
)
_DESTROYED: Final = (
    "SELECT d.destroyed FROM bulletin b CROSS JOIN delivery d USING (seq)"
    " WHERE b.id = ? AND d.recipient = ?"
)
_ONE_DELIVERY: Final = (
    f"{DELIVERY} bulletin b CROSS JOIN delivery d USING (seq) WHERE b.id = ? AND d.recipient = ?"
)
_DUE: Final = (
    f"{DELIVERY} delivery d CROSS JOIN bulletin b USING (seq) WHERE d.deadline <= ?"
    " ORDER BY d.deadline, d.submitted LIMIT ?"
)
_STANZA: Final = (
    "SELECT b.id, s.recipient, s.due_day, s.sealed FROM bulletin b CROSS JOIN stanza s USING (seq)"
    " WHERE b.id = ? AND s.recipient = ?"
)
_ENTRY: Final = (
    "SELECT e.idx, e.sender, e.recipient, e.number, e.event, e.bulletin, e.issuer, e.time,"
    " e.record_day, e.record FROM"
)
_FEED: Final = (
    f"{_ENTRY} mailbox m CROSS JOIN entry e ON e.idx = m.idx"
    " WHERE m.agency = ? AND m.idx > ? AND m.idx < ? ORDER BY m.idx LIMIT ?"
)


# --- Logs ----------------------------------------------------------------------------------------


def read_state(db: sqlite3.Connection, log: Log) -> LogState:
    query = "SELECT size, root, time FROM log WHERE log = ?"
    size, root, time = db.execute(query, (LOG_NUMBERS[log],)).fetchone()
    return LogState(LogHead(size, root), time)


def read_edge(db: sqlite3.Connection, log: Log) -> dict[TileKey, bytes]:
    edge = edge_tiles(read_state(db, log).head.size)
    tiles = {(level, n): read_tile(db, log, level, n) for level, n, _width in edge}
    return {key: data for key, data in tiles.items() if data is not None}


def read_tile(db: sqlite3.Connection, log: Log, level: int, n: int) -> bytes | None:
    query = "SELECT hashes FROM tile WHERE log = ? AND level = ? AND n = ?"
    row = db.execute(query, (LOG_NUMBERS[log], level, n)).fetchone()
    return row[0] if row else None


def read_leaves(db: sqlite3.Connection, log: Log, start: int, stop: int) -> list[bytes]:
    query = "SELECT leaf FROM leaf WHERE log = ? AND idx >= ? AND idx < ? ORDER BY idx"
    return [leaf for (leaf,) in db.execute(query, (LOG_NUMBERS[log], start, stop))]


def read_note(db: sqlite3.Connection, log: Log) -> SignedHead | None:
    query = "SELECT note_size, note FROM log WHERE log = ?"
    size, note = db.execute(query, (LOG_NUMBERS[log],)).fetchone()
    return None if note is None else SignedHead(size, note)


def read_cosignatures(db: sqlite3.Connection, log: Log) -> list[CosignatureRow]:
    query = "SELECT agency, size, time, lines FROM cosignature WHERE log = ? ORDER BY agency"
    return [CosignatureRow(*row) for row in db.execute(query, (LOG_NUMBERS[log],))]


def read_packages(db: sqlite3.Connection, start: int, stop: int) -> dict[int, bytes]:
    query = "SELECT idx, package FROM package WHERE idx >= ? AND idx < ? ORDER BY idx"
    return dict(db.execute(query, (start, stop)).fetchall())


def read_anchor(db: sqlite3.Connection, below: int) -> AnchorRow | None:
    query = "SELECT idx, size, root FROM anchor WHERE idx < ? ORDER BY idx DESC LIMIT 1"
    row = db.execute(query, (below,)).fetchone()
    return AnchorRow(*row) if row else None


def read_anchors(db: sqlite3.Connection, start: int, stop: int) -> list[AnchorRow]:
    query = "SELECT idx, size, root FROM anchor WHERE idx >= ? AND idx < ? ORDER BY idx"
    return [AnchorRow(*row) for row in db.execute(query, (start, stop))]


# --- Facts ---------------------------------------------------------------------------------------


def read_bulletins(db: sqlite3.Connection, ids: Iterable[bytes]) -> dict[bytes, BulletinFacts]:
    rows = each(db, _FACTS_BY_ID, ((id_, (id_,)) for id_ in ids))
    return {id_: _facts(row) for id_, row in rows}


def read_by_nonce(
    db: sqlite3.Connection, keys: Iterable[tuple[str, bytes]]
) -> dict[tuple[str, bytes], BulletinFacts]:
    rows = each(db, _FACTS_BY_NONCE, ((key, key) for key in keys))
    return {key: _facts(row) for key, row in rows}


def read_deliveries(
    db: sqlite3.Connection, keys: Iterable[tuple[bytes, str]]
) -> dict[tuple[bytes, str], DeliveryRow]:
    rows = each(db, _ONE_DELIVERY, ((key, key) for key in keys))
    return {key: delivery_row(row) for key, row in rows}


def read_statements(
    db: sqlite3.Connection, keys: Iterable[StatementKey]
) -> dict[StatementKey, int]:
    query = "SELECT idx FROM statement WHERE identity = ? AND recipient = ?"
    return {key: row[0] for key, row in each(db, query, ((key, key[1:]) for key in keys))}


def read_corridors(
    db: sqlite3.Connection, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, int]]:
    query = "SELECT number, idx FROM corridor WHERE sender = ? AND recipient = ?"
    return {key: (row[0], row[1]) for key, row in each(db, query, ((key, key) for key in keys))}


def read_due(db: sqlite3.Connection, now: int, limit: int) -> list[DeliveryRow]:
    return [delivery_row(row) for row in db.execute(_DUE, (now, limit))]


def read_open_deliveries(db: sqlite3.Connection) -> dict[str, int]:
    query = "SELECT sender, count(*) FROM delivery WHERE deadline IS NOT NULL GROUP BY sender"
    return dict(db.execute(query).fetchall())


def read_last_seq(db: sqlite3.Connection) -> int:
    """Of all bulletins that ever were here, forgotten ones among them."""
    query = "SELECT max(f.seq, coalesce((SELECT max(seq) FROM bulletin), 0)) FROM forgotten f"
    (last,) = db.execute(query).fetchone()
    return int(last)


def read_counts(db: sqlite3.Connection) -> Counts:
    query = "SELECT count(*) FROM delivery WHERE deadline IS NOT NULL"
    (waiting,) = db.execute(query).fetchone()
    return Counts(
        directory=read_state(db, "directory").head.size,
        evidence=read_state(db, "evidence").head.size,
        bulletins=read_last_seq(db),
        deliveries_waiting=waiting,
    )


# --- Mailboxes -----------------------------------------------------------------------------------


def read_feed(
    db: sqlite3.Connection,
    agency: str,
    after: int | None,
    below: int,
    max_items: int,
    max_bytes: int,
) -> list[FeedRow]:
    start = -1 if after is None else after
    rows: list[FeedRow] = []
    for found in db.execute(_FEED, (agency, start, below, max_items)):
        row = _feed_row(db, agency, _entry(found))
        max_bytes -= row.weight
        if rows and max_bytes < 0:
            break
        rows.append(row)
    return rows


def _feed_row(db: sqlite3.Connection, agency: str, entry: EntryRow) -> FeedRow:
    if entry.bulletin is None or entry.recipient != agency:
        return FeedRow(entry, None, None)
    bulletin = stanza = None
    if entry.event in BODY_EVENTS and not _is_destroyed(db, entry.bulletin, agency):
        bulletin = read_bodies(db, (entry.bulletin,)).get(entry.bulletin)
    if entry.event in STANZA_EVENTS:
        key = (entry.bulletin, agency)
        stanza = read_stanzas(db, (key,)).get(key)
    return FeedRow(entry, bulletin, stanza)


def _is_destroyed(db: sqlite3.Connection, bulletin: bytes, recipient: str) -> bool:
    found = db.execute(_DESTROYED, (bulletin, recipient)).fetchone()
    return found is not None and found[0] is not None


def read_last_entry(db: sqlite3.Connection, agency: str) -> int | None:
    found: tuple[int | None] = db.execute(
        "SELECT max(idx) FROM mailbox WHERE agency = ?", (agency,)
    ).fetchone()
    return found[0]


def read_entries(db: sqlite3.Connection, start: int, stop: int) -> list[EntryRow]:
    query = f"{_ENTRY} entry e WHERE e.idx >= ? AND e.idx < ? ORDER BY e.idx"
    return [_entry(row) for row in db.execute(query, (start, stop))]


def read_bodies(db: sqlite3.Connection, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]:
    rows = each(db, _BODY, ((id_, (id_,)) for id_ in ids))
    return {id_: _bulletin(db, row) for id_, row in rows}


def read_stanzas(
    db: sqlite3.Connection, keys: Sequence[tuple[bytes, str]]
) -> dict[tuple[bytes, str], StanzaRow]:
    rows = each(db, _STANZA, ((key, key) for key in keys))
    return {key: StanzaRow(*row) for key, row in rows}


def read_signatures(
    db: sqlite3.Connection, keys: Iterable[SignatureKey]
) -> dict[SignatureKey, BatchSignature]:
    query = "SELECT signature FROM signature WHERE key = ? AND size = ? AND root = ?"
    rows = each(db, query, ((key, key) for key in keys))
    return {key: BatchSignature(*key, row[0]) for key, row in rows}


def each(
    db: sqlite3.Connection, query: str, keys: Iterable[tuple[K, Sequence[object]]]
) -> Iterable[tuple[K, Sequence[Any]]]:
    """One prepared statement for many keys; keys without a row are left out."""
    cursor = db.cursor()
    for key, parameters in keys:
        row = cursor.execute(query, parameters).fetchone()
        if row is not None:
            yield key, row


def _facts(row: Sequence[Any]) -> BulletinFacts:
    values = [*row[:-1], blobs(row[-1])]
    return BulletinFacts(*values)


def _bulletin(db: sqlite3.Connection, row: Sequence[Any]) -> BulletinRow:
    *facts, attachments, header, day, place = row
    ciphertext = b"" if place is None else read_body(db, day, place)
    values = [*facts, blobs(attachments), header or b"", ciphertext]
    return BulletinRow(*values)


def packed(found: Blobs) -> bytes:
    """The column of attachments: length (8 bytes) and digest of each; most have none."""
    return b"".join([blob.length.to_bytes(8) + blob.digest for blob in found]) if found else b""


def blobs(column: bytes) -> Blobs:
    if not column:
        return ()
    return tuple(Blob(length, digest) for length, digest in struct.iter_unpack(">Q32s", column))


def delivery_row(row: Sequence[Any]) -> DeliveryRow:
    return DeliveryRow(*row)


def _entry(row: Sequence[Any]) -> EntryRow:
    return EntryRow(*row)
