"""A desk that was used for years, and one that two programs use at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from saphan.attaching import measure
from saphan.desk.desk import Desk, number_name
from saphan.desk.drafts import Drafts, Written
from saphan.desk.files import Files, upload_name
from saphan.desk.inbox import Inbox
from saphan.desk.listed import Listed
from saphan.desk.outbox import Outbox
from saphan.desk.store import DeskStore, Shelf
from saphan_schemas.errors import InvalidInput
from support.bare_desk import bare_desk, row
from support.bridge import LA
from support.desk_letters import letter


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with bare_desk(tmp_path) as made:
        yield made


def test_a_page_opens_no_row_that_is_not_in_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weeks of pages over thousands of rows: the rows are opened once, not once a page."""
    inbox = Inbox(desk)
    with desk.store.transaction():
        for seq in range(1, 1_001):
            desk.store.put(Shelf.INBOX, number_name(seq), msgspec.json.encode(row(seq)))
    listed = Listed()
    assert listed.refresh(desk.store)
    kept = {one["seq"]: one for one in inbox.rows()}
    opened: list[int] = []
    really = DeskStore._open

    def count(
        store: DeskStore, shelf: Shelf, place: bytes, sealed: bytes, day: int | None
    ) -> tuple[bytes, bytes] | None:
        opened.append(shelf)
        return really(store, shelf, place, sealed, day)

    monkeypatch.setattr(DeskStore, "_open", count)
    new = [row(seq) for seq in range(1_001, 1_101)]
    page = {"bulletins": new, "next": 1_100, "more": True, "rules": ""}
    inbox._keep_page(page, 1_000, listed)
    assert opened == []
    monkeypatch.undo()
    assert len(inbox.rows()) == 1_100
    # What the rules show no longer goes away with the page that lacks it.
    page = {"bulletins": [kept[7] | {"read": True}], "next": 10, "more": True, "rules": "other"}
    listed.refresh(desk.store)
    inbox._keep_page(page, 0, listed)
    assert [one["seq"] for one in inbox.rows()][:3] == [7, 11, 12]


def test_what_was_sent_keeps_no_second_copy(desk: Desk) -> None:
    outbox = Outbox(desk)
    for _ in range(3):
        outbox.queue(letter(LA), {})
    first, *waiting = outbox.waiting()
    outbox._sent(first, bytes(32))
    (kept,) = outbox.some([first.number])
    assert (kept.bulletin, kept.content, kept.inner) == (bytes(32), b"", b"")
    assert (kept.written, kept.shown) == (first.written, first.shown)
    assert outbox.waiting() == waiting
    assert outbox.waits(waiting[0].number)
    assert not outbox.waits(first.number)
    assert not outbox.waits(99)


def test_two_programs_send_a_draft_once(desk: Desk) -> None:
    """Both have read the draft; the slower one finds it gone, and signs nothing into the outbox."""
    outbox = Outbox(desk)
    with desk.store.transaction():
        draft = Drafts(desk).add(letter(LA))
    outbox.queue(draft.written, {}, draft.number)
    with pytest.raises(InvalidInput, match="draft_unknown"):
        outbox.queue(draft.written, {}, draft.number)
    assert len(outbox.all()) == 1


def test_what_was_sent_meanwhile_is_not_taken_back(desk: Desk) -> None:
    outbox = Outbox(desk)
    one = outbox.queue(letter(LA), {})
    outbox._change(msgspec.structs.replace(one, asked=True))
    with pytest.raises(InvalidInput, match="queued_asked"):
        outbox.withdraw(one.number)
    outbox._sent(one, bytes(32))
    with pytest.raises(InvalidInput, match="queued_unknown"):
        outbox.withdraw(one.number)
    assert Drafts(desk).all() == []


def test_a_file_that_another_program_sent_away_is_missed_at_once(
    desk: Desk, tmp_path: Path
) -> None:
    """Not weeks later, when the bulletin is to be sent without it."""
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(40_000))
    outbox, files = Outbox(desk), Files(desk)
    (file,) = files.attach([measure(path, "lab_report")])
    written = Written(letter(LA).data, (LA,), (file,))
    outbox.drop_unused(written)
    with pytest.raises(InvalidInput, match="attachment_missing"):
        outbox.queue(written, {})
    assert outbox.all() == []
    files.take(path, file.blob)
    one = outbox.queue(written, {})
    outbox.drop_unused(written)  # it is needed now
    assert files.has(upload_name(file.blob), file.blob)
    outbox._sent(one, bytes(32))
    assert desk.store.parts(upload_name(file.blob)) == 0


@pytest.mark.parametrize("text", ["", "a", "ab12cd3", "AB12CD34", "../../..", "g" * 8, "a" * 65])
def test_the_beginning_of_an_id_has_eight_digits(desk: Desk, text: str) -> None:
    inbox = Inbox(desk)
    inbox.keep({"id": "ab12cd34" * 8, "header": row(1)})
    with pytest.raises(InvalidInput, match="id_malformed"):
        inbox.opened(text)
    found = inbox.opened("ab12cd34")
    assert found is not None
    assert inbox.opened("ab12cd34" * 8) == found
    assert inbox.opened("00000000") is None


def test_ids_that_begin_alike_are_told_apart(desk: Desk) -> None:
    inbox = Inbox(desk)
    for end in ("0", "1"):
        inbox.keep({"id": end.rjust(64, "a"), "header": row(1)})
    with pytest.raises(InvalidInput, match="id_ambiguous"):
        inbox.opened("a" * 8)
    assert inbox.opened("1".rjust(64, "a")) is not None
