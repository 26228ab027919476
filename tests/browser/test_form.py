"""A bulletin is filled in by keyboard: codes in three scripts, parts that come and go, faults."""

from __future__ import annotations

from playwright.async_api import Browser, expect
from support.form_tab import ANSWERS, WISH, at, form, kept


async def test_codes_are_searched_by_keyboard_in_another_script(browser: Browser) -> None:
    async with form(browser, "lo") as (page, draft, tab):
        field = tab.locator(at("/body/place/country"))
        await expect(field).to_have_value("ລາວ (LA)")
        await field.fill("")
        await field.press_sequentially("កម្ព")
        option = tab.locator(".combo [role=option]")
        await expect(option).to_have_count(1)
        await expect(option).to_contain_text("កម្ពុជា")
        await field.press("ArrowDown")
        active = f"{await field.get_attribute('id')}-option-0"
        await expect(field).to_have_attribute("aria-activedescendant", active)
        await field.press("Enter")
        await expect(field).to_have_value("ກຳປູເຈຍ (KH)")
        await expect(option).to_have_count(0)
        # The province that stood there is none of this country: it says so, and offers those.
        province = tab.locator(at("/body/place/subdivision", "-error"))
        await expect(province).to_be_visible()
        await expect(field).to_be_focused()
        assert (await kept(page, draft))["body"]["place"]["country"] == "KH"


async def test_parts_come_and_go_and_the_focus_goes_along(browser: Browser) -> None:
    async with form(browser, "en") as (page, draft, tab):
        add = tab.locator('button[value="add /body/vessels"]')
        await add.focus()
        await add.press("Enter")
        kind = tab.locator(at("/body/vessels/0/kind"))
        await expect(kind).to_be_focused()
        await kind.select_option("longtail")
        await tab.locator(at("/body/vessels/0/imo")).fill("9074728")
        fault = tab.locator(at("/body/vessels/0/imo", "-error"))
        await expect(fault).to_contain_text("check digit")
        await tab.locator(at("/body/vessels/0/imo")).fill("9074729")
        await expect(fault).to_have_count(0)
        vessels = (await kept(page, draft))["body"]["vessels"]
        assert vessels == [{"kind": "longtail", "imo": "9074729"}]
        down = tab.locator('button[value="down /body/substances/0"]')
        await down.press("Enter")
        await expect(tab.locator(at("/body/substances/1"))).to_be_focused()
        first, second = WISH["body"]["substances"]
        assert (await kept(page, draft))["body"]["substances"] == [second, first]
        gone = tab.locator('button[value="remove /body/vessels/0"]')
        await gone.press("Enter")
        await expect(add).to_be_focused()
        assert "vessels" not in (await kept(page, draft))["body"]


async def test_the_list_of_faults_leads_to_its_fields(browser: Browser) -> None:
    async with form(browser, "km") as (_, _, tab):
        await tab.locator(at("/body/place/country")).fill("")
        await tab.locator(at("/body/substances/0/amount")).fill("១២.៥.១")
        await expect(tab.locator(at("/body/substances/0/amount", "-error"))).to_be_visible()
        await tab.goto(f"{tab.url}?check")
        links = tab.locator("#errors a")
        await expect(links).to_have_count(2)
        beside = tab.locator("#contents-list .count.warn")
        await expect(beside).to_have_count(2)
        await links.nth(0).press("Enter")
        focused = tab.locator(":focus")
        await expect(focused).to_have_attribute("aria-invalid", "true")
        # Corrected in one's own digits, it is gone from the list; the other one stays.
        right = str(ANSWERS["/body/substances/0/amount"])
        khmer = right.translate({48 + one: chr(0x17E0 + one) for one in range(10)})
        await tab.locator(at("/body/substances/0/amount")).fill(khmer)
        await expect(links).to_have_count(1)
        await expect(beside).to_have_count(1)


async def test_what_is_typed_survives_what_is_saved_meanwhile(browser: Browser) -> None:
    async with form(browser, "en") as (page, draft, tab):
        field = tab.locator(at("/body/narrative/en"))
        await field.fill("")
        for word in ("One", " two", " three"):
            async with tab.expect_response(lambda answer: answer.request.method == "POST"):
                await field.press_sequentially(word)
        await expect(field).to_have_value("One two three")
        assert (await kept(page, draft))["body"]["narrative"]["en"] == "One two three"
