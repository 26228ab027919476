"""What each session and each attachment looks for costs the same, however much was accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from saphan.node import recovery
from saphan.node.files.parts import WAITING, next_missing
from saphan.node.officers.showings import LISTED, Showings
from saphan.node.rows.db import Database
from saphan_protocol.delivery import State
from saphan_schemas.limits import DAY_MS

BEFORE = 1_000
STEP = 100
"""Instructions of SQLite between two calls of the handler that counts."""


def keep(db: Database, number: int, state: str, code: str | None, stage: int) -> None:
    name = number.to_bytes(32)
    wrapped = name if state == "accepted" else None
    with db.transaction() as tx:
        tx.execute(
            "INSERT INTO bulletins (seq, id, sender, nonce, header, header_id, digest, wrapped,"
            " wrap_day, stored) VALUES (?1, ?2, 'la.ospp', ?2, ?2, ?2, ?2, ?3, 1, 1)",
            (number, name, wrapped),
        )
        tx.execute("INSERT INTO bodies VALUES (?, ?)", (number, name))
        tx.execute(
            "INSERT INTO deliveries (bulletin, recipient, sender, state, code, changed)"
            " VALUES (?, 'kh.gpo', 'la.ospp', ?, ?, 1)",
            (name, state, code),
        )
        tx.execute("INSERT INTO parts VALUES (?, 1, 6, ?, ?)", (name, name, stage))


SEARCHES: dict[str, Callable[[Database], list[object]]] = {
    "parts to fetch": lambda db: [one.bulletin for one in next_missing(db, "kh.gpo")],
    "stanzas to fetch": lambda db: [row[0] for row in db.rows(recovery._CLOSED, ("kh.gpo",))],
}


def test_old_bulletins_cost_nothing(tmp_path: Path) -> None:
    db = Database(tmp_path)
    keep(db, 1, "submitted", WAITING, 0)
    keep(db, 2, "handed_over", None, 1)
    found = {"parts to fetch": 1, "stanzas to fetch": 2}
    spent = {name: steps(db, name, found[name]) for name in SEARCHES}
    for number in range(3, BEFORE):
        keep(db, number, "accepted", None, 1)
    for name in SEARCHES:
        assert steps(db, name, found[name]) <= spent[name] + 2, name
    db.close()


FETCHED = {"handed_over", "unanswered", "accepted", "read"}
"""What a node has handed over it fetches after a loss: parts, and the stanza."""


@pytest.mark.parametrize(("name", "stage"), [("parts to fetch", 0), ("stanzas to fetch", 1)])
def test_what_was_handed_over_is_fetched_again_whatever_became_of_it(
    tmp_path: Path, name: str, stage: int
) -> None:
    db = Database(tmp_path)
    for number, state in enumerate(State, 1):
        keep(db, number, state.value, None, stage)
    with db.transaction() as tx:
        tx.execute("UPDATE bulletins SET wrapped = NULL")
    found = SEARCHES[name](db)
    rows = db.rows("SELECT bulletin, state FROM deliveries")
    states: dict[object, str] = dict(rows)
    assert {states[one] for one in found} == FETCHED
    db.close()


def steps(db: Database, name: str, found: int) -> int:
    """Hundreds of instructions that a search takes; it finds what it must."""

    def look() -> None:
        assert SEARCHES[name](db) == [found.to_bytes(32)]

    return counted(db, look)


def test_old_showings_cost_nothing(tmp_path: Path) -> None:
    """An officer lists the same bulletins for years; one more look at them costs the same."""
    db = Database(tmp_path)
    days = 2_000
    showings = Showings(db, lambda: DAY_MS)
    bulletin = (1).to_bytes(32)

    def look() -> None:
        showings.note("dao", LISTED, [bulletin])
        assert not showings.has_read("dao", bulletin)
        showings.rows(10**6, 5, handle="dao")
        showings.rows(10**6, 5, bulletins=[bulletin])

    look()
    spent = counted(db, look)
    with db.transaction() as tx:
        tx.executemany(
            "INSERT INTO showings (bulletin, handle, kind, day, time) VALUES (?, ?, ?, ?, 1)",
            [(bulletin, "dao", LISTED, one) for one in range(2, days)],
        )
    assert counted(db, look) <= spent + 2
    db.close()


def counted(db: Database, look: Callable[[], None]) -> int:
    """Hundreds of instructions that reading takes."""
    count = [0]

    def one() -> int:
        count[0] += 1
        return 0

    db._reader.set_progress_handler(one, STEP)
    try:
        look()
    finally:
        db._reader.set_progress_handler(None, 0)
    return count[0]
