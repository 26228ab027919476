"""An officer who clicks an order twice gives it once."""

from __future__ import annotations

from playwright.async_api import Browser, expect
from saphan.desk.drafts import Drafts
from saphan.desk.form_drafts import FormDrafts
from saphan.web.gate import COOKIE
from support.bridge import LA
from support.desk_letters import letter
from support.desk_page import desk_page


async def test_a_double_click_orders_once(browser: Browser) -> None:
    async with desk_page() as page:
        file = await page.open.work(lambda desk: Drafts(desk).add(letter(LA)))
        origin = f"http://{page.host}"
        context = await browser.new_context()
        try:
            await context.add_cookies([{"name": COOKIE, "value": page.cookie, "url": origin}])
            tab = await context.new_page()
            await tab.goto(f"{origin}/drafts")
            orders: list[str] = []
            tab.on("request", lambda one: orders.append(one.url) if one.method == "POST" else None)
            await tab.locator(f"#file-{file.number} form[action$='/form'] button").dblclick()
            await expect(tab.locator("form#draft")).to_be_visible()
            assert len([one for one in orders if one.endswith("/form")]) == 1
            made = await page.open.work(lambda desk: FormDrafts(desk).all())
            assert len(made) == 1
        finally:
            await context.close()
