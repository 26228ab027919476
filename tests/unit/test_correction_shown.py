"""A correction on the page: whose text is struck through, and what has taken whose place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan.desk.desk import Desk, number_name
from saphan.desk.inbox import Opened
from saphan.desk.store import Shelf
from saphan.web.inbox.rows import Rows
from saphan.web.reading.found import look
from saphan.web.reading.sheet import sheet, stands
from saphan_schemas.codec import encode
from saphan_schemas.samples import sample
from support.bare_desk import bare_desk, row
from support.told_desk import Told, told

Json = dict[str, Any]
OLD, NEW = "First text.", "Second text."


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bare_desk(tmp_path) as made:
        yield made


def opened(desk: Desk, one: Told, narrative: str, *replaces: str) -> None:
    content = sample("drug_seizure")
    named = [{"kind": "corrects", "bulletin_id": bulletin} for bulletin in replaces]
    about = content["about"] | {"relations": named}
    body = content["body"] | {"narrative": {"en": narrative}}
    said = one.content | {"content": {"about": about, "body": body}}
    put(desk, Shelf.OPENED, one, encode(Opened(msgspec.json.encode(said), 1)))


def lives(desk: Desk, one: Told, **said: object) -> None:
    life = {
        "id": one.id, "direction": "received", "author": "khamla", "header": one.content["header"],
        "deliveries": [], "attachments": [], "timeline": [],
    } | said  # fmt: skip
    put(desk, Shelf.STATUS, one, encode(Opened(msgspec.json.encode(life), 1)))


def put(desk: Desk, shelf: Shelf, one: Told, value: bytes) -> None:
    with desk.store.transaction():
        desk.store.put(shelf, bytes.fromhex(one.id), value, one.row["retain_until"])


def struck(desk: Desk, one: Told) -> str:
    """Earlier texts that the page of it strikes through."""
    found = look(desk, one.id, None)
    assert found is not None
    shown = sheet(desk, found, Rows(), "en")
    return " ".join(text.text for texts in shown["was"].values() for text in texts)


@pytest.mark.parametrize(
    ("fields", "counts"),
    [({}, True), ({"sender": "vn.vks"}, False), ({"exercise": False}, False)],
)
def test_only_its_own_sender_corrects_a_bulletin(desk: Desk, fields: Json, *, counts: bool) -> None:
    first, second = told(1, "drug_seizure", 1), told(2, "drug_seizure", 1, **fields)
    opened(desk, first, OLD)
    opened(desk, second, NEW, first.id)
    assert (OLD in struck(desk, second)) is counts


@pytest.mark.parametrize(
    ("stands_as", "counts"),
    [("holds", True), ("misses", True), ("foreign", False), ("not_held", False)],
)
def test_a_correction_that_the_node_does_not_let_stand_strikes_nothing(
    desk: Desk, stands_as: str, *, counts: bool
) -> None:
    first, second = told(1, "drug_seizure", 1), told(2, "drug_seizure", 1)
    opened(desk, first, OLD)
    opened(desk, second, NEW, first.id)
    lives(desk, second, relations=[{"kind": "corrects", "id": first.id, "stands": stands_as}])
    assert (OLD in struck(desk, second)) is counts


def listed(desk: Desk, *rows: Json) -> Rows:
    with desk.store.transaction():
        for one in rows:
            name, value = number_name(one["seq"]), msgspec.json.encode(one)
            desk.store.put(Shelf.INBOX, name, value, one["retain_until"])
    seen = Rows()
    seen.load(desk)
    return seen


def test_what_the_life_has_just_said_is_not_hidden_by_an_older_row(desk: Desk) -> None:
    first, newer, newest = told(1, "drug_seizure", 1), "ab" * 32, "cd" * 32
    lives(desk, first, replaced_by=[newer, newest])
    for by, all_of_them in (([], [newer, newest]), ([newer], [newer, newest])):
        rows = listed(desk, row(1, id=first.id, replaced_by=by))
        found = look(desk, first.id, rows.get(first.id))
        assert found is not None
        assert found.standing["replaced_by"] == all_of_them
        assert not stands(found)


def test_what_was_taken_back_since_takes_no_place(desk: Desk) -> None:
    first, newer = told(1, "drug_seizure", 1), told(2, "drug_seizure", 1)
    lives(desk, first, replaced_by=[newer.id])
    rows = listed(desk, row(1, id=first.id), row(2, id=newer.id, recalled="error"))
    found = look(desk, first.id, rows.get(first.id))
    assert found is not None
    assert found.standing["replaced_by"] == []
    assert stands(found)
