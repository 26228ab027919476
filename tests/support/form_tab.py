"""A tab that shows the form of a draft, at a desk of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page
from saphan.desk.form_drafts import FormDraft, FormDrafts
from saphan.web.gate import COOKIE
from saphan.web.writing.forms.dressing import id_of
from saphan.web.writing.forms.wish import wish_of

from support.desk_page import DeskPage, desk_page
from support.web_forms import of_sample

KIND, WISH, ANSWERS, _ = of_sample("drug_seizure")


@asynccontextmanager
async def form(browser: Browser, lang: str) -> AsyncIterator[tuple[DeskPage, FormDraft, Page]]:
    """A desk whose officer has a draft, that draft, and a tab that shows it."""
    async with desk_page(lang=lang) as page:
        draft = await page.open.work(
            lambda desk: FormDrafts(desk).begin(KIND.name, ("la.ospp",), lang, answers=ANSWERS)
        )
        origin = f"http://{page.host}"
        context = await browser.new_context(viewport={"width": 1366, "height": 768})
        try:
            await context.add_cookies([{"name": COOKIE, "value": page.cookie, "url": origin}])
            tab = await context.new_page()
            await tab.goto(f"{origin}/drafts/{draft.number}")
            yield page, draft, tab
        finally:
            await context.close()


def at(pointer: str, part: str = "") -> str:
    """How an element of a place is found."""
    return f'[id="{id_of(pointer)}{part}"]'


async def kept(page: DeskPage, draft: FormDraft) -> dict[str, Any]:
    """What the draft says now."""
    now = await page.open.work(lambda desk: FormDrafts(desk).editable(draft.number))
    return wish_of(KIND, now.answers)
