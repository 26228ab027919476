"""What happens to officers: the node is gone and comes back, two tabs, a lock while they write."""

from __future__ import annotations

import contextlib

from playwright.async_api import Page, expect
from playwright.async_api import TimeoutError as Late
from saphan_schemas.messages import text
from support.bridge import KH, LA
from support.deskwork import begin, previewed, read, send, sent, written
from support.filling import fill, put, short
from support.page_world import PageWorld
from support.tabs import Visitor, unlock

TITLE = "#draft [name='/about/title/en']"


async def hurried(page: Page) -> None:
    """Try now, unless the line comes back by itself before the button is reached."""
    button, there = page.locator("#no-line button"), page.locator("#line:not(.off)")
    await button.or_(there).first.wait_for()
    with contextlib.suppress(Late):
        await button.click(timeout=2_000)
    await there.wait_for()


async def keyed(page: Page, words: str) -> None:
    """Type a title, and wait until it is kept without a button."""
    async with page.expect_response(lambda answer: answer.request.method == "POST"):
        await page.locator(TITLE).fill(words)


async def test_node_gone_and_back(world: PageWorld, la: Visitor, kh: Visitor) -> None:
    """What is written meanwhile leaves by itself, once; what was opened stays readable."""
    await la.speak("en")
    await kh.speak("en")
    inbox, page = await la.tab("/inbox"), await kh.tab("/inbox")
    await page.locator("#line:not(.off)").wait_for()
    await world.nodes[KH].kill()
    await page.locator("#no-line .notice").wait_for()
    await kh.picture(page, "node-gone")

    asked = short("info_request", "en", "KH-GPO-2026-RQ-0900")
    writing = await written(kh, "/write", "info_request", asked, None)
    await send(writing)
    row = writing.locator("#sent tbody tr").first
    assert text("page.sending.state.waiting", "en") in await row.inner_text()
    await kh.picture(writing, "node-gone-sent")

    await world.nodes[KH].start()
    await hurried(page)
    await page.locator("#no-line .notice").wait_for(state="detached")
    bulletin = await sent(kh)
    came = inbox.locator(f"#b-{bulletin[:16]}")
    await came.wait_for()
    assert await came.count() == 1

    opened = await read(la, bulletin)
    await world.nodes[LA].kill()
    await opened.locator("#no-line .notice").wait_for()
    await opened.reload()
    assert asked["/body"]["facts"]["en"] in await opened.locator("main").inner_text()
    await la.picture(opened, "node-gone-reading")
    await world.nodes[LA].start()
    await hurried(opened)
    for one in (inbox, page, writing, opened):
        await one.close()
    la.check()
    kh.check()


async def test_two_tabs_write_one_draft_and_no_word_is_lost(la: Visitor) -> None:
    await la.speak("en")
    one = await begin(la, "/write", "drug_seizure")
    other = await la.tab(one.url.removeprefix(la.origin))
    await keyed(one, "as the first tab has it")
    await keyed(other, "as the second tab has it")
    await expect(other.locator("#conflict")).to_be_in_viewport()
    await la.picture(other, "two-tabs")
    assert await other.locator(TITLE).input_value() == "as the second tab has it"
    await other.locator("#conflict button[value=branch]").click()
    await other.wait_for_url(lambda url: url != one.url)
    assert await other.locator(TITLE).input_value() == "as the second tab has it"
    await one.reload()
    assert await one.locator(TITLE).input_value() == "as the first tab has it"
    await one.close()
    await other.close()
    la.check()


async def test_lock_while_writing_keeps_the_draft(world: PageWorld, la: Visitor) -> None:
    """The lock is pressed right after the last letter; every tab asks for the passphrase."""
    await la.speak("en")
    page = await begin(la, "/write", "drug_seizure")
    address, other = page.url, await la.tab("/inbox")
    assert world.la.running is not None
    before = world.la.running.pid
    await page.locator(TITLE).fill("half a sente")
    await page.locator("#lock button").click()
    await page.locator("input[type=password]").wait_for()
    await other.locator("input[type=password]").wait_for()
    assert "half a sente" not in await page.content()
    await la.picture(page, "locked")
    await unlock(page)
    await page.wait_for_url(address)
    assert await page.locator(TITLE).input_value() == "half a sente"
    await other.locator("#inbox").wait_for()
    assert world.la.running.pid == before, "the browser stays where it is"
    await page.close()
    await other.close()
    la.check()


async def test_a_wrong_form_says_where_and_is_not_sent(la: Visitor) -> None:
    """The list of faults leads to the fields; the schema's own words stand beside them."""
    await la.speak("en")
    page = await begin(la, "/write", "info_request")
    asked = short("info_request", "en", "LA-OSPP-2026-RQ-0901")
    del asked["/body"]["facts"]
    await fill(page, asked)
    await page.locator("#draft button[name=do][value=preview]").click()
    fault = page.locator("#errors a").first
    await fault.wait_for()
    await la.picture(page, "faults")
    await fault.click()
    focused = await page.evaluate("document.activeElement.name")
    assert focused == "/body/facts/en"
    await put(page, "/body/facts/en", "now it is there")
    await previewed(page)
    await page.close()
    la.check()
