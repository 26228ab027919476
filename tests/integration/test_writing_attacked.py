"""Writing at the page of a desk by somebody who clicks twice, in two windows, with odd files."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from saphan.desk.outbox import Outbox
from saphan_protocol.identity import sha256
from saphan_schemas.limits import LIMITS
from support.bridge import eventually, states
from support.desk_letters import kept_here
from support.desk_page import DeskPage
from support.html_forms import changed, fields_of
from support.reading_page import Reader
from support.writing_page import begun, filled, kept, writing

UPLOAD = b"up"


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    async with writing() as found:
        yield found


async def attached(page: DeskPage, number: int, *files: tuple[str, bytes]) -> tuple[int, str]:
    form = aiohttp.FormData(quote_fields=False)
    for name, value in fields_of((await page.get(f"/drafts/{number}"))[1], "draft"):
        form.add_field(name, value)
    for name, data in files:
        form.add_field("file", io.BytesIO(data), filename=name)
    return await page.post(f"/drafts/{number}/files", form)


async def test_two_clicks_and_two_windows_send_once(reader: Reader) -> None:
    page, world = reader.page, reader.world
    number = await begun(page)
    form = await filled(page, number)
    send = f"/drafts/{number}/send"
    answers = await asyncio.gather(*(page.post(send, {"digest": form.digest}) for _ in range(4)))
    assert [status for status, _ in answers] == [200] * 4
    assert all(f'id="n{number}"' in shown for _, shown in answers)
    status, shown = await page.post(send, {"digest": form.digest})  # much later, in another window
    assert (status, f'id="n{number}"' in shown) == (200, True)
    (sent,) = await page.open.work(lambda desk: Outbox(desk).all())
    await eventually(lambda: states(world.kh, sent.bulletin or b"") == ["accepted"])
    assert kept_here(world) == [sent.bulletin]


async def test_two_clicks_remove_once(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    answers = await asyncio.gather(*(page.post(f"/drafts/{number}/remove") for _ in range(2)))
    assert [status for status, _ in answers] == [200, 200]


async def test_no_day_is_too_odd(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    await filled(page, number)
    fields = fields_of((await page.get(f"/drafts/{number}"))[1], "draft")
    for day in ("9999-12-31", "2026-02-30", "x" * 400, "-1", "0001-01-01"):
        status, _ = await page.post(f"/drafts/{number}", changed(fields, answer_by=day))
        assert (status, day) == (200, day)
        status, _ = await page.get(f"/drafts/{number}/preview")
        assert status == (400 if day == "0001-01-01" else 200), day


async def test_a_file_may_be_the_longest_and_no_longer(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    status, shown = await attached(page, number, ("much.txt", b"a" * (LIMITS.attachment_bytes + 1)))
    assert (status, "attachments_too_large" in shown) == (400, True)
    assert (await kept(page, number)).attachments == ()


async def test_as_many_files_as_may_be_and_no_more(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    files = [(f"{n}.txt", str(n).encode()) for n in range(LIMITS.attachments + 1)]
    status, shown = await attached(page, number, *files)
    assert (status, "attachments_too_large" in shown) == (400, True)
    assert len((await kept(page, number)).attachments) == LIMITS.attachments
    refused = UPLOAD + sha256(files[-1][1])
    assert await page.open.work(lambda desk: desk.store.parts(refused)) == 0


async def test_names_of_files_are_harmless_and_told_apart(reader: Reader) -> None:
    page = reader.page
    number = await begun(page)
    names = ("../../etc/passwd.txt", "note.txt", "NOTE.txt", "/dev/null.txt", "a\u202etxt.txt")
    files = [(name, f"{n}".encode()) for n, name in enumerate(names)]
    status, _ = await attached(page, number, *files)
    assert status == 200
    found = [one.name for one in (await kept(page, number)).attachments]
    assert len({one.casefold() for one in found}) == len(names), found
    assert not [one for one in found if re.search(r"[/\\\u202e]", one)]
