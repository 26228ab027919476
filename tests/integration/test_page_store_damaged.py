"""A desk whose store is damaged while its page is open: every page says so in words."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

import pytest
from saphan.desk.desk import Desk
from saphan.desk.outbox import Outbox
from saphan.desk.store import Shelf
from support.desk_letters import letter
from support.desk_page import desk_page
from support.page_rows import keep_rows, rows_of

PATHS = ("/inbox", "/owed", "/sent", "/drafts", "/search?q=somphone", "/figures", "/nowhere")


def damage(store: Path, shelf: Shelf) -> None:
    """Other bytes in each row of a shelf."""
    db = sqlite3.connect(store)
    with db:
        db.execute("UPDATE rows SET sealed = ? WHERE shelf = ?", (os.urandom(200), int(shelf)))
        assert db.execute("SELECT changes()").fetchone() > (0,)
    db.close()


async def test_what_every_page_counts_is_damaged_and_every_page_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with desk_page(lang="km") as page:

        def fill(desk: Desk) -> None:
            Outbox(desk).queue(letter("la.ospp"), {})

        await page.open.work(fill)
        assert (await page.get("/inbox"))[0] == 200
        damage(page.place.folder.store, Shelf.OUTBOX)
        for path in PATHS:
            status, text = await page.get(path)
            assert status == (404 if path == "/nowhere" else 500)
            title = "page.ground.page_missing" if status == 404 else "error.desk_store_damaged"
            assert page.place.say(title) in text, path
            assert "Traceback" not in text
    assert not [one for one in caplog.records if one.exc_info and one.levelno >= logging.ERROR]


async def test_rows_that_are_damaged_in_the_list_leave_other_pages_as_they_are() -> None:
    async with desk_page() as page:
        await page.open.work(lambda desk: keep_rows(desk, *rows_of(5)))
        await page.open.work(page.open.rows.load)
        damage(page.place.folder.store, Shelf.INBOX)
        for path in PATHS[1:-1]:
            assert (await page.get(path))[0] == 200, path
        status, text = await page.get("/inbox")
        assert (status, "desk_store_damaged" in text) == (500, True)
