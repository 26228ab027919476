"""A node that says what no node may say: the desk keeps nothing of it, and comes to an end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from saphan.attaching import measure
from saphan.desk.desk import Desk
from saphan.desk.drafts import Drafts, Written
from saphan.desk.files import AttachedFile, Files, download_name
from saphan.desk.inbox import Inbox
from saphan.desk.outbox import Outbox
from saphan_schemas.desk_frames import (
    AskIdentity,
    AskInbox,
    AskSend,
    DeskHeld,
    DeskPart,
    DeskRefusal,
)
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Blob
from support.bare_desk import bare_desk, row, told_by
from support.bridge import LA
from support.desk_letters import letter

ID = "ab" * 32


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    opening = bare_desk(tmp_path)
    made = await asyncio.to_thread(opening.__enter__)
    try:
        yield made
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)


def page(*rows: dict[str, Any], **fields: object) -> dict[str, Any]:
    end = rows[-1]["seq"] if rows else 0
    return {"bulletins": list(rows), "next": end, "more": False, "rules": "", **fields}


LIES = {
    "nothing": {},
    "a place before the first": page(next=-1),
    "no place": page(next="7"),
    "a place too far": page(next=2**64),
    "more, from the same place": page(more=True),
    "rows of another order": page(row(2), row(1), next=2),
    "a row twice": page(row(1), row(1), next=1),
    "a row behind the end": page(row(9), next=3),
    "a row without a sender": page({"seq": 1, "id": ID}),
    "an id that is none": page(row(1, id="../../etc")),
    "an urgency unheard of": page(row(1, urgency="at once")),
    "a reason that is no word": page(row(1, recalled={})),
    "a number in whose place it stands": page(row(1, replaced_by=7)),
    "what took its place is no id": page(row(1, replaced_by=[["x"]])),
    "a time after the last day": page(row(1, received=2**60)),
    "too many rows": page(*(row(n) for n in range(1, LIMITS.desk_page_items + 2))),
    "no list": {"bulletins": "none", "next": 0, "more": False, "rules": ""},
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_inbox_that_is_none_is_refused(desk: Desk, tmp_path: Path, lie: str) -> None:
    def says(asked: object) -> object:
        return {} if isinstance(asked, AskIdentity) else LIES[lie]

    async with told_by(desk, tmp_path, says) as line:
        with pytest.raises(OperatorError, match="node_answer"):
            await Inbox(desk).pull(line)
    assert await asyncio.to_thread(Inbox(desk).rows) == []


@pytest.mark.parametrize(
    "lie", [{"agreements": [{}]}, {"agreements": [{"rules": [{"sender": 1}]}]}, {"agreements": 4}]
)
async def test_corridors_that_are_none_are_refused(
    desk: Desk, tmp_path: Path, lie: dict[str, Any]
) -> None:
    async with told_by(
        desk, tmp_path, lambda asked: lie if isinstance(asked, AskIdentity) else page()
    ) as line:
        with pytest.raises(OperatorError, match="node_answer"):
            await Inbox(desk).pull(line)
    await asyncio.to_thread(Outbox(desk).queue, letter(LA), Inbox(desk).corridors())


async def test_rules_that_change_with_every_page_end_the_listing(
    desk: Desk, tmp_path: Path
) -> None:
    numbers = itertools.count()

    def says(asked: object) -> object:
        if isinstance(asked, AskInbox):
            one = row(asked.after + 1)
            return page(one, more=True, rules=str(next(numbers)))
        return {}

    async with told_by(desk, tmp_path, says) as line:
        with pytest.raises(OperatorError, match="node_answer"):
            await Inbox(desk).pull(line)
    assert next(numbers) < 100


async def test_rules_that_change_once_hide_what_was_listed_a_page_ago(
    desk: Desk, tmp_path: Path
) -> None:
    one, two, three = row(1), row(2), row(3)

    def says(asked: object) -> object:
        if not isinstance(asked, AskInbox):
            return {}
        asks.append(asked.after)
        if len(asks) == 1:
            return page(one, two, more=True, rules="before")
        return page(*(each for each in (two, three) if each["seq"] > asked.after), rules="after")

    asks: list[int] = []
    async with told_by(desk, tmp_path, says) as line:
        await Inbox(desk).pull(line)
    assert asks == [0, 2, 0]
    kept = await asyncio.to_thread(Inbox(desk).rows)
    assert [each["seq"] for each in kept] == [2, 3]


@pytest.mark.parametrize(
    "lie",
    [
        {},
        {"id": "cd" * 32},
        {"id": ID, "header": {}, "author": None, "content": {}, "attachments": []},
        {"id": ID, "header": row(1), "author": None, "attachments": [],
         "content": {"about": [], "body": {}}},
        {"id": ID, "header": row(1), "author": None, "content": {"about": {}, "body": {}},
         "attachments": [{"number": 1, "name": "a", "media_type": "", "role": "",
                          "length": 2**40, "sha256": ID}]},
        {"id": ID, "header": row(1), "author": None, "content": {"about": {}, "body": {}},
         "attachments": [{"number": 1, "name": "../../.profile.pdf", "role": "other",
                          "media_type": "application/pdf", "length": 9, "sha256": ID}]},
        {"id": "cd" * 32, "header": row(1), "author": None, "attachments": [],
         "content": {"about": {}, "body": {}}},
    ],
)  # fmt: skip
async def test_content_of_something_else_is_refused(
    desk: Desk, tmp_path: Path, lie: dict[str, Any]
) -> None:
    async with told_by(desk, tmp_path, lambda _: lie) as line:
        with pytest.raises(OperatorError, match="node_answer"):
            await Inbox(desk).read(line, bytes.fromhex(ID))
        with pytest.raises(OperatorError, match="node_answer"):
            await Inbox(desk).status(line, ID[:10])
    assert await asyncio.to_thread(Inbox(desk).status_kept, ID) is None


@pytest.mark.parametrize("lie", [{}, {"id": 7}, {"id": "ab"}, {"id": "z" * 64}])
async def test_a_bulletin_waits_until_its_id_is_heard(
    desk: Desk, tmp_path: Path, lie: dict[str, Any]
) -> None:
    """It was sent, and nobody knows its id: neither a draft nor sent."""
    queued = await asyncio.to_thread(Outbox(desk).queue, letter(LA), {})
    async with told_by(desk, tmp_path, lambda _: lie) as line:
        with pytest.raises(OperatorError, match="node_answer"):
            await Outbox(desk).send(line)
    (one,) = await asyncio.to_thread(Outbox(desk).waiting)
    assert (one.number, one.asked) == (queued.number, True)


async def test_a_file_whose_bytes_are_others_is_not_kept(desk: Desk, tmp_path: Path) -> None:
    blob = Blob(40_000, bytes(32))

    def says(asked: Any) -> object:
        return DeskPart(asked.request, bytes(asked.length))

    async with told_by(desk, tmp_path, says) as line:
        with pytest.raises(Unavailable, match="attachment_cut"):
            await Files(desk).fetch(line, bytes.fromhex(ID), 1, blob)
    name = download_name(bytes.fromhex(ID), 1)
    assert await asyncio.to_thread(desk.store.parts, name) == 0


# --- what the node answers is not always about the bulletin -------------------------------------


def refused(family: Any, code: str, asked: Any) -> DeskRefusal:
    return DeskRefusal(asked.request, family, code, "no", None, None, 0)


async def test_only_an_answer_about_it_lets_a_bulletin_be_taken_back(
    desk: Desk, tmp_path: Path
) -> None:
    """Timeline: the answer is lost; the node takes nothing for a while; the officer wants it back;
    the node says that it has it."""
    outbox = Outbox(desk)
    queued = await asyncio.to_thread(outbox.queue, letter(LA), {})
    async with told_by(desk, tmp_path, lambda _: None) as line:
        with pytest.raises(Unavailable, match="line_down"):
            await outbox.send(line)
    for family, code in (("later", "busy"), ("operator", "disk_full")):
        says = partial(refused, family, code)
        async with told_by(desk, tmp_path, says) as line:
            (error,) = await outbox.send(line)
            assert error.code == code
        with pytest.raises(InvalidInput, match="queued_asked"):
            await asyncio.to_thread(outbox.withdraw, queued.number)
    async with told_by(desk, tmp_path, lambda _: {"id": ID}) as line:
        assert await outbox.send(line) == []
    (sent,) = await asyncio.to_thread(outbox.all)
    assert sent.bulletin == bytes.fromhex(ID)
    assert await asyncio.to_thread(Drafts(desk).all) == []


async def test_drafts_without_number_do_not_stop_the_outbox(desk: Desk, tmp_path: Path) -> None:
    """What the node refuses goes back among the drafts, however many there are."""
    drafts, outbox = Drafts(desk), Outbox(desk)

    def fill() -> None:
        with desk.store.transaction():
            for _ in range(LIMITS.desk_drafts):
                drafts.add(letter(LA))
            with pytest.raises(InvalidInput, match="drafts_full"):
                drafts.add(letter(LA))
        outbox.queue(Written(letter(LA).data, ("vn.vks",)), {})
        outbox.queue(letter(LA), {})

    await asyncio.to_thread(fill)

    def says(asked: Any) -> object:
        assert isinstance(asked, AskSend)
        if b"vn.vks" in asked.header:
            return refused("refused", "no_corridor", asked)
        return {"id": ID}

    async with told_by(desk, tmp_path, says) as line:
        errors: list[SaphanError] = await outbox.send(line)
    assert [error.code for error in errors] == ["no_corridor"]
    assert await asyncio.to_thread(outbox.waiting) == []
    back = (await asyncio.to_thread(drafts.all))[-1]
    assert (back.code, back.written.to) == ("no_corridor", ("vn.vks",))


async def test_what_was_taken_back_meanwhile_is_not_sent(desk: Desk, tmp_path: Path) -> None:
    """Timeline: one program lists two that wait; while it sends the first, another program takes
    the second back."""
    outbox = Outbox(desk)
    first = await asyncio.to_thread(outbox.queue, letter(LA, urgency="immediate"), {})
    second = await asyncio.to_thread(outbox.queue, letter(LA), {})
    asked: list[bytes] = []

    def says(frame: Any) -> object:
        asked.append(frame.header)
        if len(asked) == 1:
            outbox.withdraw(second.number)
        return {"id": ID}

    async with told_by(desk, tmp_path, says) as line:
        assert await outbox.send(line) == []
    assert asked == [first.header]
    (draft,) = await asyncio.to_thread(Drafts(desk).all)
    assert draft.written == second.written


async def test_a_node_that_claims_to_hold_more_is_not_believed(desk: Desk, tmp_path: Path) -> None:
    """A count beyond the end brings nothing, and the node then misses the file: it waits on."""
    path = tmp_path / "a.pdf"
    await asyncio.to_thread(path.write_bytes, b"%PDF-1.7\n" + bytes(40_000))

    def says(asked: Any) -> object:
        if isinstance(asked, AskSend):
            return refused("input", "attachment_missing", asked)
        return DeskHeld(asked.request, 2**40)

    local = await asyncio.to_thread(measure, path, "lab_report")
    one = local.attached
    file = AttachedFile(one.name, one.media_type, one.role, one.blob)
    await asyncio.to_thread(Files(desk).take, path, one.blob)
    written = Written(letter(LA).data, (LA,), (file,))
    await asyncio.to_thread(Outbox(desk).queue, written, {})
    async with told_by(desk, tmp_path, says) as line:
        (error,) = await Outbox(desk).send(line)
    assert error.code == "attachment_missing"
    assert len(await asyncio.to_thread(Outbox(desk).waiting)) == 1
