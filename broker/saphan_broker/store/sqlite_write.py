"""What the SQLite engine's one writing connection does: apply a commit, a note, cosignatures.

Every function runs on the writer's thread, inside a transaction its caller has begun.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import count
from operator import attrgetter
from typing import Final

from saphan_broker.store.base import (
    Commit,
    CosignatureRow,
    HeadMoved,
    HoldRow,
    Log,
    SignedHead,
)
from saphan_broker.store.checks import check_note, check_shape
from saphan_broker.store.sqlite_bodies import add_bodies, keep_longer, remove_bodies
from saphan_broker.store.sqlite_read import (
    DELIVERY_NAMES,
    ENTRY_NAMES,
    FACT_NAMES,
    LOG_NUMBERS,
    STANZA_NAMES,
    packed,
    read_last_seq,
    read_note,
    read_state,
)

_ENTRY: Final = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BULLETIN: Final = "INSERT INTO bulletin VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_HEADER: Final = "INSERT INTO header VALUES (?, ?)"
_DELIVERY: Final = (
    "INSERT INTO delivery VALUES"
    " ((SELECT seq FROM bulletin WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (seq, recipient) DO UPDATE SET state = excluded.state, last = excluded.last,"
    " consignments = excluded.consignments, answer_by = excluded.answer_by,"
    " deadline = excluded.deadline, destroyed = excluded.destroyed, holds = excluded.holds"
)
_STANZA: Final = (
    "INSERT INTO stanza VALUES ((SELECT seq FROM bulletin WHERE id = ?1), ?2, ?3, ?4, 0, ?3)"
    " ON CONFLICT (seq, recipient) DO UPDATE SET due_day = excluded.due_day,"
    " sealed = excluded.sealed, day = iif(held, excluded.day, min(day, excluded.day))"
)
_HOLD: Final = (
    "INSERT OR REPLACE INTO hold VALUES (?, ?, ?, (SELECT seq FROM bulletin WHERE id = ?), ?, ?, ?)"
)
_OF_DELIVERY: Final = "WHERE seq = (SELECT seq FROM bulletin WHERE id = ?) AND recipient = ?"
_HELD: Final = f"UPDATE stanza SET held = 1, day = due_day {_OF_DELIVERY}"  # noqa: S608
_FREED: Final = f"UPDATE stanza SET held = 0, day = ? {_OF_DELIVERY}"  # noqa: S608
_UNSTANZA: Final = f"DELETE FROM stanza {_OF_DELIVERY}"  # noqa: S608 - constants
_SIGNATURE: Final = (
    "INSERT INTO signature VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, size, root)"
    " DO UPDATE SET record_day = excluded.record_day WHERE excluded.record_day > record_day"
)
_CORRIDOR: Final = "INSERT OR REPLACE INTO corridor VALUES (?, ?, ?, ?)"
_TILE: Final = (
    "INSERT INTO tile VALUES (?, ?, ?, ?) ON CONFLICT (log, level, n)"
    " DO UPDATE SET hashes = excluded.hashes"
)
_COSIGNATURE: Final = (
    "INSERT INTO cosignature VALUES (?, ?, ?, ?, ?) ON CONFLICT (log, agency)"
    " DO UPDATE SET size = excluded.size, time = excluded.time, lines = excluded.lines"
    " WHERE (excluded.size, excluded.time) >= (size, time)"
)


# The tables' columns are the rows' fields, in order; a bulletin's attachments are packed.
_entry = attrgetter(*ENTRY_NAMES)
_facts = attrgetter(*FACT_NAMES[:-1])
_delivery = attrgetter(*DELIVERY_NAMES)
_stanza = attrgetter(*STANZA_NAMES)
_hold = attrgetter(*HoldRow.__struct_fields__)


def apply_commit(db: sqlite3.Connection, commit: Commit) -> None:
    """Write a commit whose expected head is the stored one.

    Raises:
        HeadMoved: it is not; nothing was written.
    """
    state = read_state(db, commit.log)
    if state.head != commit.expected:
        raise HeadMoved(commit.log, commit.expected.size, state.head.size)
    check_shape(commit, state)
    _write_log(db, commit)
    _write_bulletins(db, commit)
    _write_entries(db, commit)
    _write_deliveries(db, commit)
    _write_signatures(db, commit)
    _remove(db, commit)


def _write_log(db: sqlite3.Connection, commit: Commit) -> None:
    log = LOG_NUMBERS[commit.log]
    db.execute(
        "UPDATE log SET size = ?, root = ?, time = ? WHERE log = ?",
        (commit.head.size, commit.head.root, commit.time, log),
    )
    indices = count(commit.expected.size)
    db.executemany(
        "INSERT INTO leaf VALUES (?, ?, ?)",
        [(log, index, leaf) for index, leaf in zip(indices, commit.leaves, strict=False)],
    )
    db.executemany(_TILE, [(log, level, n, data) for (level, n), data in commit.tiles.items()])
    db.executemany("INSERT OR REPLACE INTO package VALUES (?, ?)", list(commit.packages.items()))
    anchors = [(row.index, row.size, row.root) for row in commit.anchors]
    db.executemany("INSERT INTO anchor VALUES (?, ?, ?)", anchors)


def _write_bulletins(db: sqlite3.Connection, commit: Commit) -> None:
    if not commit.bulletins:
        return
    rows = list(enumerate(commit.bulletins, read_last_seq(db) + 1))
    db.executemany(_BULLETIN, [(seq, *_facts(row), packed(row.attachments)) for seq, row in rows])
    db.executemany(_HEADER, [(seq, row.header) for seq, row in rows])
    add_bodies(db, rows)


def _write_entries(db: sqlite3.Connection, commit: Commit) -> None:
    db.executemany(_ENTRY, [_entry(row) for row in commit.entries])
    boxes = [(agency, r.index) for r in commit.entries for agency in {r.sender, r.recipient}]
    db.executemany("INSERT INTO mailbox VALUES (?, ?)", boxes)
    db.executemany(_CORRIDOR, [(*pair, *end) for pair, end in commit.corridors.items()])
    # In key order: neighbours share pages.
    statements = sorted((*key[1:], index) for key, index in commit.statements.items())
    db.executemany("INSERT OR IGNORE INTO statement VALUES (?, ?, ?)", statements)


def _write_deliveries(db: sqlite3.Connection, commit: Commit) -> None:
    db.executemany(_DELIVERY, [_delivery(row) for row in commit.deliveries])
    new = {row.id for row in commit.bulletins}
    keep_longer(db, [row for row in commit.stanzas if row.bulletin not in new])
    db.executemany(_STANZA, [_stanza(row) for row in commit.stanzas])
    db.executemany(_HOLD, [_hold(row) for row in commit.holds])
    # A stanza knows that it is held: those to be wrapped anew are found among all that are due.
    held = [(row.bulletin, row.recipient) for row in commit.deliveries if row.holds]
    db.executemany(_HELD, held)
    changed = {(row.bulletin, row.recipient) for row in commit.holds}.difference(held)
    rows = [row for row in commit.deliveries if (row.bulletin, row.recipient) in changed]
    db.executemany(_FREED, [(row.due_day, row.bulletin, row.recipient) for row in rows])


def _write_signatures(db: sqlite3.Connection, commit: Commit) -> None:
    """One stored before stays as it is, and is kept as long as the newest entry that names it."""
    day = commit.entries[-1].record_day if commit.entries else 0
    rows = [(row.key, row.size, row.root, row.signature, day) for row in commit.signatures]
    db.executemany(_SIGNATURE, rows)


def _remove(db: sqlite3.Connection, commit: Commit) -> None:
    db.executemany(_UNSTANZA, commit.destroyed)
    remove_bodies(db, commit.bodiless)


def apply_note(db: sqlite3.Connection, log: Log, new: SignedHead) -> None:
    """Replace the newest signed head, unless the same bytes are stored already."""
    stored = read_note(db, log)
    check_note(new.size, read_state(db, log), stored)
    if new != stored:
        db.execute(
            "UPDATE log SET note_size = ?, note = ? WHERE log = ?",
            (new.size, new.note, LOG_NUMBERS[log]),
        )


def apply_cosignatures(db: sqlite3.Connection, rows: Iterable[tuple[Log, CosignatureRow]]) -> None:
    """Keep each agency's newest cosignature."""
    db.executemany(
        _COSIGNATURE,
        [(LOG_NUMBERS[log], r.agency, r.size, r.time, r.lines) for log, r in rows],
    )
