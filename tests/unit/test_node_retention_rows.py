"""Rows of retention: made for every bulletin, of older stores too; days only come nearer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from saphan.node.retention.keeping import Keeping, erased_among, is_sealed, sealed_among
from saphan.node.rows.db import Database
from saphan.node.rows.schema import APPLICATION_ID, SCHEMA, UPGRADES

ONE, OTHER = b"\x01" * 32, b"\x02" * 32
INSERT = (
    "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrapped, wrap_day,"
    " stored) VALUES (?1, 'la.ospp', ?1, x'', x'', x'', ?2, 100, 0)"
)


@pytest.fixture
def db(tmp_path: Path) -> Database:
    made = Database(tmp_path)
    with made.transaction() as tx:
        tx.execute(INSERT, (ONE, b"key"))
        tx.execute(INSERT, (OTHER, None))
    return made


def days(db: Database) -> list[tuple[object, ...]]:
    return db.rows("SELECT day, rule FROM retention ORDER BY seq")


def test_an_older_store_gets_a_row_for_each_bulletin(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "node.db")) as old:
        older = "".join(UPGRADES[number] for number in range(2, 6))
        old.executescript(f"{SCHEMA}{older} PRAGMA application_id = {APPLICATION_ID};")
        old.execute("PRAGMA user_version = 5")
        old.execute(INSERT, (ONE, b"key"))
        read = "INSERT INTO readings (bulletin, reader, handle, time) VALUES (?, ?, ?, 7)"
        old.executemany(read, [(ONE, OTHER, "dao"), (ONE, b"system", None)])
        old.commit()
    with closing(Database(tmp_path)) as db:
        # Who read it at a desk has it there: the desk is told when it is to go.
        copies = db.rows("SELECT bulletin, key, handle, given, told, erasure FROM desk_copies")
        assert copies == [(ONE, OTHER, "dao", 7, None, None)]
        assert days(db) == [(100, "due")]
        assert db.rows("SELECT reckoned, state FROM retention") == [(None, "active")]


def test_what_cannot_be_opened_waits_for_no_reckoning_until_it_can(db: Database) -> None:
    assert db.rows("SELECT reckoned FROM retention ORDER BY seq") == [(None,), (b"",)]
    with db.transaction() as tx:
        tx.execute("UPDATE bulletins SET wrapped = x'01' WHERE id = ?", (OTHER,))
    assert db.rows("SELECT reckoned FROM retention ORDER BY seq") == [(None,), (None,)]


def test_a_day_only_comes_nearer(db: Database) -> None:
    with db.transaction() as tx:
        assert not Keeping.bring_forward(tx, ONE, 100, "closed")
        assert Keeping.bring_forward(tx, ONE, 50, "closed")
        assert not Keeping.bring_forward(tx, ONE, 60, "review")
        assert Keeping.bring_forward(tx, ONE, 40, "order")
        assert not Keeping.bring_forward(tx, b"\x03" * 32, 1, "order")
    assert days(db) == [(40, "order"), (100, "due")]


def test_what_names_another_one_has_its_days_reckoned_again(db: Database) -> None:
    with db.transaction() as tx:
        tx.execute("UPDATE retention SET reckoned = x'01'")
        tx.execute("INSERT INTO relations VALUES (2, 0, 'in_reply_to', ?)", (ONE,))
    assert db.rows("SELECT reckoned FROM retention ORDER BY seq") == [(None,), (None,)]


def test_sealed_is_said_with_its_word_until_it_is_erased(db: Database) -> None:
    with db.transaction() as tx:
        assert Keeping.seal(tx, ONE, "recalled")
        assert not Keeping.seal(tx, ONE, "other")
    assert sealed_among(db, [ONE, OTHER]) == {ONE: "recalled"}
    with db.transaction() as tx:
        tx.execute("UPDATE retention SET erased = 1, rule = 'recalled' WHERE seq = 1")
    assert not is_sealed(db, ONE)
    assert erased_among(db, [ONE, OTHER]) == {ONE: "recalled"}
    with db.transaction() as tx:
        assert not Keeping.bring_forward(tx, ONE, 1, "order")
        Keeping.unseal(tx, ONE)
