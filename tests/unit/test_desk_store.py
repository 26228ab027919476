"""What a desk keeps: sealed rows, one officer's key, nothing to be learnt from the bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saphan.desk.store import DeskStore, Shelf, store_key
from saphan_schemas.errors import OperatorError, Unavailable

KEY = store_key(bytes(range(64)), bytes(32))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DeskStore]:
    made = DeskStore(tmp_path / "desk.db", KEY)
    yield made
    made.close()


def test_keys_differ_by_seed_and_by_key_id() -> None:
    others = {store_key(bytes(64), bytes(32)), store_key(bytes(range(64)), bytes([1] * 32))}
    assert len({KEY, *others}) == 3
    assert len(KEY) == 32


def test_rows_are_found_replaced_listed_and_removed(store: DeskStore) -> None:
    store.put(Shelf.DRAFTS, b"b", b"1")
    store.put(Shelf.DRAFTS, b"a", b"2")
    store.put(Shelf.OUTBOX, b"a", b"3")
    store.put(Shelf.DRAFTS, b"b", b"4")
    assert store.all(Shelf.DRAFTS) == [(b"b", b"4"), (b"a", b"2")]
    assert store.get(Shelf.OUTBOX, b"a") == b"3"
    assert store.has(Shelf.DRAFTS, b"a")
    assert store.count(Shelf.DRAFTS) == 2
    assert store.remove(Shelf.DRAFTS, b"a")
    assert not store.remove(Shelf.DRAFTS, b"a")
    assert store.get(Shelf.DRAFTS, b"a") is None
    assert not store.has(Shelf.DRAFTS, b"a")


def half(store: DeskStore) -> None:
    """A transaction that does not come to its end."""
    with store.transaction():
        store.put(Shelf.DRAFTS, b"a", b"1")
        raise KeyError


def test_a_transaction_is_whole_or_nothing(store: DeskStore) -> None:
    with pytest.raises(KeyError):
        half(store)
    assert store.all(Shelf.DRAFTS) == []
    with store.transaction():
        store.put(Shelf.DRAFTS, b"a", b"1")
        store.put_part(b"file", 0, b"x")
    assert store.get(Shelf.DRAFTS, b"a") == b"1"
    assert store.parts(b"file") == 1


def test_parts_are_kept_in_their_places(store: DeskStore) -> None:
    for n in range(3):
        store.put_part(b"file", n, bytes([n]) * 10)
    store.put_part(b"other", 0, b"y")
    assert store.parts(b"file") == 3
    assert store.part(b"file", 2) == b"\x02" * 10
    assert store.part(b"file", 3) is None
    store.drop_parts(b"file")
    assert (store.parts(b"file"), store.parts(b"other")) == (0, 1)


def test_it_is_still_there_the_next_time(tmp_path: Path, store: DeskStore) -> None:
    store.put(Shelf.OPENED, b"a", b"1")
    store.close()
    again = DeskStore(tmp_path / "desk.db", KEY)
    assert again.get(Shelf.OPENED, b"a") == b"1"
    again.close()


def test_another_officers_key_opens_nothing(tmp_path: Path, store: DeskStore) -> None:
    store.close()
    with pytest.raises(OperatorError) as caught:
        DeskStore(tmp_path / "desk.db", store_key(bytes(64), bytes(32)))
    assert caught.value.code == "desk_key_differs"


def test_equal_rows_look_different_and_say_nothing(tmp_path: Path, store: DeskStore) -> None:
    word = b"methamphetamine tablets"
    store.put(Shelf.DRAFTS, word, word)
    store.put(Shelf.OUTBOX, word, word)
    store.put_part(word, 0, word)
    store.put_part(word, 1, word)
    with sqlite3.connect(tmp_path / "desk.db") as raw:
        rows = raw.execute("SELECT place, sealed FROM rows WHERE shelf IN (5, 6)").fetchall()
        rows += raw.execute("SELECT place, sealed FROM parts").fetchall()
    raw.close()
    assert len({sealed for _, sealed in rows}) == 4
    assert len({place for place, _ in rows}) == 3  # both parts have the place of their file
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert not any(word in data for data in files)


CHANGES = {
    "flipped": "UPDATE rows SET sealed = X'00' || substr(sealed, 2) WHERE shelf = 5",
    "cut": "UPDATE rows SET sealed = substr(sealed, 1, 20) WHERE shelf = 5",
    "empty": "UPDATE rows SET sealed = X'' WHERE shelf = 5",
    "another shelf's": "UPDATE rows SET shelf = 6 WHERE shelf = 5",
    "another row's": (
        "UPDATE rows SET sealed = (SELECT sealed FROM rows WHERE shelf = 3) WHERE shelf = 5"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_changed_row_is_said_and_not_shown(tmp_path: Path, store: DeskStore, change: str) -> None:
    store.put(Shelf.DRAFTS, b"a", b"1")
    store.put(Shelf.OPENED, b"a", b"1")
    with sqlite3.connect(tmp_path / "desk.db") as raw:
        raw.execute(change)
    raw.close()
    with pytest.raises(OperatorError) as caught:
        [store.all(shelf) for shelf in Shelf]
    assert caught.value.code == "desk_store_damaged"
    assert caught.value.hint


def test_another_program_s_file_and_a_newer_one_are_refused(
    tmp_path: Path, store: DeskStore
) -> None:
    store.close()
    for pragma, code in (
        ("user_version = 99", "desk_store_newer"),
        ("application_id = 7", "desk_store_damaged"),
    ):
        with sqlite3.connect(tmp_path / "desk.db") as raw:
            raw.execute(f"PRAGMA {pragma}")
        raw.close()
        with pytest.raises(OperatorError) as caught:
            DeskStore(tmp_path / "desk.db", KEY)
        assert caught.value.code == code
    (tmp_path / "text").write_text("no database at all" * 100)
    with pytest.raises(OperatorError, match="desk_store_damaged"):
        DeskStore(tmp_path / "text", KEY)
    with pytest.raises(OperatorError, match="file_unwritable"):
        DeskStore(tmp_path / "no" / "folder", KEY)


@given(
    rows=st.dictionaries(
        st.tuples(st.sampled_from(list(Shelf)[1:]), st.binary(max_size=40)), st.binary(max_size=80)
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_whatever_is_kept_is_found(
    store: DeskStore, rows: dict[tuple[Shelf, bytes], bytes]
) -> None:
    with store.transaction():
        for (shelf, name), value in rows.items():
            store.put(shelf, name, value)
    for (shelf, name), value in rows.items():
        assert store.get(shelf, name) == value
        assert (name, value) in store.all(shelf)
    with store.transaction():
        for shelf, name in rows:
            store.remove(shelf, name)
    assert sum(store.count(shelf) for shelf in list(Shelf)[1:]) == 0


def test_a_store_that_another_program_holds_is_not_called_damaged(
    store: DeskStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told of damage moves the file away, and with it what waits to be sent."""
    monkeypatch.setattr("saphan.desk.store.BUSY_SECONDS", 0.0)
    other = DeskStore(tmp_path / "desk.db", KEY)
    try:
        with store.transaction(), pytest.raises(Unavailable, match="desk_busy"):
            other.put(Shelf.DRAFTS, b"1", b"one")
    finally:
        other.close()


def test_a_store_that_cannot_be_written_is_not_called_damaged(store: DeskStore) -> None:
    store._db.execute("PRAGMA query_only = ON")  # as on a disk that went read-only
    with pytest.raises(OperatorError, match="file_unwritable"):
        store.put(Shelf.DRAFTS, b"1", b"one")


def test_a_day_that_ended_and_began_anew_elsewhere_is_opened_by_its_new_key(
    store: DeskStore, tmp_path: Path
) -> None:
    store.put(Shelf.OPENED, b"a", b"1", 20_000)
    other = DeskStore(tmp_path / "desk.db", KEY)
    try:
        assert other.get(Shelf.OPENED, b"a") == b"1"  # it has the day's key now
        store.remove(Shelf.OPENED, b"a")
        store.end_days()
        store.put(Shelf.OPENED, b"b", b"2", 20_000)
        assert other.get(Shelf.OPENED, b"b") == b"2"
        other.put(Shelf.OPENED, b"c", b"3", 20_000)
        assert store.all(Shelf.OPENED) == [(b"b", b"2"), (b"c", b"3")]
    finally:
        other.close()
