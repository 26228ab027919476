"""The inbox in memory: rows are opened once, and what another program writes is seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan.desk.desk import Desk, number_name
from saphan.desk.inbox import Inbox
from saphan.desk.listed import Listed
from saphan.desk.store import DeskStore, Shelf
from saphan.keys.keyfiles import new_key
from saphan.web.inbox.rows import Rows
from saphan_schemas.records import Role
from support.bare_desk import bare_desk, row


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bare_desk(tmp_path) as made:
        yield made


def keep(desk: Desk, *rows: dict[str, Any]) -> None:
    with desk.store.transaction():
        for one in rows:
            desk.store.put(Shelf.INBOX, number_name(one["seq"]), msgspec.json.encode(one), 21_000)


def test_a_second_look_opens_only_what_was_written_since(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(seq) for seq in range(1, 301)]
    keep(desk, *rows)
    listed = Listed()
    assert listed.refresh(desk.store)
    assert [one.id for one in listed.in_order()] == [one["id"] for one in rows]
    opened: list[bytes] = []
    really = DeskStore._open

    def count(
        store: DeskStore, shelf: Shelf, place: bytes, sealed: bytes, day: int | None
    ) -> tuple[bytes, bytes] | None:
        opened.append(place)
        return really(store, shelf, place, sealed, day)

    monkeypatch.setattr(DeskStore, "_open", count)
    assert not listed.refresh(desk.store)
    assert opened == []
    keep(desk, rows[6] | {"read": True}, row(301))
    assert listed.refresh(desk.store)
    assert len(opened) == 2
    assert listed.rows[7].read
    assert len(listed.ids) == 301


def test_rows_that_another_program_wrote_or_took_away_are_seen(tmp_path: Path) -> None:
    key = new_key(Role.OFFICER, "dao")
    with bare_desk(tmp_path, key) as mine, bare_desk(tmp_path, key) as other:
        first, second = row(1), row(2)
        keep(mine, first, second)
        listed = Listed()
        listed.refresh(mine.store)
        other.store.remove(Shelf.INBOX, number_name(2))
        third = row(3)
        keep(other, third)  # it is given the number of the row that went
        assert listed.refresh(mine.store)
        assert [one.id for one in listed.in_order()] == [first["id"], third["id"]]
        assert listed.ids == {first["id"], third["id"]}


def test_what_was_opened_and_what_was_taken_back_is_told(desk: Desk) -> None:
    old, new = row(1), row(2)
    keep(desk, old | {"replaced_by": [new["id"]]}, new)
    listed = Listed()
    listed.refresh(desk.store)
    assert (listed.rows[1].replaced_by, listed.rows[1].opened) == ([new["id"]], False)
    Inbox(desk).keep({"id": old["id"], "header": old})
    assert listed.refresh(desk.store)
    assert listed.rows[1].opened
    keep(desk, new | {"recalled": "error"})
    listed.refresh(desk.store)
    assert listed.rows[1].replaced_by == []


def test_a_whole_id_opens_one_row(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox(desk)
    rows = [row(seq) for seq in range(1, 51)]
    for one in rows:
        inbox.keep({"id": one["id"], "header": one})
    monkeypatch.setattr(DeskStore, "each", None)  # a walk over a shelf would fail
    found = inbox.opened(rows[20]["id"])
    assert found is not None
    assert found["header"] == rows[20]


def test_what_the_line_saw_first_is_in_the_list_too(desk: Desk) -> None:
    rows = Rows()
    keep(desk, one := row(1))
    assert rows.load(desk)
    keep(desk, row(2))
    assert rows.listed.refresh(desk.store)  # the line's task, before any page
    assert rows.load(desk)
    assert [line.row.seq for line in rows.lines] == [2, 1]
    desk.store.put(Shelf.OPENED, bytes.fromhex(one["id"]), b"")  # read by another program
    assert rows.listed.refresh(desk.store)
    assert rows.load(desk)
    assert [line.group for line in rows.lines] == ["routine", "seen"]
    assert not rows.load(desk)
