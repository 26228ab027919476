"""What is typed into a form while its answers are late, orders overtake each other, a page goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, Route, expect
from saphan_schemas.messages import text as text_of
from support.form_tab import WISH, at, form, kept

POSTS = "**/drafts/*"
PASTED = """field => {
  field.value = "\u1780".repeat(500_000);
  field.dispatchEvent(new Event("input", { bubbles: true }));
}"""
LEFT = """field => {
  field.value = "left";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  location.assign("/settings");
}"""


@asynccontextmanager
async def late(tab: Page) -> AsyncIterator[asyncio.Event]:
    """Saves are on their way until the event is set."""
    gate = asyncio.Event()

    async def wait(route: Route) -> None:
        await gate.wait()
        await route.continue_()

    await tab.route(POSTS, wait)
    try:
        yield gate
    finally:
        gate.set()
        await tab.unroute_all(behavior="wait")


async def test_what_is_typed_in_two_fields_while_an_answer_is_late_stays(browser: Browser) -> None:
    async with form(browser, "en") as (page, draft, tab):
        text, amount = tab.locator(at("/body/narrative/en")), tab.locator(at("/about/reference"))
        async with late(tab) as gate:
            async with tab.expect_request(POSTS):
                await text.fill("first")
            await text.fill("first and second")
            await amount.fill("A/1")
            # Its half second is over too: the next save waits for the answer of this one.
            await asyncio.sleep(0.7)
            gate.set()
        await expect(tab.locator("#saved")).to_be_visible()
        # Answers of earlier saves come first.
        async with tab.expect_response(lambda one: "A%2F12" in (one.request.post_data or "")):
            await amount.press_sequentially("2")
        now = await kept(page, draft)
        assert now["about"]["reference"] == "A/12"
        assert now["body"]["narrative"]["en"] == "first and second"
        await expect(text).to_have_value("first and second")
        await expect(amount).to_have_value("A/12")


async def test_orders_are_done_once_however_often_they_are_given(browser: Browser) -> None:
    async with form(browser, "en") as (page, draft, tab):
        assert len(WISH["body"]["substances"]) > 1
        async with late(tab) as gate:
            async with tab.expect_request(POSTS):
                await tab.locator(at("/body/narrative/en")).fill("before")
            gone = tab.locator('button[value="remove /body/substances/0"]')
            await gone.dblclick()
            await gone.dispatch_event("click")
            gate.set()
        await expect(
            tab.locator(at(f"/body/substances/{len(WISH['body']['substances']) - 1}"))
        ).to_have_count(0)
        now = await kept(page, draft)
        assert now["body"]["substances"] == WISH["body"]["substances"][1:]
        assert now["body"]["narrative"]["en"] == "before"


async def test_letters_that_an_input_method_composes_stay(browser: Browser) -> None:
    async with form(browser, "km") as (page, draft, tab):
        text = tab.locator(at("/body/narrative/km"))
        await text.fill("")
        keyboard = await tab.context.new_cdp_session(tab)
        word = "សួស្តី"
        for end in range(1, len(word) + 1):
            async with tab.expect_response(POSTS):
                await keyboard.send(
                    "Input.imeSetComposition",
                    {"text": word[:end], "selectionStart": end, "selectionEnd": end},
                )
        async with tab.expect_response(POSTS):
            await keyboard.send("Input.insertText", {"text": word})
        await expect(text).to_have_value(word)
        await expect(text).to_be_focused()
        assert await text.evaluate("one => one.selectionStart") == len(word)
        assert (await kept(page, draft))["body"]["narrative"]["km"] == word


async def test_what_is_too_long_to_be_saved_stays_and_says_so(browser: Browser) -> None:
    async with form(browser, "km") as (page, draft, tab):
        field = tab.locator(at("/about/reference"))
        await field.evaluate(PASTED)
        why = tab.locator("#unsaved")
        await expect(why).to_contain_text(text_of("page.ground.page_large", "km"))
        assert await field.evaluate("one => one.value.length") == 500_000
        await field.fill("LA/1")
        await expect(why).to_have_count(0)
        assert (await kept(page, draft))["about"]["reference"] == "LA/1"


async def test_a_long_form_that_is_left_at_once_is_kept(browser: Browser) -> None:
    async with form(browser, "en") as (page, draft, tab):
        await tab.locator(at("/body/narrative/en")).fill("x" * 70_000)
        async with tab.expect_response(POSTS):
            await tab.locator(at("/about/reference")).fill("kept")
        async with tab.expect_navigation():
            await tab.locator(at("/about/reference")).evaluate(LEFT)
        now = await kept(page, draft)
        for _ in range(100):
            if now["about"]["reference"] == "left":
                break
            await asyncio.sleep(0.05)
            now = await kept(page, draft)
        assert now["about"]["reference"] == "left"
        assert len(now["body"]["narrative"]["en"]) == 70_000
