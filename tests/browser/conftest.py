"""One world and one Chromium for all tests of the page; each test has tabs of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from support.browser import browser_or_skip
from support.page_world import PageWorld, page_world
from support.tabs import Visitor, chromium, visitor


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What drives one browser runs on one event loop."""
    for item in items:
        if "tests/browser/" in item.path.as_posix() and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser of this run."""
    browser_or_skip(("chromium",))
    async with chromium() as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world() -> AsyncIterator[PageWorld]:
    """The offices of this run; who breaks something mends it."""
    async with page_world() as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def la(browser: Browser, world: PageWorld) -> AsyncIterator[Visitor]:
    """khamla of la.ospp, at an unlocked page."""
    async with visitor(browser, world.la) as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def second(browser: Browser, world: PageWorld) -> AsyncIterator[Visitor]:
    """noy, khamla's colleague, who signs second."""
    async with visitor(browser, world.second) as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kh(browser: Browser, world: PageWorld) -> AsyncIterator[Visitor]:
    """dara of kh.gpo."""
    async with visitor(browser, world.kh) as made:
        yield made
