"""Lao, Khmer and English on a bare machine: letters, line breaks, and the switch in place."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.async_api import Page
from saphan_schemas.messages import LANGUAGES, text
from support.accessible import foreign_letters, too_wide
from support.tabs import Visitor

LETTERS: Final = {"lo": "Noto Sans Lao", "km": "Noto Sans Khmer"}

BREAKS: Final = """([lang, words]) => {
  const box = document.createElement("div");
  box.lang = lang;
  box.style.width = "9rem";
  const node = box.appendChild(document.createTextNode(words));
  document.getElementById("main").append(box);
  const range = document.createRange(), starts = [];
  let top = null;
  for (let at = 0; at < words.length; at++) {
    range.setStart(node, at);
    range.setEnd(node, at + 1);
    const seen = range.getClientRects()[0];
    if (!seen || !seen.width) continue;
    if (top !== null && seen.top > top + 12) starts.push(at);
    if (top === null || seen.top > top + 12) top = seen.top;
  }
  const ends = [...new Intl.Segmenter(lang, { granularity: "word" }).segment(words)];
  box.remove();
  return { starts, words: ends.map((one) => one.index), over: box.scrollWidth > box.clientWidth };
}"""
"""Where the lines of a narrow box begin, and where the words of the language do."""


async def fonts_used(page: Page, lang: str) -> set[str]:
    """Names of the fonts that came with the page and in which its heading is drawn."""
    session = await page.context.new_cdp_session(page)
    await session.send("DOM.enable")
    await session.send("CSS.enable")
    root = await session.send("DOM.getDocument")
    found: dict[str, Any] = await session.send(
        "DOM.querySelector",
        {"nodeId": root["root"]["nodeId"], "selector": f"#lang-{lang}"},
    )
    drawn = await session.send("CSS.getPlatformFontsForNode", {"nodeId": found["nodeId"]})
    return {one["familyName"] for one in drawn["fonts"] if one["isCustomFont"]}


@pytest.mark.parametrize("lang", list(LETTERS))
async def test_letters_come_with_the_page(kh: Visitor, lang: str) -> None:
    """A bare machine has no font for them: those of the page are used even where it has."""
    page = await kh.tab("/help")
    await page.evaluate("document.fonts.ready")
    assert await fonts_used(page, lang) == {LETTERS[lang]}
    await page.close()
    kh.check()


@pytest.mark.parametrize("lang", list(LETTERS))
async def test_lines_break_between_words(kh: Visitor, lang: str) -> None:
    """Neither script has spaces between words; a line begins only where a word does."""
    page = await kh.tab("/help")
    for key in ("page.look.help.lead", "page.look.help.keys_lead", "page.look.help.struck"):
        found = await page.evaluate(BREAKS, [lang, text(key, lang)])
        assert len(found["starts"]) >= 2, "the box is narrow"
        assert set(found["starts"]) <= set(found["words"])
        assert not found["over"]
    await page.close()


async def test_another_language_in_place(kh: Visitor) -> None:
    """The page is not loaded anew: what is typed and not saved stays, and so does the focus."""
    page = await kh.tab("/search")
    await page.evaluate("window.same = true")
    typed = page.locator("main input[name=q]")
    await typed.fill("ຢາບ້າ")
    for lang in ("lo", "km", "en"):
        await page.locator(f"#lang-{lang}").click()
        await page.locator(f"html[lang={lang}]").wait_for(state="attached")
        await page.get_by_role("link", name=text("page.ground.nav.inbox", lang)).wait_for()
        assert await typed.input_value() == "ຢາບ້າ"
        assert await page.evaluate("document.activeElement.id") == f"lang-{lang}"
        assert await page.locator(f"#lang-{lang}").get_attribute("aria-pressed") == "true"
        assert await foreign_letters(page) == []
        assert await too_wide(page) == 0
    assert await page.evaluate("window.same === true")
    await page.close()
    kh.check()


async def test_another_language_while_writing(la: Visitor) -> None:
    """Nothing that was typed is lost, and the draft goes on being saved."""
    page = await la.tab("/write?type=saphan/info_request/1")
    await page.locator("#main form button.primary").click()
    await page.wait_for_url("**/drafts/*")
    typed = page.locator("#draft textarea").first
    name = await typed.get_attribute("name")
    await typed.fill("ລົດກະບະຄັນນີ້")
    await page.locator("#lang-km").click()
    await page.locator("html[lang=km]").wait_for(state="attached")
    again = page.locator(f'#draft textarea[name="{name}"]')
    assert await again.input_value() == "ລົດກະບະຄັນນີ້"
    async with page.expect_response(lambda answer: "/drafts/" in answer.url):
        await again.press("End")
        await again.press_sequentially(" 0000")
    await page.locator("#lang-en").click()
    await page.locator("html[lang=en]").wait_for(state="attached")
    assert not await page.locator("#conflict").count()
    await page.reload()
    assert await again.input_value() == "ລົດກະບະຄັນນີ້ 0000"
    await page.close()
    la.check()


async def test_keys_by_their_place_on_the_board(kh: Visitor) -> None:
    """A Khmer layout types no I; the key that has it elsewhere goes to the inbox all the same."""
    page = await kh.tab("/help")
    await page.evaluate(PRESSED, ["KeyI", "\u17b7"])
    await page.wait_for_url("**/inbox")
    await page.keyboard.press("h")
    await page.wait_for_url("**/help")
    await page.keyboard.press("f")
    await page.wait_for_url("**/search**")
    await page.locator("main input[name=q]").press("h")
    assert await page.locator("main input[name=q]").input_value() == "h", "typed, not obeyed"
    await page.goto(f"{kh.origin}/help")
    await page.locator("[data-keys-switch]").uncheck()
    await page.keyboard.press("i")
    await page.reload()
    assert page.url.endswith("/help"), "keys are switched off on this machine"
    assert not await page.locator("[data-keys-switch]").is_checked()
    await page.locator("[data-keys-switch]").check()
    await page.close()
    kh.check()


PRESSED: Final = """([code, key]) => document.body.dispatchEvent(
  new KeyboardEvent("keydown", { code, key, bubbles: true, cancelable: true }))"""


async def test_every_language_has_its_button(kh: Visitor) -> None:
    page = await kh.tab("/help")
    names = await page.locator(".langs button").all_inner_texts()
    assert names == [text(f"page.ground.language.{one}", one) for one in LANGUAGES]
    await page.close()
