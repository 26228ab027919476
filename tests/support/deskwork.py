"""What officers do on their pages, step by step: write, sign, read, answer, correct, take back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Download, Page

from support.filling import fill
from support.tabs import Visitor

Json = dict[str, Any]


async def begin(officer: Visitor, path: str, kind: str) -> Page:
    """Choose what to write and to whom; the form."""
    page = await officer.tab(path)
    choice = page.locator(f"main a[href*='saphan%2F{kind}%2F1'], main a[href*='saphan/{kind}/1']")
    await page.locator("main a[href^='/write?type='], main form[action='/write']").first.wait_for()
    if await choice.count():
        await choice.first.click()
    await page.locator("main form[action='/write'] button.primary").click()
    await page.wait_for_url("**/drafts/*")
    return page


async def attach(page: Page, file: Path) -> None:
    """Attach a file to the draft."""
    await page.locator("#file").set_input_files(file)
    await page.locator("#draft button[formaction$='/files']").click()
    await page.locator("#files .files li").first.wait_for()


async def previewed(page: Page) -> None:
    """To the page on which both halves are shown."""
    await page.locator("#draft button[name=do][value=preview]").click()
    await page.wait_for_url("**/preview")


async def send(page: Page) -> None:
    """Sign and send what the preview shows."""
    await page.locator("form[action$='/send'] button.primary").click()
    await page.wait_for_url("**/sent*")


async def written(officer: Visitor, path: str, kind: str, content: Json, file: Path | None) -> Page:
    """A filled form, at its preview."""
    page = await begin(officer, path, kind)
    await fill(page, content)
    if file is not None:
        await attach(page, file)
    await previewed(page)
    return page


async def countersigned(colleague: Visitor) -> None:
    """The colleague reads what waits and signs it."""
    page = await colleague.tab("/approve")
    await page.locator("#approve a.whole").first.click()
    await page.locator("form[action$='/open'] button").click()
    await page.locator("form[action$='/sign'] button").click()
    await page.wait_for_url("**/approve?*")
    await page.close()


async def sent(officer: Visitor) -> str:
    """Id of what was sent last, once it has one."""
    page = await officer.tab("/sent")
    link = page.locator("#sent tbody tr").first.locator("a.whole[href^='/bulletins/']")
    await link.wait_for()
    found = await link.get_attribute("href")
    await page.close()
    assert found is not None
    return found.rpartition("/")[2]


async def read(officer: Visitor, bulletin: str) -> Page:
    """Open a bulletin: its content is shown after the button only."""
    page = await officer.tab(f"/bulletins/{bulletin}")
    if await page.locator("#open button").count():
        await page.locator("#open button").click()
    await page.locator("#part-body, #thread").first.wait_for()
    await page.locator("#open").wait_for(state="detached")
    return page


async def downloaded(page: Page, selector: str) -> Download:
    """What a button gives as a file."""
    async with page.expect_download() as waiting:
        await page.locator(selector).click()
    return await waiting.value
