"""Every page in every language: axe-core finds nothing serious, and all of it has room.

axe-core judges markup, which is the same in every language: of the same page once, in turns.

The pictures of this run lie under build/screens, to be looked at.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from saphan_schemas.messages import LANGUAGES, text
from support.accessible import foreign_letters, serious, too_wide, unnamed
from support.page_world import PageWorld
from support.tabs import Visitor, unlock, visitor
from support.told_desk import Told, now_ms, told, told_desk

HOUR: Final = 3_600_000
ROOMS: Final = (
    "inbox", "owed", "write", "drafts", "sent", "approve", "search?q=lao", "figures", "settings",
    "help",
)  # fmt: skip
KINDS: Final = ("drug_seizure", "info_request", "subject_notice", "case_statistics")
WEIGHT: Final = 300_000
"""Bytes of a page with all its styles and scripts, without fonts."""


def bulletins() -> list[Told]:
    """One of every state that a list shows."""
    now = now_ms()
    states: tuple[dict[str, object], ...] = (
        {"urgency": "immediate", "answer_by": now - 5 * HOUR},
        {"urgency": "priority", "answer_by": now + 3 * HOUR, "exercise": False},
        {"read": False, "exercise": False},
        {"recalled": "wrong_person"},
        {"replaced_by": ["ab" * 32], "exercise": False},
        {"suppressed": True},
        {"erased": "due"},
        {"marking": {"tlp": "red", "codes": ["H1", "H2"]}},
    )
    return [
        told(number, KINDS[number % len(KINDS)], now - number * HOUR, **state)
        for number, state in enumerate(states, 1)
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reader(browser: Browser, world: PageWorld) -> AsyncIterator[Visitor]:
    """dara at a desk that has bulletins in every state, and no line."""
    with tempfile.TemporaryDirectory(prefix="sp", dir="/tmp") as place:
        told_ones = bulletins()
        desk = await asyncio.to_thread(
            told_desk, world.bridge, Path(place) / "desk-looks", told_ones
        )
        try:
            async with visitor(browser, desk) as made:
                made.shown.extend(one.id for one in told_ones)
                yield made
        finally:
            await desk.stop()


async def judge(visit: Visitor, page: Page, name: str, *, markup: bool = True) -> list[str]:
    """What is wrong with a page, in words; its picture is kept."""
    found = await serious(page) if markup else []
    wrong = [f"{name}: {one['rule']}: {one['where']}" for one in found]
    wrong += [f"{name}: no name: {one}" for one in await unnamed(page)]
    wrong += [f"{name}: in the wrong language: {one}" for one in await foreign_letters(page)]
    over = await too_wide(page)
    wrong += [f"{name}: {over} pixels too wide"] if over else []
    await visit.picture(page, f"look-{name}")
    return wrong


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_every_page_is_accessible(reader: Visitor, lang: str) -> None:
    await reader.speak(lang)
    page = await reader.tab("/help")
    wrong: list[str] = []
    first = 2 * LANGUAGES.index(lang)  # every language has another bulletin: axe takes its time
    paths = [*ROOMS, f"bulletins/{reader.shown[first]}"]
    for path in paths:
        answer = await page.goto(f"{reader.origin}/{path}")
        assert answer is not None
        assert answer.status == 200, path
        name = path.partition("?")[0]
        short = f"bulletin-{first + paths.index(path) - len(ROOMS)}" if "/" in name else name
        turn = "/" in name or paths.index(path) % len(LANGUAGES) == LANGUAGES.index(lang)
        wrong += await judge(reader, page, f"{short}-{lang}", markup=turn)
    await page.close()
    assert wrong == []
    reader.check()


@pytest.mark.parametrize(
    ("lang", "kind"), [("en", "subject_notice"), ("lo", "drug_seizure"), ("km", "info_request")]
)
async def test_forms_are_accessible(la: Visitor, lang: str, kind: str) -> None:
    """With the faults that it would have if it were sent as it begins."""
    await la.speak(lang)
    page = await la.tab(f"/write?type=saphan/{kind}/1")
    await page.locator("#main form button.primary").click()
    await page.wait_for_url("**/drafts/*")
    await page.locator("button[name=do][value=preview]").click()
    await page.locator("#errors, .field-error").first.wait_for()
    wrong = await judge(la, page, f"form-{lang}")
    await page.close()
    assert wrong == []
    await la.speak("en")
    la.check()


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_pages_outside_the_rooms_are_accessible(
    browser: Browser, reader: Visitor, lang: str
) -> None:
    """What is not there, the paper of a bulletin, and the door for who is not let in."""
    await reader.speak(lang)
    page = await reader.tab("/nothing/here")
    wrong = await judge(reader, page, f"missing-{lang}", markup=lang == "en")
    await page.goto(f"{reader.origin}/bulletins/{reader.shown[0]}/print")
    wrong += await judge(reader, page, f"print-{lang}", markup=lang == "lo")
    stranger = await browser.new_page()
    await stranger.goto(f"{reader.origin}/inbox")
    wrong += await judge(reader, stranger, f"outside-{lang}", markup=lang == "km")
    await stranger.close()
    await page.close()
    assert wrong == []


async def test_the_locked_door_is_accessible(reader: Visitor) -> None:
    """In every language, switched in place; what is left out is asked for in it too."""
    page = await reader.tab("/help")
    await page.locator("#lock button").click()
    typed = page.locator("input[type=password]")
    await typed.wait_for()
    wrong: list[str] = []
    for lang in LANGUAGES:
        await page.locator(f"#lang-{lang}").click()
        await page.locator(f"html[lang={lang}]").wait_for(state="attached")
        wrong += await judge(reader, page, f"locked-{lang}", markup=lang == "en")
        await page.locator("main button.primary").click()
        asked = await typed.evaluate("one => one.validationMessage")
        assert asked == text("page.look.unanswered", lang), "not in the browser's language"
    await unlock(page)
    await page.close()
    assert wrong == []


WEIGHED: Final = """() => Object.fromEntries(
  [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((one) => !one.name.includes(".woff2") && !one.name.endsWith("/events"))
    .map((one) => [one.name, one.decodedBodySize]))"""


async def test_a_page_weighs_little(reader: Visitor) -> None:
    """With all that it asks for, whether the browser had it already or not; fonts stand apart."""
    page = await reader.tab("/help")
    for path in ("inbox", f"bulletins/{reader.shown[0]}"):
        await page.goto(f"{reader.origin}/{path}", wait_until="load")
        weights: dict[str, int] = await page.evaluate(WEIGHED)
        assert any("idiomorph" in url for url in weights), "scripts were weighed"
        assert all(weights.values()), weights
        assert sum(weights.values()) < WEIGHT, weights
    await page.close()
