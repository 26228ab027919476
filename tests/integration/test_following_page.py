"""What follows a bulletin at the page of a desk: a reply, a correction with its files, a recall."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from saphan.desk.form_drafts import FormDrafts
from saphan.desk.form_files import FormFiles
from saphan.desk.outbox import Outbox
from saphan_schemas.messages import text
from support import officers
from support.bridge import LA, eventually, states
from support.html_forms import fields_of
from support.reading_page import Reader, words
from support.recalls import stands
from support.threads import letter
from support.writing_page import begun, filled, kept, writing


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    async with writing() as found:
        yield found


async def test_a_reply_begins_with_who_asked_and_what(reader: Reader) -> None:
    page, world = reader.page, reader.world
    asked = await world.la.send(letter("info_request", ("kh.gpo",)))
    request = await reader.came(asked)
    await page.post(f"/bulletins/{request}/open")
    status, shown = await page.get(f"/write?reply={request}")
    assert status == 200
    assert 'value="saphan/info_reply/1"' in shown
    assert f'value="{LA}" checked' in shown
    number = await begun(page, "saphan/info_reply/1", reply=request)
    form = await kept(page, number)
    assert form.follows is not None
    assert (form.follows.kind, form.follows.id) == ("in_reply_to", request)
    assert form.answers["/body/request_id"] == request
    assert form.answers["/about/relations/0/bulletin_id"] == request
    assert form.answers["/body/answers/0/no"] == 1
    status, shown = await page.get(f"/write?correct={request}")
    assert (status, "relation_foreign" in shown) == (403, True)


async def test_a_reply_to_what_was_taken_back_says_so_at_every_step(reader: Reader) -> None:
    page, world = reader.page, reader.world
    asked = await world.la.send(letter("info_request", ("kh.gpo",)))
    request = await reader.came(asked)
    number = await begun(page, "saphan/info_reply/1", reply=request)
    await world.la.recalls.order(asked, "error", "keeper")
    said = text("page.reading.recalled", why=text("recall_reason.error"))
    shown = await reader.shows(f"/write?reply={request}", said)
    assert words("page.sending.write.unread") not in shown  # nobody can open it any more
    assert said in (await page.get(f"/drafts/{number}"))[1]
    await filled(page, number, "info_reply")
    assert said in (await page.get(f"/drafts/{number}/preview"))[1]


async def test_a_correction_begins_with_the_original_and_takes_its_place(reader: Reader) -> None:
    page, world = reader.page, reader.world
    number = await begun(page)
    form = await filled(page, number)
    await page.post(f"/drafts/{number}/send", {"digest": form.digest})
    (sent,) = await page.open.work(lambda desk: Outbox(desk).all())
    original = (sent.bulletin or b"").hex()
    await eventually(lambda: states(world.kh, sent.bulletin or b"") == ["accepted"])
    again = await begun(page, correct=original)
    draft = await kept(page, again)
    assert draft.answers["/about/message_kind"] == "correction"
    assert draft.answers["/about/title/en"] == form.answers["/about/title/en"]
    assert draft.answers["/about/relations/0/kind"] == "corrects"
    status, shown = await page.get(f"/drafts/{again}")
    assert (status, words("page.sending.follows.corrects") in shown) == (200, True)
    status, shown = await page.post(f"/drafts/{again}/send", {"digest": draft.digest})
    assert status == 200
    newest = (await page.open.work(lambda desk: Outbox(desk).all()))[-1]
    assert newest.bulletin is not None, (newest.code, shown[-3000:])


async def test_a_bulletin_is_recalled_for_a_reason_and_the_table_shows_who_obeys(
    reader: Reader,
) -> None:
    page, world = reader.page, reader.world
    number = await begun(page)
    form = await filled(page, number)
    await page.post(f"/drafts/{number}/send", {"digest": form.digest})
    (sent,) = await page.open.work(lambda desk: Outbox(desk).all())
    bulletin = (sent.bulletin or b"").hex()
    await eventually(lambda: states(world.kh, sent.bulletin or b"") == ["accepted"])
    status, shown = await page.get(f"/bulletins/{bulletin}/recall")
    assert status == 200
    assert words("recall_reason.wrong_person") in shown
    status, shown = await page.post(f"/bulletins/{bulletin}/recall", {"reason": "because"})
    assert (status, "recall_code" in shown) == (400, True)
    status, shown = await page.post(f"/bulletins/{bulletin}/recall", {"reason": "wrong_person"})
    assert status == 200
    assert f'<td lang="en">{LA}</td>' in shown
    await reader.shows(f"/bulletins/{bulletin}/recall", words("page.sending.recall.state.obeyed"))


async def test_a_named_officer_answers_what_another_agency_recalls(reader: Reader) -> None:
    page, world = reader.page, reader.world
    await officers.settings(world.bridge, world.kh, recall={"answer": "ask", "officers": ["keo"]})
    sent = await reader.received()
    await world.la.recalls.order(bytes.fromhex(sent), "error", "keeper")
    path = f"/bulletins/{sent}/recall"
    shown = await reader.shows(path, words("page.sending.recall.owed"))
    assert words("page.sending.recall.obey") not in shown
    status, shown = await page.post(f"{path}/answer", {"answer": "obey"})
    assert (status, "recall_not_named" in shown) == (403, True)

    await officers.settings(world.bridge, world.kh, recall={"answer": "ask", "officers": ["dao"]})
    status, shown = await page.post(f"{path}/answer", {"answer": "because"})
    assert (status, "recall_code" in shown) == (400, True)
    status, shown = await page.post(f"{path}/answer", {"answer": "law_requires"})
    assert status == 200
    assert words("decline_reason.law_requires") in shown
    await stands(world.la, bytes.fromhex(sent), "declined")
    # Kept for a reason, and obeyed after all.
    assert words("page.sending.recall.obey") in shown
    status, shown = await page.post(f"{path}/answer", {"answer": "obey"})
    assert status == 200
    assert words("page.sending.recall.answer.obeyed") in shown
    await stands(world.la, bytes.fromhex(sent), "obeyed")


async def test_a_correction_has_the_files_of_its_original(reader: Reader) -> None:
    page, world = reader.page, reader.world
    number = await begun(page)
    await filled(page, number)
    form = aiohttp.FormData(quote_fields=False)
    for name, value in fields_of((await page.get(f"/drafts/{number}"))[1], "draft"):
        form.add_field(name, value)
    form.add_field("file", b"seen at dawn " * 2_000, filename="note.txt")
    await page.post(f"/drafts/{number}/files", form)
    draft = await kept(page, number)
    await page.post(f"/drafts/{number}/send", {"digest": draft.digest})
    (sent,) = await page.open.work(lambda desk: Outbox(desk).all())
    assert sent.bulletin is not None
    await eventually(lambda: states(world.kh, sent.bulletin or b"") == ["accepted"])
    again = await begun(page, correct=sent.bulletin.hex())
    (file,) = (await kept(page, again)).attachments
    assert (file.name, file.blob) == ("note.txt", draft.attachments[0].blob)
    lacking = await page.open.work(
        lambda desk: FormFiles(desk).lacking(FormDrafts(desk).get(again))
    )
    assert lacking == []
