"""The inbox page: order, filters, marks, paging; that there is no line; in three languages."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from saphan.desk.desk import Desk
from saphan.desk.keeping import Keeping
from saphan_schemas.messages import LANGUAGES
from support.bare_desk import row
from support.bridge import eventually
from support.brokers import Clock
from support.desk_page import DeskPage, desk_page
from support.page_rows import keep_rows, rows_of

HOUR_MS = 3_600_000


async def load(page: DeskPage) -> None:
    await page.open.work(page.open.rows.load)


def listed(text: str) -> list[str]:
    """First digits of the ids, in the order of the list."""
    return re.findall(r'<tr id="b-([0-9a-f]{16})"', text)


async def test_what_is_urgent_stands_first_and_what_was_read_last() -> None:
    async with desk_page() as page:
        now = page.place.clock()
        routine, old, near, far, urgent = (
            row(1),
            row(2, read=True),
            row(3, urgency="priority", answer_by=now + HOUR_MS),
            row(4, urgency="priority", answer_by=now + 9 * HOUR_MS),
            row(5, urgency="immediate"),
        )
        await page.open.work(lambda desk: keep_rows(desk, routine, old, near, far, urgent))
        await load(page)
        status, text = await page.get("/inbox")
        assert status == 200
        order = [one["id"][:16] for one in (urgent, near, far, routine, old)]
        assert listed(text) == order
        assert text.count('class="clock warn"') == 2
        assert "Not read yet: 4" in text


async def test_filters_narrow_the_list_and_count_what_is_behind_them() -> None:
    async with desk_page() as page:
        rows = rows_of(60)
        await page.open.work(lambda desk: keep_rows(desk, *rows))
        await load(page)
        query = "?type=saphan%2Fdrug_seizure%2F1&corridor=vn.vks&urgency=&state="
        _, text = await page.get(f"/inbox{query}")
        wanted = {
            one["id"][:16]
            for one in rows
            if (one["schema"], one["sender"]) == ("saphan/drug_seizure/1", "vn.vks")
        }
        assert set(listed(text)) == wanted
        assert f"selected>Drug seizure ({len(wanted)})" in text
        seizures = sum(one["schema"] == "saphan/drug_seizure/1" for one in rows)
        others = seizures - len(wanted)
        assert f'<option value="la.ospp">la.ospp ({others})</option>' in text
        _, text = await page.get("/inbox?state=exercise")
        assert len(listed(text)) == 6
        _, text = await page.get("/inbox?state=recalled")
        assert listed(text) == []
        assert "Nothing in the inbox is like this" in text
        # What is no filter, or no page, is no error.
        status, text = await page.get("/inbox?state=%3Cscript%3E&page=x&page=99999999")
        assert (status, listed(text)) == (200, [])
        assert "<script>" not in text.replace('<script type="module"', "")


async def test_long_lists_have_pages_and_every_row_is_on_one() -> None:
    async with desk_page() as page:
        rows = rows_of(120)
        await page.open.work(lambda desk: keep_rows(desk, *rows))
        await load(page)
        found: list[str] = []
        for number in (1, 2, 3):
            _, text = await page.get(f"/inbox?page={number}")
            found += listed(text)
        assert sorted(found) == sorted(one["id"][:16] for one in rows)
        assert (await page.get("/inbox?page=4"))[1].count("<tr id=") == 20


async def test_what_does_not_stand_is_struck_through_and_says_why() -> None:
    async with desk_page() as page:
        new = row(3)
        rows = (
            row(1, recalled="wrong_person"),
            row(2, replaced_by=[new["id"]]),
            new,
            row(4, suppressed=True, exercise=True),
            row(5, erased="due"),
        )
        await page.open.work(lambda desk: keep_rows(desk, *rows))
        await load(page)
        _, text = await page.get("/inbox")
        assert text.count("struck") == 3
        assert "Recalled: it is about the wrong person" in text
        assert f'href="/bulletins/{new["id"]}">Replaced' in text
        assert "Check who is meant" in text
        assert "exercise-row" in text
        (_, _, counts) = text.partition("Not read yet: ")
        assert counts.startswith("3")


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_without_a_line_every_page_says_so(lang: str, tmp_path: Path) -> None:
    async with desk_page(lang=lang) as page:
        await eventually(lambda: not page.open.line.state.opening)
        for path in ("/inbox", "/owed"):
            status, text = await page.get(path)
            assert status == 200
            assert 'action="/line"' in text
            assert page.place.say("page.inbox.line.title") in text.replace("&#39;", "'")
        assert await page.post("/line", {"next": "/owed"}, follow=False) == (303, "/owed")
        assert await page.post("/line", {"next": "//evil"}, follow=False) == (303, "/inbox")


async def test_ten_thousand_rows_are_listed_without_a_look_at_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    async with desk_page(clock=clock) as page:
        rows = rows_of(2_000)
        await page.open.work(lambda desk: keep_rows(desk, *rows))
        await load(page)
        monkeypatch.setattr("saphan.desk.store.DeskStore._open", None)
        status, text = await page.get("/inbox")
        assert status == 200
        assert len(listed(text)) == 50
        assert "Page 1 of 40" in text


async def test_what_another_program_of_this_desk_does_is_on_the_next_page() -> None:
    async with desk_page() as page:
        one, two = row(1), row(2)
        await page.open.work(lambda desk: keep_rows(desk, one))
        assert listed((await page.get("/inbox"))[1]) == [one["id"][:16]]

        def elsewhere(desk: Desk) -> None:
            with closing(desk.store.another()) as store:
                other = replace(desk, store=store)
                keep_rows(other, two)
                Keeping(other).erase([bytes.fromhex(one["id"])])

        await page.open.work(elsewhere)
        status, text = await page.get("/inbox")
        assert (status, listed(text)) == (200, [two["id"][:16]])
        assert "Not read yet: 1" in text
