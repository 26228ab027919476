"""Two offices at work on their officers' pages, from the form to the evidence, in each language."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page
from saphan_schemas.messages import text
from support.accessible import serious
from support.deskwork import begin, countersigned, downloaded, previewed, read, send, sent, written
from support.filling import LANGUAGES, fill, put, short
from support.tabs import Visitor

PDF: Final = b"%PDF-1.7\n% a report of this test\n%%EOF\n"


async def both_speak(lang: str, *officers: Visitor) -> None:
    for officer in officers:
        await officer.speak(lang)


async def row(page: Page, bulletin: str) -> None:
    """The bulletin comes into a list that is open already, without a reload."""
    await page.locator(f"#b-{bulletin[:16]}").wait_for()


def contents(path: Path) -> bytes:
    """Of a file that was saved."""
    return path.read_bytes()


@dataclass
class Offices:
    """khamla and noy of la.ospp, dara of kh.gpo, and their language.

    Attributes:
        inbox: of khamla, there: of dara; both stay open all the time.
    """

    lang: str
    la: Visitor
    second: Visitor
    kh: Visitor
    inbox: Page
    there: Page

    def reference(self, form: str) -> str:
        """A number of its own in each language."""
        return form.format(LANGUAGES.index(self.lang))

    async def judged(self, page: Page, *, in_turn: str) -> None:
        """axe-core finds nothing serious; markup is the same in every language."""
        if self.lang == in_turn:
            assert await serious(page) == []

    async def request(self, report: Path) -> tuple[str, dict[str, Any]]:
        """Vientiane asks; the request leaves with two signatures."""
        asked = short("info_request", self.lang, self.reference("LA-OSPP-2026-RQ-000{}"))
        title = f"{asked['/about']['title'][self.lang]} 0031/2026"
        asked["/about"]["title"][self.lang] = title
        page = await written(self.la, "/write", "info_request", asked, report)
        await self.la.picture(page, f"{self.lang}-1-preview")
        await self.judged(page, in_turn="lo")
        assert title not in await page.locator("#broker").inner_text(), "the broker reads no title"
        assert title in await page.locator("#recipient").inner_text()
        await send(page)
        waiting = text("page.sending.state.countersign", self.lang)
        assert waiting in await page.locator("#sent tbody tr").first.inner_text()
        await page.close()
        await countersigned(self.second)
        return await sent(self.la), asked

    async def taken(self, request: str, asked: dict[str, Any]) -> None:
        """Phnom Penh sees it come, opens it, keeps the report."""
        await row(self.there, request)
        await self.kh.picture(self.there, f"{self.lang}-2-inbox")
        page = await read(self.kh, request)
        shown = await page.locator("main").inner_text()
        assert asked["/about"]["title"][self.lang] in shown
        assert asked["/body"]["questions"][0]["text"][self.lang] in shown
        saved = await downloaded(page, "#files form button")
        assert contents(await saved.path()) == PDF
        await self.kh.picture(page, f"{self.lang}-3-reading", full=True)
        await page.close()

    async def answered(self, request: str, asked: dict[str, Any]) -> None:
        """Phnom Penh answers; Vientiane reads the answer."""
        answer = short("info_reply_final", self.lang, self.reference("KH-GPO-2026-RP-000{}"))
        answer["/body"]["answers"][0]["no"] = asked["/body"]["questions"][0]["no"]
        page = await written(self.kh, f"/write?reply={request}", "info_reply", answer, None)
        await send(page)
        await page.close()
        reply = await sent(self.kh)
        await row(self.inbox, reply)
        page = await read(self.la, reply)
        assert answer["/about"]["title"][self.lang] in await page.locator("main").inner_text()
        await page.close()

    async def corrected(self, request: str, title: str) -> str:
        """Vientiane corrects its request; at once the first one is struck through there."""
        page = await begin(self.la, f"/write?correct={request}", "info_request")
        await put(page, f"/about/title/{self.lang}", f"{title} 2")
        await fill(page, {"/about": {"reference": self.reference("LA-OSPP-2026-RQ-100{}")}})
        await previewed(page)
        await send(page)
        await page.close()
        await countersigned(self.second)
        correction = await sent(self.la)
        await row(self.there, correction)
        struck = self.there.locator(f"#b-{request[:16]}.struck")
        await struck.wait_for()
        assert text("page.inbox.corrected", self.lang) in await struck.inner_text()
        await self.kh.picture(self.there, f"{self.lang}-4-corrected")
        return correction

    async def recalled(self, bulletin: str) -> None:
        """It was the wrong case: it is taken back, and Phnom Penh sees that."""
        page = await self.la.tab(f"/bulletins/{bulletin}/recall")
        await page.locator("#reason-error").check()
        await page.locator("form[action$='/recall'] button.danger").click()
        await page.locator("#recall table").wait_for()
        await self.la.picture(page, f"{self.lang}-5-recalled")
        await self.judged(page, in_turn="km")
        await page.close()
        await self.there.locator(f"#b-{bulletin[:16]}.struck").wait_for()

    async def filed(self, request: str) -> None:
        """Evidence, and paper, of the request."""
        page = await self.kh.tab(f"/bulletins/{request}")
        evidence = await downloaded(page, "form[action$='/evidence'] button")
        assert len(contents(await evidence.path())) > 1_000
        await page.goto(f"{self.kh.origin}/bulletins/{request}/print")
        await page.locator("form[action$='/print'] button").click()
        await page.wait_for_function("!document.querySelector(\"form[action$='/print']\")")
        assert request in (await page.locator("body").inner_text()).replace("\n", "")
        await self.kh.picture(page, f"{self.lang}-6-paper")
        await self.judged(page, in_turn="en")
        await page.close()


@pytest.mark.parametrize(
    "lang",
    [
        pytest.param("lo", marks=pytest.mark.long),
        "km",
        pytest.param("en", marks=pytest.mark.long),
    ],
)
async def test_two_offices_work_together(
    lang: str, la: Visitor, second: Visitor, kh: Visitor, tmp_path: Path
) -> None:
    await both_speak(lang, la, second, kh)
    inbox, there = await la.tab("/inbox"), await kh.tab("/inbox")
    offices = Offices(lang, la, second, kh, inbox, there)
    report = tmp_path / "report.pdf"
    report.write_bytes(PDF)
    request, asked = await offices.request(report)
    await offices.taken(request, asked)
    await offices.answered(request, asked)
    correction = await offices.corrected(request, asked["/about"]["title"][lang])
    await offices.recalled(correction)
    await offices.filed(request)
    await inbox.close()
    await there.close()
    for officer in (la, second, kh):
        officer.check()
