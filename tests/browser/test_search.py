"""Searching in a browser: by keyboard alone, and what goes meanwhile goes from the results."""

from __future__ import annotations

from playwright.async_api import Browser, expect
from saphan.desk.desk import Desk
from saphan.desk.inbox import Inbox
from saphan.desk.keeping import Keeping
from saphan.web.gate import COOKIE
from saphan_schemas.samples import wish
from support.bare_desk import row
from support.desk_page import desk_page
from support.page_rows import keep_rows

TYPED = "ສົມພອນ ຕົວ\u200bຢາງ"
"""With a place to break the line, and without the tone mark that is written there."""


def read_one(desk: Desk) -> str:
    """A bulletin that was opened here; its id."""
    said, header = wish("drug_seizure"), row(1, schema="saphan/drug_seizure/1")
    keep_rows(desk, header)
    Inbox(desk).keep({
        "id": header["id"], "header": header, "author": "bounmy", "attachments": [],
        "content": {"about": said["about"], "body": said["body"]},
    })  # fmt: skip
    return str(header["id"])


async def test_a_result_that_is_erased_while_it_is_shown_goes(browser: Browser) -> None:
    async with desk_page(lang="lo") as page:
        bulletin = await page.open.work(read_one)
        origin = f"http://{page.host}"
        context = await browser.new_context(viewport={"width": 1366, "height": 768})
        await context.add_cookies([{"name": COOKIE, "value": page.cookie, "url": origin}])
        tab = await context.new_page()
        try:
            await tab.goto(f"{origin}/search")
            await expect(tab.locator("#q")).to_be_focused()
            await tab.keyboard.type(TYPED)
            await tab.keyboard.press("Enter")
            link = tab.locator(f'#found a[href="/bulletins/{bulletin}"]')
            await expect(link).to_have_count(1)
            assert "ສົມ" not in tab.url
            assert "%E0" not in tab.url
            await expect(tab.locator("#found mark").first).to_be_visible()
            await page.open.work(lambda desk: Keeping(desk).erase([bytes.fromhex(bulletin)]))
            page.place.topics.publish("inbox")
            await expect(link).to_have_count(0)
            await expect(tab.locator("#found mark")).to_have_count(0)
            await expect(tab.locator("#q")).to_have_value(TYPED)
        finally:
            await context.close()
