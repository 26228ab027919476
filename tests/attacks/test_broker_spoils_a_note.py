"""A broker adds broken lines of a witness to the heads that it shows: what rests under such a head
would be worthless in a court, while the node that keeps it sees nothing wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saphan.node.heads import Heads, cleaned
from saphan.node.rows.db import Database
from saphan_protocol.bundle.report import Verdict
from saphan_protocol.bundle.verify import verify_bundle
from saphan_protocol.checkpoint import Head, verify_head
from saphan_protocol.directory import Directory
from saphan_protocol.notes import Note, NoteLine, encode_note, parse_note
from saphan_schemas.bundles import BundleNote
from support.audits import KH, LA
from support.bundled import Maker, begun, gap_codes, refusal, replaced
from support.log_keys import log_pair
from support.logbook import PINS, TYPES, Logbook

ORIGIN = PINS.evidence.origin


def replayed(book: Logbook) -> Directory:
    directory = Directory()
    for leaf in book.directory.kept:
        directory.apply(leaf, TYPES)
    return directory


def broken(note: Note) -> list[NoteLine]:
    """One of the other agency's two lines does not hold."""
    at = next(at for at, line in enumerate(note.lines) if line.name == LA)
    line = note.lines[at]
    return [
        *note.lines[:at],
        NoteLine(LA, line.key_id, bytes(len(line.blob))),
        *note.lines[at + 1 :],
    ]


def twice(note: Note) -> list[NoteLine]:
    """A second line of one key."""
    line = next(line for line in note.lines if line.name == LA)
    return [*note.lines, NoteLine(LA, line.key_id, bytes(len(line.blob)))]


def early(note: Note) -> list[NoteLine]:
    """A line of a key that the agency enrols tomorrow."""
    return [*note.lines, NoteLine(LA, b"soon", bytes(72))]


@pytest.mark.parametrize("spoil", [broken, twice, early])
def test_a_node_keeps_the_lines_that_hold(
    tmp_path: Path, spoil: Callable[[Note], list[NoteLine]]
) -> None:
    book, made = begun()
    maker = Maker(book, made, KH)
    maker.sign()
    good = book.evidence.note()
    note = parse_note(good)
    bad = encode_note(note.text, spoil(note))
    items: list[Any] = maker.items()
    place = items.index(BundleNote("evidence", good))

    def shown(data: bytes) -> Verdict:
        changed = [*items[:place], replaced(items[place], note=data), *items[place + 1 :]]
        return verify_bundle(changed, TYPES, PINS)

    if spoil is not early:
        assert refusal(shown(bad))[0] == "V8"
    kept = stored(tmp_path, cleaned(replayed(book), verify_head(bad, log_pair(ORIGIN))))
    names = [line.name for line in parse_note(kept).lines]
    assert names.count(KH) == 2
    assert names.count(LA) == (2 if spoil is early else 0)
    assert gap_codes(shown(kept)) == (set() if spoil is early else {"unwitnessed"})


def test_a_note_without_a_fault_is_kept_as_it_came() -> None:
    book, made = begun()
    Maker(book, made, KH).sign()
    head = cleaned(replayed(book), verify_head(book.evidence.note(), log_pair(ORIGIN)))
    assert head.note == book.evidence.note()
    assert [line.name for line in head.cosignatures] == [KH, LA]


def stored(folder: Path, head: Head) -> bytes:
    db = Database(folder)
    heads = Heads(db, PINS.evidence)
    with db.transaction() as tx:
        heads.keep(tx, head)
    row = db.row("SELECT note, witnesses FROM heads WHERE origin = ?", (ORIGIN,))
    db.close()
    assert row is not None
    assert row[1].split() == [line.name for line in head.cosignatures]
    return bytes(row[0])
