"""A desk that is killed at each effect between a form and "sent": nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from saphan.attaching import measure
from saphan.desk.desk import Desk
from saphan.desk.drafts import Written
from saphan.desk.files import Files, upload_name
from saphan.desk.form_drafts import FormDrafts
from saphan.desk.outbox import Outbox
from saphan.desk.store import DeskStore
from saphan.keys.keyfiles import SecretKey, new_key
from saphan_protocol.identity import sha256
from saphan_schemas.desk_frames import AskPart, AskSend, AskUpload, DeskHeld
from saphan_schemas.records import Role
from support.bare_desk import bare_desk, told_by
from support.bridge import LA
from support.desk_letters import letter
from support.killed import killed


class Node:
    """Takes each bulletin once, and says the same of it each time; what it took outlives it."""

    def __init__(self, folder: Path) -> None:
        self.took = folder / "took"

    def says(self, asked: Any) -> object:
        match asked:
            case AskUpload():
                return DeskHeld(asked.request, 0)
            case AskPart(offset=offset, data=data):
                return DeskHeld(asked.request, offset + len(data))
            case AskSend():
                return self.take(sha256(asked.header).hex())
            case _:
                return None

    def take(self, bulletin: str) -> dict[str, str]:
        if bulletin not in self.taken():
            with open(self.took, "a") as file:
                file.write(f"{bulletin}\n")
        return {"id": bulletin}

    def taken(self) -> list[str]:
        return self.took.read_text().split() if self.took.exists() else []


PLACES = [
    (DeskStore, "put", 1, False),  # the form is signed, and in no shelf of the outbox
    (DeskStore, "put", 2, True),
    (Outbox, "queue", 1, True),
    (Files, "_bytes", 1, True),
    (Outbox, "_change", 1, False),
    (Outbox, "_change", 1, True),
    (Node, "take", 1, False),
    (Node, "take", 1, True),  # the node has it, and its answer is lost
    (Outbox, "_sent", 1, False),
    (FormDrafts, "sent", 1, True),
    (Outbox, "drop_files", 1, False),
    (Outbox, "drop_files", 1, True),
]


def goes_on(folder: Path, key: SecretKey) -> None:
    """The officer signs what is a form still, and the desk sends what waits."""
    node = Node(folder)

    async def send(desk: Desk) -> None:
        async with told_by(desk, folder, node.says) as line:
            await Outbox(desk).send(line)

    with bare_desk(folder, key) as desk:
        for form in FormDrafts(desk).all():
            said = letter(LA, urgency="priority").data
            Outbox(desk).queue(Written(said, (LA,), form.attachments), {}, form=form)
        asyncio.run(send(desk))


def prepared(folder: Path, key: SecretKey) -> tuple[int, bytes]:
    """A desk with a form that has a file; its number, and under which name the file is kept."""
    (folder / "note.txt").write_text("what was seen")
    with bare_desk(folder, key) as desk:
        files = Files(desk).attach([measure(folder / "note.txt", "photo")])
        form = FormDrafts(desk).begin("saphan/drug_seizure/1", (LA,), "en", attachments=files)
        return form.number, upload_name(files[0].blob)


@pytest.mark.parametrize("place", PLACES, ids=lambda one: f"{one[1]}-{one[2]}-{one[3]}")
def test_a_bulletin_goes_on_where_it_was_killed(
    tmp_path: Path, place: tuple[type, str, int, bool]
) -> None:
    owner, name, calls, after = place
    key = new_key(Role.OFFICER, "dao")
    _, file = prepared(tmp_path, key)
    killed(owner, name, calls, lambda: goes_on(tmp_path, key), after=after)
    goes_on(tmp_path, key)
    with bare_desk(tmp_path, key) as desk:
        (one,) = Outbox(desk).all()
        assert one.bulletin is not None
        assert Node(tmp_path).taken() == [one.bulletin.hex()]
        assert FormDrafts(desk).all() == []
        assert desk.store.parts(file) == 0


@pytest.mark.parametrize("after", [False, True])
def test_a_form_goes_with_its_file_or_stays_with_it(tmp_path: Path, after: bool) -> None:
    key = new_key(Role.OFFICER, "dao")
    number, file = prepared(tmp_path, key)

    def remove() -> None:
        with bare_desk(tmp_path, key) as desk:
            Outbox(desk).remove_form(number)

    killed(Outbox, "drop_files", 1, remove, after=after)
    with bare_desk(tmp_path, key) as desk:
        assert FormDrafts(desk).find(number) is not None
        assert desk.store.parts(file) == 1
