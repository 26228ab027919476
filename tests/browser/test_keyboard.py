"""By keyboard alone: from the first Tab on a page to a bulletin that is sent and opened."""

from __future__ import annotations

from typing import Final

from playwright.async_api import expect
from support.deskwork import sent
from support.filling import short
from support.keyboard import fill_by_keyboard, press
from support.tabs import Visitor

LOST: Final = "document.activeElement === document.body"


async def test_the_first_tab_leads_past_the_menu(kh: Visitor) -> None:
    page = await kh.tab("/inbox")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('main') !== null")
    await page.close()


async def test_a_bulletin_is_written_sent_and_opened_without_a_mouse(
    la: Visitor, kh: Visitor
) -> None:
    await kh.speak("en")
    page = await kh.tab("/inbox")
    await press(page, page.locator("nav a[href='/write']"))
    await press(page, page.locator("#types a[href*=info_request]"))
    await press(page, page.locator("main form[action='/write'] button.primary"))
    await page.wait_for_url("**/drafts/*")
    asked = short("info_request", "en", "KH-GPO-2026-RQ-0910")
    await fill_by_keyboard(page, asked)
    await kh.picture(page, "keyboard-form")
    await press(page, page.locator("#draft button[name=do][value=preview]"))
    await page.wait_for_url("**/preview")
    await press(page, page.locator("form[action$='/send'] button.primary"))
    await page.wait_for_url("**/sent*")
    await page.close()
    bulletin = await sent(kh)

    page = await la.tab("/inbox")
    row = page.locator(f"#b-{bulletin[:16]} a.whole")
    await row.wait_for()
    await press(page, row)
    await page.wait_for_url(f"**/bulletins/{bulletin}")
    await press(page, page.locator("#open button"))
    await expect(page.locator("main")).to_contain_text(asked["/body"]["facts"]["en"])
    await page.close()
    la.check()
    kh.check()


async def test_a_part_that_is_added_has_the_focus_and_one_that_goes_leaves_it_near(
    la: Visitor,
) -> None:
    await la.speak("en")
    page = await la.tab("/write?type=saphan/info_request/1")
    await press(page, page.locator("main form[action='/write'] button.primary"))
    await page.wait_for_url("**/drafts/*")
    await press(page, page.locator('#draft button[value="add /body/questions"]'))
    second = page.locator('#draft [name^="/body/questions/1/"]').first
    await second.wait_for()
    await expect(second).to_be_focused()
    await press(page, page.locator('#draft button[value="remove /body/questions/1"]'))
    await second.wait_for(state="detached")
    assert not await page.evaluate(LOST), "the next Tab would begin at the top of the page"
    await page.close()
    la.check()
