"""The node's store: one at a time, all or nothing, never a newer or a foreign one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from saphan.node.rows.db import Database
from saphan.node.rows.schema import APPLICATION_ID, FORMAT, SCHEMA
from saphan_schemas.errors import OperatorError

PUT = "INSERT INTO facts VALUES ('a', x'01')"
COUNT = "SELECT count(*) FROM facts"


def test_a_transaction_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    db = Database(tmp_path)
    with pytest.raises(OperatorError, match="store_damaged"), db.transaction() as tx:
        tx.execute(f"{PUT}, ('a', x'02')")  # the second row breaks the first one's name
    assert db.row(COUNT) == (0,)
    with db.transaction() as tx:
        tx.execute(PUT)
    db.close()
    db = Database(tmp_path)
    assert db.row(COUNT) == (1,)
    db.close()


def test_every_commit_reaches_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    db = Database(tmp_path)
    with db.transaction() as tx:
        assert tx.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert tx.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_a_second_node_on_the_directory_is_refused(tmp_path: Path) -> None:
    db = Database(tmp_path)
    with pytest.raises(OperatorError, match="node_locked"):
        Database(tmp_path)
    db.close()
    Database(tmp_path).close()


def test_a_newer_format_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    Database(tmp_path).close()
    with sqlite3.connect(tmp_path / "node.db") as other:
        other.execute(f"PRAGMA user_version = {FORMAT + 1}")
    other.close()
    before = (tmp_path / "node.db").read_bytes()
    with pytest.raises(OperatorError, match="store_newer"):
        Database(tmp_path)
    assert (tmp_path / "node.db").read_bytes() == before


def test_a_store_of_an_older_release_is_brought_up_and_keeps_what_it_has(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "node.db") as old:
        old.executescript(
            f"{SCHEMA}{PUT}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
        )
    old.close()
    for _ in range(2):
        db = Database(tmp_path)
        assert db.row("PRAGMA user_version") == (FORMAT,)
        assert db.row(COUNT) == (1,)
        assert db.rows("SELECT * FROM parts") == []
        db.close()


def test_what_an_older_release_knew_as_read_is_read(tmp_path: Path) -> None:
    """It had no such state: the entries say it. By (bulletin, recipient): an answer of one of two
    recipients is none of the other's."""
    entries = [(1, b"a", "read", "kh.gpo"), (2, b"b", "accepted", "kh.gpo")]
    deliveries = [(b"a", "kh.gpo"), (b"a", "th.oncb"), (b"b", "kh.gpo")]
    with sqlite3.connect(tmp_path / "node.db") as old:
        old.executescript(
            f"{SCHEMA}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
        )
        old.executemany(
            "INSERT INTO entries VALUES (?, ?, ?, 0, 'la.ospp', ?, '', NULL, x'', x'', x'', NULL,"
            " NULL, 0, x'')",
            entries,
        )
        old.executemany(
            "INSERT INTO deliveries (bulletin, recipient, sender, state, changed, attempts)"
            " VALUES (?, ?, 'la.ospp', 'accepted', 0, 1)",
            deliveries,
        )
    old.close()
    db = Database(tmp_path)
    rows = db.rows("SELECT state FROM deliveries ORDER BY bulletin, recipient")
    assert rows == [("read",), ("accepted",), ("accepted",)]
    db.close()


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "node.db") as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(OperatorError, match="store_foreign"):
        Database(tmp_path)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"not a database" * 100)
    with pytest.raises(OperatorError, match="store_damaged"):
        Database(tmp_path)


def test_a_full_disk_keeps_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    db = Database(tmp_path)
    with db.transaction() as tx:
        (pages,) = tx.execute("PRAGMA page_count").fetchone()
    limit = "PRAGMA max_page_count = "
    with db.transaction() as tx:
        tx.execute(f"{limit}{pages + 2}")
    with pytest.raises(OperatorError, match="disk_full"), db.transaction() as tx:
        tx.execute("INSERT INTO facts VALUES ('b', zeroblob(1000000))")
    assert db.row(COUNT) == (0,)
    with db.transaction() as tx:
        tx.execute(f"{limit}1000000")
        tx.execute(PUT)
    assert db.row(COUNT) == (1,)
    db.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    db = Database(tmp_path)
    db.close()
    db.close()
    with pytest.raises(OperatorError, match="store_closed"):
        db.rows(COUNT)


LOOK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute("SELECT count(*) FROM facts").fetchone()[0])
db.close()
"""


def test_others_who_look_into_the_store_take_nothing_from_it(tmp_path: Path) -> None:
    """A connection of another process that closes is not the last one, so the journal stays."""
    db = Database(tmp_path / "data")
    path = tmp_path / "data" / "node.db"
    for number in range(3):
        with db.transaction() as tx:
            tx.execute("INSERT INTO facts VALUES (?, 1)", (str(number),))
        command = [sys.executable, "-c", LOOK, str(path)]
        seen = subprocess.run(command, capture_output=True, text=True, check=True)
        assert int(seen.stdout) == number + 1
    db.close()
    again = Database(tmp_path / "data")
    assert len(again.rows("SELECT 1 FROM facts")) == 3
    again.close()
