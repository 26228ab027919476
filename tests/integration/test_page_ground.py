"""The page's ground: a launched browser is shown pages in the officer's language."""

from __future__ import annotations

import pytest
from saphan_schemas.messages import LANGUAGES, text
from support.desk_page import desk_page


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "Settings"), ("lo", "ການຕັ້ງຄ່າ"), ("km", "ការកំណត់")]
)
async def test_pages_speak_the_officers_language(lang: str, said: str) -> None:
    async with desk_page(lang=lang) as page:
        status, text = await page.get("/nowhere")
        assert status == 404
        assert said in text
        assert f'<html lang="{lang}">' in text


async def test_a_locked_page_asks_for_the_passphrase_and_comes_back() -> None:
    async with desk_page(opened=False) as page:
        status, text = await page.get("/unlock?next=/nowhere%3Fx%3D1")
        assert (status, "/nowhere?x=1" in text) == (200, True)
        secret = {"passphrase": "open sesame of a test", "next": "/nowhere?x=1"}
        assert await page.post("/unlock", secret, follow=False) == (303, "/nowhere?x=1")
        assert page.open.me.handle == "dao"


async def test_after_a_failed_order_the_language_switch_leads_back_to_its_page() -> None:
    async with desk_page() as page:
        for referer, shown in (
            (f"http://{page.host}/settings?x=1", "/settings?x=1"),
            (f"http://{page.host}.evil.example/x", "/inbox"),
            ("http://evil.example/settings", "/inbox"),
            (f"http://{page.host}//evil.example", "/inbox"),
        ):
            status, text = await page.post("/settings", {"lock_minutes": "7"}, Referer=referer)
            assert (status, f'name="next" value="{shown}"' in text) == (400, True)


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_an_error_says_what_to_do_on_the_page(lang: str) -> None:
    """In the officer's language, by the page's own lists; the terminal has other words."""
    async with desk_page(lang=lang) as page:
        _, shown = await page.get("/drafts/999")
        title, hint = text("error.draft_unknown", lang), text("page.fault.draft_unknown", lang)
        assert shown.index(title) < shown.index(hint) < shown.index("this desk keeps no draft 999")
        told = shown.partition('role="alert"')[2].partition("</div>")[0]
        assert hint in told
        assert "saphan desk" not in told
