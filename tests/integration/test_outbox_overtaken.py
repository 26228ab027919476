"""A bulletin that is withdrawn and queued anew while its file is on the way to the node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from saphan.attaching import measure
from saphan.desk.desk import Desk
from saphan.desk.drafts import Written
from saphan.desk.files import Files
from saphan.desk.form_drafts import FormDraft, FormDrafts
from saphan.desk.outbox import Outbox
from saphan_schemas.desk_frames import AskPart, AskSend, AskUpload, DeskHeld, DeskRefusal
from saphan_schemas.errors import Refused
from support.bare_desk import bare_desk, told_by
from support.bridge import LA
from support.desk_letters import letter


@dataclass
class Overtaken:
    """The officer has second thoughts when the node asks for the file for the first time."""

    desk: Desk
    second: Written
    answer: Callable[[AskSend], object]
    taken: list[AskSend] = field(default_factory=list)
    again: bool = True

    def says(self, asked: Any) -> object:
        match asked:
            case AskUpload(blob=blob):
                self._again()
                return DeskHeld(asked.request, blob.length)
            case AskPart(offset=offset, data=data):
                return DeskHeld(asked.request, offset + len(data))
            case AskSend():
                self.taken.append(asked)
                return self.answer(asked)
            case _:
                return None

    def _again(self) -> None:
        if self.again:
            self.again = False
            (old,) = Outbox(self.desk).waiting()
            form = Outbox(self.desk).withdraw(old.number)
            assert isinstance(form, FormDraft)
            Outbox(self.desk).queue(self.second, {}, form=form)


@pytest.fixture
def overtaken(tmp_path: Path) -> Iterator[Overtaken]:
    with bare_desk(tmp_path) as desk:
        (tmp_path / "note.txt").write_text("what was seen")
        files = Files(desk).attach([measure(tmp_path / "note.txt", "photo")])
        first, second = (
            Written(letter(LA, urgency=urgency).data, (LA,), files)
            for urgency in ("routine", "priority")
        )
        form = FormDrafts(desk).begin("saphan/drug_seizure/1", (LA,), "en", attachments=files)
        Outbox(desk).queue(first, {}, form=form)
        yield Overtaken(desk, second, lambda asked: {"id": "ab" * 32})


async def test_the_newer_one_stays_as_it_was_signed(overtaken: Overtaken, tmp_path: Path) -> None:
    outbox = Outbox(overtaken.desk)
    async with told_by(overtaken.desk, tmp_path, overtaken.says) as line:
        await outbox.send(line)
        (one,) = outbox.all()
        assert (one.shown.urgency, one.asked, one.bulletin) == ("priority", False, None)
        assert overtaken.taken == []  # what was withdrawn before it was asked for never leaves
        await outbox.send(line)
    (one,) = outbox.all()
    assert one.bulletin == bytes.fromhex("ab" * 32)
    assert [asked.header for asked in overtaken.taken] == [one.header]


@pytest.mark.parametrize("family", ["input", "later"])
async def test_an_answer_about_the_older_one_is_none_about_the_newer(
    overtaken: Overtaken, tmp_path: Path, family: Any
) -> None:
    """Two lines bring the same bulletin; the second one's refusal comes when it was mended."""
    outbox = Outbox(overtaken.desk)
    (old,) = outbox.waiting()

    def refuse(asked: AskSend) -> DeskRefusal:
        outbox._to_draft(old, Refused("text_forbidden", "as the other line was told"))
        form = FormDrafts(overtaken.desk).get(old.number)
        outbox.queue(overtaken.second, {}, form=form)
        return DeskRefusal(asked.request, family, "text_forbidden", "no", None, None, 0)

    overtaken.again, overtaken.answer = False, refuse
    async with told_by(overtaken.desk, tmp_path, overtaken.says) as line:
        await outbox.send(line)
    (one,) = outbox.waiting()
    assert (one.shown.urgency, one.asked, one.code) == ("priority", False, None)
