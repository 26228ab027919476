"""Whatever a bulletin says is shown as letters: no script of it runs, no letter of it hides."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest_asyncio
from playwright.async_api import Browser, Page
from saphan_schemas.samples import SAMPLES
from support.page_world import PageWorld
from support.tabs import Visitor, visitor
from support.told_desk import Told, told, told_desk

SCRIPT: Final = (
    "<script>window.hacked=1</script>"
    "<img src=x onerror=window.hacked=2>"
    "\"'><svg/onload=window.hacked=3>"
    "{{ 7 * 191 }}{% raw %}</title></style><a href=javascript:window.hacked=4>here</a>"
)
TURNED: Final = "lot \u202egpj.exe\u202c \u2066hidden\u2069 \u200f\u061c"
"""Right-to-left controls, with which a name reads differently from what it is."""
LANGUAGES: Final = ("lo", "km", "en")
MIB: Final = 1 << 20


def spoiled(value: Any, text: Callable[[str], str]) -> Any:
    """Every string replaced, names of members too."""
    if isinstance(value, dict):
        return {key: spoiled(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [spoiled(one, text) for one in value]
    return text(value) if isinstance(value, str) else value


def scripted(seq: int, kind: str) -> Told:
    """A script in every string of the content, and in what the header leaves free."""
    made = told(seq, kind, marking={"tlp": "amber", "codes": [SCRIPT]}, author=SCRIPT)
    made.content["content"] = spoiled(made.content["content"], lambda text: f"{text}{SCRIPT}")
    made.content["author"] = SCRIPT
    made.content["authors"] = [{"handle": "<b>x</b>"}]
    return made


def typed_by_script(seq: int) -> Told:
    """Even the type's name is none."""
    return told(seq, "case_statistics", schema=f"{SCRIPT}/1")


def turned(seq: int) -> Told:
    made = told(seq, "drug_seizure")
    about = made.content["content"]["about"]
    about["title"] = dict.fromkeys(about["title"], TURNED)
    made.content["content"]["body"]["substances"][0]["name_reported"] = TURNED
    return made


def endless(seq: int) -> Told:
    """One string of a MiB without a space, and a long one of signs that need escaping."""
    made = told(seq, "drug_seizure")
    made.content["content"]["about"]["title"]["en"] = "A" * MIB
    made.content["content"]["body"]["substances"][0]["name_reported"] = "<" * (MIB // 4)
    return made


KINDS: Final = tuple(name for name in SAMPLES if not name.endswith("_large"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reader(
    browser: Browser, world: PageWorld, tmp_path_factory: Any
) -> AsyncIterator[Visitor]:
    """dara, whose node was taken over: it has told all of this."""
    place: Path = tmp_path_factory.mktemp("hostile")
    numbers = itertools.count(1)
    bulletins = [scripted(next(numbers), kind) for kind in KINDS]
    bulletins += [typed_by_script(next(numbers)), turned(next(numbers)), endless(next(numbers))]
    desk = await asyncio.to_thread(told_desk, world.bridge, place / "desk", bulletins)
    async with visitor(browser, desk) as made:
        made.shown = [one.id for one in bulletins]
        yield made
    await desk.stop()


async def untouched(page: Page) -> None:
    """No script ran, no element of the text became one of the page."""
    assert await page.evaluate("window.hacked") is None
    strange = "img[src=x], svg[onload], a[href^=javascript], main script, b"
    assert await page.locator(strange).count() == 0
    assert "1337" not in await page.content(), "a template was made of a bulletin's text"


async def test_no_script_in_any_field_runs_on_any_page(reader: Visitor) -> None:
    page = await reader.tab()
    for path in ("/inbox", "/owed", "/figures", "/search?q=window", "/drafts", "/sent"):
        await page.goto(reader.origin + path)
        await untouched(page)
    for bulletin in reader.shown[: len(KINDS)]:
        await page.goto(f"{reader.origin}/bulletins/{bulletin}")
        await untouched(page)
        assert "<script>window.hacked=1</script>" in await page.locator("main").inner_text()
        await page.goto(f"{reader.origin}/bulletins/{bulletin}/print")
        await untouched(page)
    await page.close()
    assert "ERROR" not in reader.desk.said
    reader.check()


async def test_a_type_that_is_no_name_is_shown_as_letters(reader: Visitor) -> None:
    page = await reader.tab(f"/bulletins/{reader.shown[len(KINDS)]}")
    await untouched(page)
    assert "Traceback" not in await page.content()
    await page.close()
    reader.check()


async def test_what_turns_the_reading_direction_is_shown_as_a_sign(reader: Visitor) -> None:
    page = await reader.tab(f"/bulletins/{reader.shown[len(KINDS) + 1]}")
    text = await page.content()
    assert not set("\u202e\u202c\u2066\u2069\u200f\u061c") & set(text)
    assert "gpj.exe" in text
    await reader.picture(page, "hostile-turned")
    await page.close()
    reader.check()


async def test_a_string_of_a_mebibyte_neither_stops_nor_widens_the_page(reader: Visitor) -> None:
    bulletin = reader.shown[len(KINDS) + 2]
    page = await reader.tab("/inbox")
    assert len(await page.content()) < 300_000, "the list shows the beginning only"
    for path in (f"/bulletins/{bulletin}", "/search?q=AAAA"):
        await page.goto(reader.origin + path)
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= await page.evaluate("window.innerWidth"), path
    await reader.picture(page, "hostile-endless")
    await page.close()
    reader.check()
