"""A correction on the page: whose text is struck through, and what has taken whose place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan.desk.desk import Desk, number_name
from saphan.desk.inbox import Inbox, Opened
from saphan.desk.store import Shelf
from saphan.showing.comparing import left_out
from saphan.showing.document import document
from saphan.web.inbox.rows import Rows
from saphan.web.reading.found import look
from saphan.web.reading.sheet import sheet, stands
from saphan.web.rendering.environment import environment
from saphan_schemas.codec import encode
from saphan_schemas.messages import text
from saphan_schemas.samples import sample, schema_of
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
    return " ".join(text.text for was in shown["was"].values() if was for text in was.values)


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


def test_what_was_left_out_says_of_which_part_it_was_and_reads_as_it_stood() -> None:
    content, schema = sample("asset_lead"), schema_of("asset_lead")
    before = document(schema, None, content, "en")
    after = document(schema, None, {"about": content["about"], "body": {}}, "en")
    gone = left_out(before, after)
    valued = next(one for one in gone if one.item.kind == "day")
    assert (valued.within, valued.item.name) == (("Assets", "Value"), "As of")

    def say(key: str, **values: object) -> str:
        return text(key, "en", **values)

    page = "{% import 'reading/parts.html' as parts with context %}{{ parts.left_out() }}"
    shown = environment().from_string(page).render(gone=(valued,), lang="en", say=say, now=0)
    assert "Assets › Value › As of" in shown
    assert valued.item.values[0].text not in shown  # an ISO day, where a page says it in words


def test_a_desk_without_a_page_is_not_misled_by_an_older_row_either(desk: Desk) -> None:
    """`saphan read` looks in the store alone."""
    first, newer = told(1, "drug_seizure", 1), "ab" * 32
    lives(desk, first, replaced_by=[newer])
    listed(desk, row(1, id=first.id, replaced_by=[]))
    assert Inbox(desk).standing(first.id)["replaced_by"] == [newer]


def test_a_reading_by_a_system_is_told_as_such_in_the_list_of_deliveries(desk: Desk) -> None:
    one = told(1, "drug_seizure", 1)
    opened(desk, one, OLD)
    lives(desk, one, deliveries=[{"recipient": "kh.gpo", "state": "read", "code": "system"}])
    found = look(desk, one.id, None)
    assert found is not None
    said = sheet(desk, found, Rows(), "en")["deliveries"]
    assert said == [("kh.gpo", text("sheet.read_system", "en"), "")]
