"""Writing at the page of a desk: begun by agreements, saved, attached, previewed, sent, refused."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from saphan.desk.desk import Desk
from saphan.desk.drafts import Drafts
from saphan.desk.form_drafts import FormDraft, FormDrafts
from saphan.desk.outbox import Outbox
from saphan.web.writing.finishing import composed, seen
from saphan.web.writing.forms.dressing import id_of
from saphan_protocol.batch import sign_one
from saphan_protocol.content import seal_content
from saphan_schemas.codec import encode
from saphan_schemas.errors import Refused
from saphan_schemas.messages import text
from saphan_schemas.records import Sealed
from support.bridge import LA, Bridge, eventually, states
from support.desk_letters import letter as desk_letter
from support.desk_page import DeskPage, desk_page
from support.desks import desk_bridge, ready_bridge
from support.html_forms import Fields, changed, fields_of
from support.reading_page import Reader, reading, words
from support.writing_page import SEIZURE, begun, filled, kept

AUTOSAVE: Any = {"X-Desk": "autosave"}
FORM: Any = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def bridge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    monkeypatch.setattr("saphan.node.desks.session.NEWS_PAUSE_S", 0.05)
    async with ready_bridge() as made:
        yield made


@pytest.fixture
async def reader(bridge: Bridge) -> AsyncIterator[Reader]:
    async with reading(bridge) as found:
        await found.shows(f"/write?type={SEIZURE}", f'value="{LA}"')  # the node has told it
        yield found


async def saved(
    page: DeskPage, number: int, fields: Fields, *, autosave: bool = False
) -> tuple[int, str]:
    """What a browser gets for a form that it sends."""
    return await page.post(
        f"/drafts/{number}", as_sent(fields), **(FORM | (AUTOSAVE if autosave else {}))
    )


def as_sent(fields: Fields) -> io.BytesIO:
    """As a browser writes it."""
    return io.BytesIO(urlencode(fields).encode())


async def test_only_what_agreements_allow_is_offered(reader: Reader) -> None:
    page = reader.page
    status, shown = await page.get("/write")
    assert status == 200
    assert f"/write?type={SEIZURE.replace('/', '%2F')}" in shown or "/write?type=" in shown
    status, shown = await page.get(f"/write?type={SEIZURE}")
    assert f'value="{LA}"' in shown
    status, shown = await page.post("/write", {"type": SEIZURE, "to": "th.oncb"})
    assert status == 403
    assert "agreement_missing" in shown
    status, shown = await page.post("/write", {"type": SEIZURE})
    assert (status, "recipients_missing" in shown) == (400, True)
    assert (await page.get("/drafts"))[1].count("<tr id=") == 0


async def test_a_draft_saves_what_is_typed_right_or_wrong(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    status, shown = await page.get(f"/drafts/{number}")
    assert status == 200
    fields = fields_of(shown, "draft")
    typed = changed(fields, about__title__lo="ຫົວຂໍ້", about__review_at="someday")
    status, answer = await saved(page, number, typed, autosave=True)
    assert status == 200
    assert "ຫົວຂໍ້" in answer
    form = await kept(page, number)
    assert form.answers["/about/title/lo"] == "ຫົວຂໍ້"
    assert form.answers["/about/review_at"] == "someday"
    assert form.version > 1
    drafts = (await page.get("/drafts"))[1]
    assert 'id="draft-' in drafts
    assert text("page.sending.drafts_go", n=180) in drafts
    # Its window goes on with the version of the answer, or with its name alone.
    again = changed(typed, about__title__lo="ອື່ນ")
    assert (await saved(page, number, again, autosave=True))[0] == 200
    assert (await kept(page, number)).answers["/about/title/lo"] == "ອື່ນ"


async def test_two_windows_lose_nothing(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    one = fields_of((await page.get(f"/drafts/{number}"))[1], "draft")
    two = fields_of((await page.get(f"/drafts/{number}"))[1], "draft")
    assert dict(one)["tab"] != dict(two)["tab"]
    await saved(page, number, changed(one, about__title__lo="ທຳອິດ"))
    mine = changed(two, about__title__lo="ທີສອງ")
    status, shown = await saved(page, number, mine, autosave=True)
    assert status == 409
    assert words("page.sending.conflict") in shown
    assert dict(fields_of(shown, "draft"))["/about/title/lo"] == "ທີສອງ"
    assert (await kept(page, number)).answers["/about/title/lo"] == "ທຳອິດ"
    _, shown = await saved(page, number, changed(mine, do="branch"))
    assert dict(fields_of(shown, "draft"))["/about/title/lo"] == "ທີສອງ"
    assert (await page.get("/drafts"))[1].count('id="draft-') == 2


async def test_what_is_too_long_is_not_saved_and_not_lost(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    fields = fields_of((await page.get(f"/drafts/{number}"))[1], "draft")
    long = "ຍ" * 400_000
    typed = changed(fields, about__summary__lo=long)
    status, shown = await saved(page, number, typed, autosave=True)
    assert (status, "too_large" in shown) == (400, True)
    assert dict(fields_of(shown, "draft"))["/about/summary/lo"] == long
    assert "/about/summary/lo" not in (await kept(page, number)).answers


async def test_what_is_missing_is_said_before_anything_is_signed(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    status, shown = await page.get(f"/drafts/{number}/preview")
    assert status == 400
    assert 'id="errors"' in shown
    form = await kept(page, number)
    status, shown = await page.post(f"/drafts/{number}/send", {"digest": form.digest})
    assert status == 409
    assert await page.open.work(lambda desk: Outbox(desk).all()) == []


async def test_the_preview_shows_each_side_what_it_will_see_and_it_is_sent(
    reader: Reader,
) -> None:
    page, world = reader.page, reader.world
    number = await begun(page)
    form = await filled(page, number)
    status, shown = await page.get(f"/drafts/{number}/preview")
    assert status == 200
    broker, inside = shown.split('id="recipient"')
    assert "118,000 methamphetamine tablets" in inside
    assert "methamphetamine" not in broker
    assert words("page.sending.broker_sees") in broker
    # What was changed after it was shown is not sent.
    assert form.answers["/urgency"] == "routine"
    status, shown = await page.post(f"/drafts/{number}/send", {"digest": "00" * 32})
    assert (status, "form_draft_changed" in shown) == (409, True)
    status, shown = await page.post(f"/drafts/{number}/send", {"digest": form.digest})
    assert status == 200
    assert f'id="n{number}"' in shown
    (sent,) = await page.open.work(lambda desk: Outbox(desk).all())
    assert sent.bulletin is not None
    assert sent.shown.exercise
    await eventually(lambda: states(world.kh, sent.bulletin or b"") == ["accepted"])
    await reader.shows("/sent", words("event.accepted"))
    status, shown = await page.get(f"/drafts/{number}")  # it is no draft any more
    assert (status, f'id="n{number}"' in shown) == (200, True)
    status, _ = await page.post("/write", {"type": SEIZURE, "to": LA, "correct": "00" * 32})
    assert status == 400


async def test_the_lengths_of_a_preview_are_those_of_the_seal(reader: Reader) -> None:
    number = await begun(reader.page)
    await filled(reader.page, number)

    def measure(desk: Desk) -> tuple[int, int]:
        draft = composed(desk, FormDrafts(desk).get(number))
        inner = draft.inner(desk.me.handle, desk.key.key_id)
        signature = sign_one(desk.key, "saphan/inner/1", inner, bytes(32))
        sealed = encode(Sealed(inner, (signature,), draft.content))
        said = seen(desk, draft).content_bytes
        return said, len(seal_content(bytes(32), draft.header_id, sealed))

    said, real = await reader.page.open.work(measure)
    assert said == real


async def test_a_file_is_attached_with_what_was_typed_and_sealed(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    await filled(page, number)
    fields = fields_of((await page.get(f"/drafts/{number}"))[1], "draft")
    form = aiohttp.FormData(quote_fields=False)
    for name, value in changed(fields, about__title__lo="ກ່ອນແນບ", role="statement"):
        form.add_field(name, value)
    form.add_field("file", b"seen at dawn " * 2_000, filename="note.txt")
    form.add_field("file", b"MZ\x90", filename="run.exe")
    status, shown = await page.post(f"/drafts/{number}/files", form)
    assert status == 400  # the second one is no file that may be attached; the first one is kept
    draft = await kept(page, number)
    assert draft.answers["/about/title/lo"] == "ກ່ອນແນບ"
    assert [(one.name, one.role, one.blob.length) for one in draft.attachments] == [
        ("note.txt", "statement", 26_000)
    ]
    everything = b"".join(
        path.read_bytes() for path in page.place.folder.folder.rglob("*") if path.is_file()
    )
    assert b"seen at dawn" not in everything
    _, shown = await page.get(f"/drafts/{number}/preview")
    assert "note.txt" not in shown.split('id="recipient"')[0]
    assert "note.txt" in shown.split('id="recipient"')[1]
    fields = fields_of((await page.get(f"/drafts/{number}"))[1], "draft")
    digest = draft.attachments[0].blob.digest.hex()
    body = urlencode(changed(fields, **{f"role:{digest}": "photo"}))
    await page.post(f"/drafts/{number}", body, **FORM)
    assert (await kept(page, number)).attachments[0].role == "photo"
    await page.post(f"/drafts/{number}/files/{digest}/remove", body, **FORM)
    assert (await kept(page, number)).attachments == ()


async def test_without_a_line_it_waits_is_withdrawn_and_is_a_form_again(bridge: Bridge) -> None:
    async with desk_bridge(bridge) as world:
        folder = await world.desk()
        async with desk_page(folder=folder, clock=bridge.clock) as page:
            await Reader(world, page).shows(f"/write?type={SEIZURE}", f'value="{LA}"')
    async with desk_page(folder=folder, clock=bridge.clock) as page:
        await eventually(lambda: page.open.line.state.why)
        number = await begun(page)
        form = await filled(page, number)
        status, shown = await page.post(f"/drafts/{number}/send", {"digest": form.digest})
        assert status == 200
        assert words("page.sending.offline") in shown
        assert words("page.sending.state.waiting") in shown
        assert (await page.get("/drafts"))[1].count('id="draft-') == 0
        # A window that was open goes on: nothing typed there is lost.
        mine = {"version": "2", "/about/title/lo": "ພິມຕໍ່"}
        status, shown = await page.post(f"/drafts/{number}", mine)
        assert (status, words("page.sending.sent_elsewhere") in shown) == (409, True)
        status, shown = await page.post(f"/drafts/{number}", {**mine, "do": "branch"})
        assert dict(fields_of(shown, "draft"))["/about/title/lo"] == "ພິມຕໍ່"
        await page.post(f"/drafts/{number + 1}/remove")
        status, shown = await page.post(f"/sent/{number}/withdraw")
        assert status == 200
        assert 'id="draft"' in shown
        assert (await kept(page, number)).answers == form.answers
        status, _ = await page.post(f"/drafts/{number}/remove")
        assert status == 200
        assert await page.open.work(lambda desk: FormDrafts(desk).all()) == []


async def test_what_the_node_refuses_comes_back_with_its_fault_at_the_field(
    reader: Reader,
) -> None:
    page = reader.page
    number = await begun(page)
    await filled(page, number)

    def name_nobody(desk: Desk) -> FormDraft:
        form = FormDrafts(desk).get(number)
        wrong = {"/about/relations/0/kind": "corrects", "/about/relations/0/bulletin_id": "ab" * 32}
        return FormDrafts(desk).save(number, form.version, {**form.answers, **wrong})

    form = await page.open.work(name_nobody)
    status, shown = await page.post(f"/drafts/{number}/send", {"digest": form.digest})
    assert status == 200
    assert words("page.sending.refused") in shown
    assert "relation_unknown" in shown
    assert f'href="#{id_of("/about/relations/0")}"' in shown
    assert words("page.sending.came_back") in (await page.get("/drafts"))[1]


async def test_a_draft_of_the_terminal_goes_on_as_a_form(reader: Reader) -> None:
    page = reader.page

    def refused(desk: Desk) -> int:
        error = Refused("agreement_marking", "no agreement takes this marking")
        queued = Outbox(desk).queue(desk_letter(LA, urgency="priority"), {})
        Outbox(desk)._to_draft(queued, error)
        return Drafts(desk).all()[0].number

    number = await page.open.work(refused)
    assert f"/drafts/files/{number}/form" in (await page.get("/drafts"))[1]
    status, shown = await page.post(f"/drafts/files/{number}/form")
    assert status == 200
    assert "agreement_marking" in shown
    fields = dict(fields_of(shown, "draft"))
    assert (fields["/urgency"], fields["recipient"]) == ("priority", LA)
    assert fields["/about/title/en"] == "Drug case report"
    assert await page.open.work(lambda desk: Drafts(desk).all()) == []
