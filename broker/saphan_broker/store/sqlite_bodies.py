"""Where the SQLite engine keeps ciphertexts: a table for each day on which they are due.

Rows are appended and overwritten, never moved: SQLite's `secure_delete` wipes what is overwritten,
but not the copy that a row leaves behind when two half-empty pages become one. So a ciphertext that
is destroyed is overwritten with nothing where it lies, and the rows of a day go, a stretch at a
time, once none of them holds anything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from saphan_broker.store.base import BulletinRow, StanzaRow

STRETCH: Final = 1024
"""Emptied rows that one transaction removes: their pages are read, 16 MB when bodies have 16 KB."""
STRETCHES: Final = 64
"""Of them in one cleansing, commits between them; 65,536 rows in about a second."""
BROUGHT: Final = 64
"""Ciphertexts in memory while a store of an earlier format is brought up to date: 6 MB at most."""

_AT: Final = "SELECT o.seq, o.day, o.place FROM bulletin b JOIN body o USING (seq) WHERE b.id = ?"


_BEFORE: Final = (
    "SELECT seq, due_day, ciphertext FROM body_before JOIN bulletin USING (seq)"
    " WHERE seq > ? ORDER BY seq LIMIT ?"
)
_ROOM: Final = (
    "INSERT INTO body_day VALUES (?1, ?2, ?2) ON CONFLICT (day)"
    " DO UPDATE SET live = live + ?2, last = last + ?2 RETURNING last"
)


def table(day: int) -> str:
    """Name of the table of a day; from a number, so it may stand in a query."""
    return f"body_{int(day)}"


def add_bodies(db: sqlite3.Connection, rows: Iterable[tuple[int, BulletinRow]]) -> None:
    """Append the ciphertexts of new bulletins, (seq, row), each to the table of its day.

    A row without one is of a bulletin whose ciphertext was destroyed before it was copied here.
    """
    _append(db, [(row.due_day, seq, row.ciphertext) for seq, row in rows if row.ciphertext])


def _append(db: sqlite3.Connection, bodies: Iterable[tuple[int, int, bytes]]) -> None:
    """Append (day, seq, ciphertext). Of what a group costs, the most is per day: so one row of
    `body_day` says where a day's table ends, and no look into the table does."""
    days: dict[int, list[tuple[int, bytes]]] = {}
    for day, seq, ciphertext in bodies:
        days.setdefault(day, []).append((seq, ciphertext))
    places: list[tuple[int, int, int]] = []
    for day, found in days.items():
        start = _room(db, day, len(found))
        placed = list(enumerate(found, start))
        db.executemany(
            f"INSERT INTO {table(day)} VALUES (?, ?)",  # noqa: S608 - a number
            [(place, ciphertext) for place, (_seq, ciphertext) in placed],
        )
        places += [(seq, day, place) for place, (seq, _ciphertext) in placed]
    db.executemany("INSERT OR REPLACE INTO body VALUES (?, ?, ?)", sorted(places))


def _room(db: sqlite3.Connection, day: int, number: int) -> int:
    """Places for so many ciphertexts at the end of a day's table, made if need be; the first."""
    ((last,),) = db.execute(_ROOM, (day, number)).fetchall()
    if last == number:
        db.execute(
            f"CREATE TABLE {table(day)}"
            " (place INTEGER PRIMARY KEY, ciphertext BLOB NOT NULL) STRICT"
        )
    return int(last) - number + 1


def read_body(db: sqlite3.Connection, day: int, place: int) -> bytes:
    """One ciphertext."""
    query = f"SELECT ciphertext FROM {table(day)} WHERE place = ?"  # noqa: S608 - a number
    (ciphertext,) = db.execute(query, (place,)).fetchone()
    return bytes(ciphertext)


def remove_bodies(db: sqlite3.Connection, ids: Iterable[bytes]) -> None:
    """Overwrite ciphertexts for ever; one that is gone already is left so."""
    for id_ in ids:
        found = db.execute(_AT, (id_,)).fetchone()
        if found is not None:
            seq, day, place = found
            _wipe(db, day, place)
            db.execute("DELETE FROM body WHERE seq = ?", (seq,))


def _wipe(db: sqlite3.Connection, day: int, place: int) -> None:
    db.execute(f"UPDATE {table(day)} SET ciphertext = x'' WHERE place = ?", (place,))  # noqa: S608
    db.execute("UPDATE body_day SET live = live - 1 WHERE day = ?", (day,))


def keep_longer(db: sqlite3.Connection, stanzas: Iterable[StanzaRow]) -> None:
    """Move the ciphertext of each stanza that was wrapped under a later day to that day's table."""
    for stanza in stanzas:
        found = db.execute(_AT, (stanza.bulletin,)).fetchone()
        if found is None or found[1] >= stanza.due_day:
            continue
        seq, day, place = found
        _append(db, [(stanza.due_day, seq, read_body(db, day, place))])
        _wipe(db, day, place)


def emptied_day(db: sqlite3.Connection) -> int | None:
    """A day of whose ciphertexts none is left, but still their table."""
    found = db.execute("SELECT day FROM body_day WHERE live = 0 LIMIT 1").fetchone()
    return None if found is None else int(found[0])


def remove_stretch(db: sqlite3.Connection, day: int) -> None:
    """Remove some rows of an emptied day, or its table when no row is left.

    Their pages hold nothing any more: they need not be written once more to become free.
    """
    if db.execute("SELECT live FROM body_day WHERE day = ?", (day,)).fetchone() != (0,):
        return  # something new is due on it
    db.execute("PRAGMA secure_delete=FAST")
    try:
        _remove_rows(db, day)
    finally:
        db.execute("PRAGMA secure_delete=ON")


def _remove_rows(db: sqlite3.Connection, day: int) -> None:
    gone = db.execute(
        f"DELETE FROM {table(day)} WHERE place <="  # noqa: S608 - a number
        f" (SELECT min(place) + ? FROM {table(day)})",
        (STRETCH - 1,),
    ).rowcount
    if not gone:
        db.execute(f"DROP TABLE {table(day)}")
        db.execute("DELETE FROM body_day WHERE day = ?", (day,))


def bring_bodies(db: sqlite3.Connection) -> None:
    """The step to format 3 that no script can say: every ciphertext into the table of its day.

    Some at a time, each removed where it was: one statement over all of them would have to keep
    every page that it changes until its end, and the file would be as long again.
    """
    last = 0
    while rows := db.execute(_BEFORE, (last, BROUGHT)).fetchall():
        _append(db, [(day, seq, ciphertext) for seq, day, ciphertext in rows])
        first, last = last, rows[-1][0]
        db.execute("DELETE FROM body_before WHERE seq <= ?", (last,))
        db.execute("UPDATE stanza SET day = due_day WHERE seq > ? AND seq <= ?", (first, last))
    db.execute("DROP TABLE body_before")
