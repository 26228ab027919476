"""What this node knows of both logs, told to a broker that has lost them (`saphan-broker succeed`).

Each log's newest note, the store's or the witness's, whichever is larger, with the log's own lines
alone; and every directory leaf that is asked for, in parts. Whoever asks judges all of it by the
log's own signatures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saphan_protocol.notes import encode_note, parse_note
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.succession_frames import REPORT_BYTES, REPORT_LEAVES, Report

from saphan.node.heads import Heads
from saphan.node.rows.db import Database
from saphan.node.split import Known
from saphan.node.witness import Witness

LEAF_BYTES: Final = REPORT_BYTES - 2 * LIMITS.note_bytes - 64 * KIB
"""Leaves in one message, beside its notes and the lengths of everything."""


def report(
    db: Database, directory: Heads, evidence: Heads, witness: Witness, start: int
) -> Iterator[Report]:
    """The messages of one report; blocking.

    Args:
        start: directory leaves before this one are known to whoever asks.
    """
    shown, at, sent = _newest(directory, witness), start, False
    notes = _own_lines(shown, directory), _own_lines(_newest(evidence, witness), evidence)
    stop = 0 if shown is None else shown.size
    while True:
        leaves = _leaves(db, at, stop)
        last = not leaves or not _leaves(db, at + len(leaves), stop, 1)
        yield Report(*((b"", b"") if sent else notes), at, leaves, last)
        if last:
            return
        at, sent = at + len(leaves), True


def _leaves(db: Database, start: int, stop: int, most: int = REPORT_LEAVES) -> tuple[bytes, ...]:
    rows = db.rows(
        "SELECT leaf FROM leaves WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?",
        (start, stop, most),
    )
    found: list[bytes] = []
    size = 0
    for (leaf,) in rows:
        size += len(leaf)
        if found and size > LEAF_BYTES:
            break
        found.append(leaf)
    return tuple(found)


def _newest(heads: Heads, witness: Witness) -> Known | None:
    """The store's head, or the one that was cosigned last if that is larger, with a note."""
    known = [one for one in (heads.newest, witness.known(heads.origin)) if one and one.note]
    return max(known, key=lambda one: one.size, default=None)


def _own_lines(known: Known | None, heads: Heads) -> bytes:
    if known is None:
        return b""
    note = parse_note(known.note)
    return encode_note(note.text, [line for line in note.lines if line.name == heads.origin])
