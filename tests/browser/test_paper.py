"""A bulletin as the browser prints it: all of its words, on few sheets."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Final

from playwright.async_api import Browser
from saphan_schemas.messages import LANGUAGES
from support.browser import browser_or_skip
from support.page_world import PageWorld
from support.tabs import Visitor, visitor
from support.told_desk import told, told_desk

SHEETS: Final = 6
"""A4, of the fullest ordinary sample."""


async def printed(officer: Visitor, bulletin: str, out: Path) -> tuple[int, str]:
    """Number of sheets, and the letters on them."""
    page = await officer.tab(f"/bulletins/{bulletin}/print")
    await page.locator("form[action$='/print'] button").click()
    await page.locator("article.paper").wait_for()
    await page.pdf(path=out, prefer_css_page_size=True)
    await page.close()
    command = ["pdftotext", str(out), "-"]
    words = await asyncio.to_thread(subprocess.check_output, command, text=True, timeout=60)
    return words.count("\f"), words


async def test_all_words_on_few_sheets(browser: Browser, world: PageWorld, tmp_path: Path) -> None:
    browser_or_skip(("chromium", "pdftotext"))
    plain, long = told(1, "drug_seizure"), told(2, "drug_seizure")
    told_long = "start " + "word " * 2_000 + "theveryend"
    long.content["content"]["body"]["narrative"] = {"en": told_long}
    desk = await asyncio.to_thread(told_desk, world.bridge, tmp_path / "desk", [plain, long])
    try:
        async with visitor(browser, desk) as officer:
            for lang in LANGUAGES:
                await officer.speak(lang)
                count, _ = await printed(officer, plain.id, tmp_path / f"{lang}.pdf")
                assert count <= SHEETS, lang
            _, words = await printed(officer, long.id, tmp_path / "long.pdf")
            assert all(len(sheet.split()) > 50 for sheet in words.split("\f")[:-2]), (
                "an empty sheet"
            )
            assert len(re.findall(r"\bword\b", words)) == 2_000
            assert "theveryend" in words
            page = await officer.tab(f"/bulletins/{long.id}")
            await page.pdf(path=tmp_path / "page.pdf")  # printed as it stands, folds closed
            shown = ["pdftotext", str(tmp_path / "page.pdf"), "-"]
            assert b"theveryend" in await asyncio.to_thread(subprocess.check_output, shown)
    finally:
        await desk.stop()
