"""The index in memory: it follows the store, has a bound, and finds the same whatever is let go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import Keeping
from saphan.desk.searchable import read_searchable
from saphan.desk.store import DeskStore, Shelf
from saphan.web.seeking import index as seeking
from saphan.web.seeking.excerpts import CHUNK, WIDE, Looked, excerpts, whole
from saphan.web.seeking.finding import find
from saphan.web.seeking.index import SearchIndex
from saphan.web.seeking.question import Filters, question
from saphan_schemas.codec import encode
from saphan_schemas.samples import wish
from support.bare_desk import bare_desk, row

NONE = Looked((), frozenset())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bare_desk(tmp_path) as made:
        yield made


def read(desk: Desk, title: str, **fields: Any) -> bytes:
    """A bulletin that was opened here; its id."""
    header = row(1, **({"retain_until": 30_000} | fields))
    said = wish("case_statistics")
    said["about"]["title"] = {"en": title}
    Inbox(desk).keep({
        "id": header["id"], "header": header, "author": "bounmy", "attachments": [],
        "content": {"about": said["about"], "body": said["body"]},
    })  # fmt: skip
    return bytes.fromhex(header["id"])


def loaded(desk: Desk, index: SearchIndex | None = None) -> SearchIndex:
    index = index or SearchIndex()
    while not index.load(desk):
        pass
    return index


def found(desk: Desk, index: SearchIndex, text: str) -> set[bytes]:
    return {hit.key[1] for hit in find(desk, index, (), question(text))}


def test_texts_beyond_the_bound_are_read_from_the_store(desk: Desk) -> None:
    names = [f"zz{first}{second}q" for first in "abcde" for second in "abcdef"]
    made = {name: read(desk, name, created=at) for at, name in enumerate(names)}
    large, small = loaded(desk), loaded(desk, SearchIndex(memory=10_000))
    held = [one for one in small.entries(desk) if one.text is not None]
    assert 0 < sum(one.size for one in held) <= 10_000
    assert min(one.created for one in held) > 0  # the oldest are let go first
    for name in (names[0], names[7], names[29]):
        assert found(desk, small, name) == {made[name]}
        assert found(desk, large, name) == {made[name]}
    read(desk, "zzffq", created=99)
    assert len(found(desk, loaded(desk, small), "zzffq")) == 1


def test_slices_bring_everything(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "SLICE", 4)
    monkeypatch.setattr(seeking, "FOLDED", 3)
    made = [read(desk, f"number {number}") for number in range(11)]
    for name in made[:7]:
        desk.store.remove(Shelf.SEARCH, name)
    index = SearchIndex()
    assert not index.load(desk)
    assert found(desk, loaded(desk, index), "number") == set(made)
    assert all(desk.store.has(Shelf.SEARCH, name) for name in made)


def test_another_program_of_the_desk_is_followed(desk: Desk, tmp_path: Path) -> None:
    index = loaded(desk)
    other: DeskStore = desk.store.another()
    try:
        beside = Desk(desk.me, desk.key, other, desk.clock)
        name = read(beside, "Khamla was seen")
        assert found(desk, loaded(desk, index), "khamla") == {name}
        Keeping(beside).erase([name])
        assert found(desk, loaded(desk, index), "khamla") == set()
    finally:
        other.close()


def test_what_an_older_release_folded_is_folded_again(desk: Desk) -> None:
    name = read(desk, "Khamla was seen")
    value = desk.store.get(Shelf.SEARCH, name)
    assert value is not None
    made = read_searchable(value)
    assert made is not None
    old = encode(msgspec.structs.replace(made, folded_by=0, text="another folding"))
    for row_of_then in (old, encode([1, "a", "record", "of", "fewer", "fields"])):
        desk.store.put(Shelf.SEARCH, name, row_of_then, 30_000)
        index = loaded(desk)
        assert found(desk, index, "khamla") == {name}
        assert found(desk, index, "folding") == set()
        assert desk.store.get(Shelf.SEARCH, name) == value


def test_what_has_no_source_any_more_goes_from_the_shelf(desk: Desk) -> None:
    name = read(desk, "Khamla was seen")
    desk.store.remove(Shelf.OPENED, name)
    assert found(desk, loaded(desk), "khamla") == set()
    assert not desk.store.has(Shelf.SEARCH, name)


def test_filters_of_agencies_are_those_that_there_are(desk: Desk) -> None:
    name = read(desk, "one", sender="th.oncb")
    read(desk, "two")
    index = loaded(desk)
    assert {sender for _, sender, _ in index.heads()} == {"la.ospp", "th.oncb"}
    assert len(find(desk, index, (), question("", Filters(agency="th.oncb")))) == 1
    Keeping(desk).erase([name])
    assert {sender for _, sender, _ in loaded(desk, index).heads()} == {"la.ospp"}


def looked(text: str) -> Looked:
    asked = question(text)
    return Looked(asked.words, frozenset(group.sound for group in asked.groups if group.sound))


@pytest.mark.parametrize("start", [0, 50, CHUNK - 10, CHUNK + 200])
def test_an_excerpt_is_short_whole_letters_around_what_was_found(start: int) -> None:
    filler = "ទី្រន្ត" * (start // 7 + 1)
    text = f"{filler} ស្រ្តី {'ກຳ' * 500}"
    [one] = excerpts([("/a", "nothing here"), ("/b", text)], looked("ស្ត្រី"), 3)
    assert [piece.text for piece in one.pieces if piece.found] == ["ស្រ្តី"]
    shown = "".join(piece.text for piece in one.pieces)
    assert shown in text
    assert len(shown) < WIDE + 20
    assert not one.ends
    assert one.place == "/b"
    assert shown[0] in "ទនស "  # never a mark, never what stands below


def test_hits_that_touch_are_one_and_a_title_is_shown_without_any() -> None:
    [one] = excerpts([("", "somsaksomsak sak")], looked("somsak sak"), 3)
    assert [piece.text for piece in one.pieces if piece.found] == ["somsaksomsak", "sak"]
    title = whole("x" * 300, "en", NONE, 200)
    assert not title.ends
    assert [piece.found for piece in title.pieces] == [False]


def test_a_long_bulletin_is_not_looked_through_for_ever() -> None:
    texts = (("", f"{number} " + "a" * 1_000) for number in range(1_000_000))
    assert excerpts(texts, looked("zzz"), 3) == []
