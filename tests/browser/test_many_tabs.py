"""News in every tab: more tabs than a browser keeps connections, and what is typed survives."""

from __future__ import annotations

import asyncio
from typing import Final

from playwright.async_api import Browser, expect
from saphan.web.gate import COOKIE
from support.bare_desk import row
from support.bridge import KH
from support.desk_page import desk_page
from support.page_rows import keep_rows

TABS: Final = 8
"""A browser opens six connections to one place, and a stream of news holds one for good."""


async def test_every_tab_shows_what_came_without_a_reload(browser: Browser) -> None:
    async with desk_page() as page:
        origin = f"http://{page.host}"
        context = await browser.new_context()
        try:
            await context.add_cookies([{"name": COOKIE, "value": page.cookie, "url": origin}])
            tabs = [await context.new_page() for _ in range(TABS)]
            await asyncio.gather(*(tab.goto(f"{origin}/inbox") for tab in tabs))
            await tabs[0].evaluate("document.documentElement.dataset.same = 'page'")
            await tabs[0].locator("#filter-state").select_option("unread")
            come = row(1)
            await page.open.work(lambda desk: keep_rows(desk, come))
            await page.open.work(page.open.rows.load)
            page.open.topics.publish("inbox")
            for tab in tabs:
                await expect(tab.locator(f"a[href='/bulletins/{come['id']}']")).to_be_visible()
                await expect(tab.locator("#nav a[href='/inbox'] .count")).to_have_text("1")
            # In place: the page is the same, and so is what was chosen but not sent yet.
            assert await tabs[0].evaluate("document.documentElement.dataset.same") == "page"
            await expect(tabs[0].locator("#filter-state")).to_have_value("unread")
            # The tab that listened goes; another one takes its place.
            await tabs[0].close()
            again = row(2, sender=KH)
            await page.open.work(lambda desk: keep_rows(desk, again))
            await page.open.work(page.open.rows.load)
            page.open.topics.publish("inbox")
            for tab in tabs[1:]:
                await expect(tab.locator(f"a[href='/bulletins/{again['id']}']")).to_be_visible()
        finally:
            await context.close()
