"""What is searched in of a bulletin: made of all that it says, kept with it, gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saphan.desk.desk import Desk, number_name
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import Keeping
from saphan.desk.outbox import Outbox
from saphan.desk.searchable import BETWEEN, Searchable, of_opened, read_searchable
from saphan.desk.store import Shelf
from saphan.folding.searching import asked_words, sound
from saphan_schemas.codec import encode
from saphan_schemas.limits import LIMITS
from saphan_schemas.samples import SAMPLES, wish
from support.bare_desk import bare_desk, row
from support.desk_letters import letter


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bare_desk(tmp_path) as made:
        yield made


def content(sample: str = "drug_seizure", **fields: object) -> dict[str, Any]:
    """As the node gives it."""
    said, header = wish(sample), row(1, schema=f"saphan/{sample}/1", **fields)
    return {
        "id": header["id"], "header": header, "author": "bounmy",
        "content": {"about": said["about"], "body": said["body"]}, "attachments": [],
    }  # fmt: skip


def kept(desk: Desk, name: bytes) -> Searchable | None:
    value = desk.store.get(Shelf.SEARCH, name)
    return None if value is None else read_searchable(value)


@pytest.mark.parametrize(
    "asked",
    [
        "ສົມພອນ ຕົວຢາງ",  # a person, without the tone mark
        "tuayang",
        "ໜອງນົກຂຽນ",
        "ຫນອງນົກຂຽນ",
        "ណងណុក",
        "ກຂ 0000",
        "ກຂ໐໐໐໐",
        "LA-OSPP-2025-SZ-0031",
        "3,240.5",
        "bounmy",
    ],
)
def test_whatever_a_bulletin_says_is_searched_in(asked: str) -> None:
    text = of_opened(content()).text
    assert asked_words(asked)
    assert all(word in text for word in asked_words(asked))


def test_no_word_reaches_from_one_field_into_the_next() -> None:
    one = content()
    one["content"]["body"] = {"a": "ກກ", "b": "ຂຂ", "c": {"d": ["ກກ"]}}
    text = of_opened(one).text
    assert "ກກຂຂ" not in text
    assert text.split(BETWEEN).count("ກກ") == 1


def test_names_are_kept_by_their_sound_and_replies_by_what_they_answer() -> None:
    reply = content("info_reply")
    for outcome, answers in (("interim", ()), ("full", ("5a" * 32,))):
        reply["content"]["body"]["outcome"] = outcome
        assert of_opened(reply).answers == answers
    assert sound("Somphon") in of_opened(content()).sounds
    assert dict(of_opened(content()).title)["en"] == "Drug case report"


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_fits(sample: str) -> None:
    made = of_opened(content(sample))
    assert read_searchable(encode(made)) == made
    assert 0 < len(made.text) < 20_000


def test_a_letter_that_folds_into_eighteen_is_bounded() -> None:
    one = content()
    one["content"]["body"] = {"text": ["\ufdfa" * 20_000, "\ufdfa" * 20_000]}
    assert len(of_opened(one).text) <= LIMITS.desk_search_chars


def test_what_is_opened_is_searched_in_and_goes_with_it(desk: Desk) -> None:
    one = content()
    name = bytes.fromhex(one["id"])
    Inbox(desk).keep(one)
    assert kept(desk, name) == of_opened(one)
    Keeping(desk).erase([name])
    assert kept(desk, name) is None


def test_what_is_queued_is_searched_in_until_it_is_a_draft_again(desk: Desk) -> None:
    outbox = Outbox(desk)
    number = outbox.queue(letter("la.ospp"), {}).number
    found = kept(desk, number_name(number))
    assert found is not None
    assert found.recipients == ("la.ospp",)
    assert "ສົມພອນ" in found.text
    outbox.withdraw(number)
    assert kept(desk, number_name(number)) is None


def test_what_was_sent_goes_with_its_bulletin(desk: Desk) -> None:
    outbox = Outbox(desk)
    queued = outbox.queue(letter("la.ospp"), {})
    name, bulletin = number_name(queued.number), bytes(32)
    outbox._sent(queued, bulletin)
    before = kept(desk, name)
    assert before is not None
    copy = {"id": bulletin.hex(), "day": 30_000, "held": True, "sealed": False, "gone": False}
    Keeping(desk).told([copy], None)  # sealed anew under another day's key
    assert kept(desk, name) == before
    Keeping(desk).erase([bulletin])
    assert kept(desk, name) is None


def test_the_store_shows_nothing_of_it(desk: Desk, tmp_path: Path) -> None:
    Inbox(desk).keep(content())
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for word in ("ສົມພອນ", "tuayang", "0031"):
        assert not any(word.encode() in data for data in files)
    assert sum(map(len, files)) > 10_000
