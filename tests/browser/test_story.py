"""Two offices at work on their officers' pages, from the form to the evidence, in each language."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page
from saphan_schemas.messages import text
from support.accessible import serious
from support.deskwork import countersigned, downloaded, previewed, read, send, sent, written
from support.filling import LANGUAGES, fill, put, short
from support.tabs import Visitor

PDF: Final = b"%PDF-1.7\n% a report of this test\n%%EOF\n"


async def both_speak(lang: str, *officers: Visitor) -> None:
    for officer in officers:
        await officer.speak(lang)


async def row(page: Page, bulletin: str) -> Any:
    """The bulletin's row in a list that is open already: it comes without a reload."""
    found = page.locator(f"#b-{bulletin[:16]}")
    await found.wait_for()
    return found


def contents(path: Path) -> bytes:
    """Of a file that was saved."""
    return path.read_bytes()


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_two_offices_work_together(
    lang: str, la: Visitor, second: Visitor, kh: Visitor, tmp_path: Path
) -> None:
    await both_speak(lang, la, second, kh)
    inbox, there = await la.tab("/inbox"), await kh.tab("/inbox")
    await inbox.locator("#inbox").wait_for()

    # Vientiane asks; the request leaves with two signatures.
    report = tmp_path / "report.pdf"
    report.write_bytes(PDF)
    asked = short("info_request", lang, f"LA-OSPP-2026-RQ-{LANGUAGES.index(lang):04d}")
    title = asked["/about"]["title"][lang] = f"{asked['/about']['title'][lang]} 0031/2026"
    page = await written(la, "/write", "info_request", asked, report)
    await la.picture(page, f"{lang}-1-preview", full=True)
    assert await serious(page) == []
    assert title not in await page.locator("#broker").inner_text(), "the broker reads no title"
    assert title in await page.locator("#recipient").inner_text()
    await send(page)
    waiting = text("page.sending.state.countersign", lang)
    assert waiting in await page.locator("#sent tbody tr").first.inner_text()
    await page.close()
    await countersigned(second)
    request = await sent(la)

    # Phnom Penh sees it come, opens it, keeps the report, answers.
    await (await row(there, request)).locator("a.whole").wait_for()
    await kh.picture(there, f"{lang}-2-inbox")
    page = await read(kh, request)
    shown = await page.locator("main").inner_text()
    assert title in shown
    assert asked["/body"]["questions"][0]["text"][lang] in shown
    saved = await downloaded(page, "#files form button")
    assert contents(await saved.path()) == PDF
    await kh.picture(page, f"{lang}-3-reading", full=True)
    await page.close()
    answer = short("info_reply_final", lang, f"KH-GPO-2026-RP-{LANGUAGES.index(lang):04d}")
    answer["/body"]["answers"][0]["no"] = asked["/body"]["questions"][0]["no"]
    page = await written(kh, f"/write?reply={request}", "info_reply", answer, None)
    await send(page)
    await page.close()
    reply = await sent(kh)

    # Vientiane reads the answer, and corrects its own request.
    await row(inbox, reply)
    page = await read(la, reply)
    assert answer["/about"]["title"][lang] in await page.locator("main").inner_text()
    await page.goto(f"{la.origin}/write?correct={request}")
    await page.locator("main form[action='/write'] button.primary").click()
    await page.wait_for_url("**/drafts/*")
    other = f"{title} 2"
    await put(page, f"/about/title/{lang}", other)
    await fill(page, {"/about": {"reference": f"LA-OSPP-2026-RQ-1{LANGUAGES.index(lang):03d}"}})
    await previewed(page)
    await send(page)
    await page.close()
    await countersigned(second)
    corrected = await sent(la)
    await row(there, corrected)
    struck = there.locator(f"#b-{request[:16]}.struck")
    await struck.wait_for()
    assert text("page.inbox.corrected", lang) in await struck.inner_text()
    await kh.picture(there, f"{lang}-4-corrected")

    # It was the wrong case: it is taken back, and Phnom Penh sees that.
    page = await la.tab(f"/bulletins/{corrected}/recall")
    await page.locator("#reason-error").check()
    await page.locator("form[action$='/recall'] button.danger").click()
    await page.locator("#recall table").wait_for()
    await la.picture(page, f"{lang}-5-recalled")
    assert await serious(page) == []
    await page.close()
    recalled = there.locator(f"#b-{corrected[:16]}.struck")
    await recalled.wait_for()

    # Paper, and evidence, of the request.
    page = await kh.tab(f"/bulletins/{request}")
    evidence = await downloaded(page, "form[action$='/evidence'] button")
    assert len(contents(await evidence.path())) > 1_000
    await page.goto(f"{kh.origin}/bulletins/{request}/print")
    await page.locator("form[action$='/print'] button").click()
    await page.wait_for_function("!document.querySelector(\"form[action$='/print']\")")
    assert request in (await page.locator("body").inner_text()).replace("\n", "")
    await kh.picture(page, f"{lang}-6-paper", full=True)
    assert await serious(page) == []
    for one in (inbox, there, page):
        await one.close()
    for officer in (la, second, kh):
        officer.check()
