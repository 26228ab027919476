"""An officer without a mouse: Tab, arrows, Space, Enter and letters, nothing else."""

from __future__ import annotations

from typing import Any, Final

from playwright.async_api import Locator, Page

from support.filling import leaves, named

MOST: Final = 400
"""Presses of Tab after which a control cannot be reached."""
MARKED: Final = object()
"""A box that is to be marked."""
HAS_FOCUS: Final = "one => one === document.activeElement"


async def reach(page: Page, control: Locator) -> None:
    """Press Tab until the control has the focus."""
    for _ in range(MOST):
        if await control.evaluate(HAS_FOCUS):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {control}")


async def press(page: Page, control: Locator) -> None:
    """Reach a button or a link, and press Enter."""
    await reach(page, control)
    await page.keyboard.press("Enter")


async def fill_by_keyboard(page: Page, wanted: dict[str, Any]) -> None:
    """Every value of a form whose parts are all there, from its beginning to its end."""
    stops: list[str] = await page.evaluate("[...draft.elements].map(one => one.name)")
    values = {pointer: value for pointer, value in leaves(wanted) if not isinstance(value, list)}
    for pointer, value in leaves(wanted):
        if isinstance(value, list):
            values |= {f"{pointer}={one}": MARKED for one in value}
    for pointer in sorted(values, key=stops.index):
        value, control = values[pointer], page.locator(f"{named(pointer)}:not([type=hidden])")
        if value is MARKED:
            await mark(page, control)
        elif isinstance(value, bool):
            await choose_radio(page, pointer, value)
        else:
            await type_in(page, control, str(value))


async def mark(page: Page, box: Locator) -> None:
    """Space marks a box."""
    if not await box.is_checked():
        await reach(page, box)
        await page.keyboard.press("Space")


async def choose_radio(page: Page, pointer: str, value: bool) -> None:
    """Tab enters the group, arrows choose."""
    every = page.locator(f"{named(pointer)}:not([type=hidden])")
    wanted = page.locator(f"{named(pointer)}[value={str(value).lower()}]")
    marked = page.locator(f"{named(pointer)}:checked")
    if await marked.count() == 0:
        await reach(page, every.first)
        await page.keyboard.press("Space")
    else:
        await reach(page, marked)
    for _ in range(await every.count()):
        if await wanted.is_checked():
            return
        await page.keyboard.press("ArrowDown")
    assert await wanted.is_checked(), pointer


async def type_in(page: Page, control: Locator, value: str) -> None:
    """Letters; in a list the arrows; in a list that is searched, the code and what is found."""
    await reach(page, control)
    if await control.evaluate("one => one.tagName") == "SELECT":
        await page.keyboard.press("Home")
        for _ in range(await control.locator("option").count()):
            if await control.input_value() == value:
                return
            await page.keyboard.press("ArrowDown")
        raise AssertionError(f"the arrows do not reach {value}")
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.insert_text(value)
    if await control.get_attribute("role") == "combobox":
        await control.locator("xpath=..").locator("[role=option]").first.wait_for()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
