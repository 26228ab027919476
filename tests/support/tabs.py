"""Officers at their desks' pages, in one headless Chromium.

A `Visitor` is one officer with a browser of their own: a context, whose cookies nobody shares. All
that the pages ask for and all that goes wrong in them is noted; `Visitor.check` judges it.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    async_playwright,
    expect,
)

from support.page_world import PASSPHRASE, PageDesk
from support.rooms import ROOT

SCREENS: Final = ROOT / "build" / "screens"
"""Pictures of a run, for people to look at; git ignores them."""
SIZE: Final = (1366, 768)
ARGUMENTS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip
PATIENCE_MS: Final = 180_000
"""Bounds a hopeless wait on a busy machine; nothing is judged by it."""
expect.set_options(timeout=PATIENCE_MS)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, driven by Playwright; nothing is downloaded."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ARGUMENTS)
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visitor:
    """One officer and their browser.

    Attributes:
        asked: every address that was asked for; wrong: what the console said of errors.
        shown: ids of bulletins, for a test that knows them beforehand.
    """

    desk: PageDesk
    context: BrowserContext
    origin: str = ""
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    async def tab(self, path: str = "/inbox") -> Page:
        """A new tab at a path of the desk's page."""
        page = await self.context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        await page.goto(self.origin + path)
        return page

    async def speak(self, lang: str) -> None:
        """Switch the page's language, as the button in its header does."""
        page = await self.tab("/settings")
        if await page.locator("html").get_attribute("lang") != lang:
            await page.locator(f"#lang-{lang}").click()
            await page.locator(f"html[lang={lang}]").wait_for(state="attached")
        await page.close()

    async def picture(self, page: Page, name: str, *, full: bool = False) -> Path:
        """A screenshot under build/screens."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        path = SCREENS / f"{name}.png"
        await page.screenshot(path=path, full_page=full)
        return path

    def check(self) -> None:
        """Nothing outside was asked for, no script failed, nothing broke the policy."""
        outside = [url for url in self.asked if not url.startswith(("data:", "blob:", self.origin))]
        assert not outside, outside
        assert not self.wrong, self.wrong

    def _console(self, message: ConsoleMessage) -> None:
        # A refusal that the page shows to a person is also a line of the console: no fault of it.
        if message.type == "error" and "the server responded with a status of" not in message.text:
            self.wrong.append(message.text)


@asynccontextmanager
async def visitor(browser: Browser, desk: PageDesk) -> AsyncIterator[Visitor]:
    """Open the desk's page by its launch link and unlock it by typing the passphrase."""
    link = await desk.open()
    width, height = SIZE
    context = await browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(PATIENCE_MS)
    parts = urlsplit(link)
    made = Visitor(desk, context, f"{parts.scheme}://{parts.netloc}")
    context.on("request", lambda request: made.asked.append(request.url))
    try:
        page = await context.new_page()
        await page.goto(link)
        await page.wait_for_url(lambda url: "/launch/" not in url)  # it leads on by itself
        await unlock(page)
        await page.close()
        yield made
    finally:
        await context.close()


async def unlock(page: Page) -> None:
    """Type the passphrase if the page asks for it."""
    field_ = page.locator("input[type=password]")
    if await field_.count():
        await field_.fill(PASSPHRASE)
        await field_.press("Enter")
        await field_.wait_for(state="detached")
