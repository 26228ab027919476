"""Filling a form of the page as an officer does: control by control, part by part.

Names of controls are pointers into {urgency, marking, exercise, about, body}.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

from playwright.async_api import Locator, Page
from saphan_schemas.samples import wish

Json = dict[str, Any]
LANGUAGES: Final = ("lo", "km", "en")
KEPT: Final[dict[str, tuple[str, ...]]] = {
    "about": (
        "message_kind", "reference", "local_time_zone", "title", "summary", "source_language",
        "grading", "handling", "purposes", "legal_bases", "personal_data", "fact_or_assessment",
        "contact",
    ),
    "info_request": (
        "questions", "facts", "offences", "why_you", "urgency_ground", "availability",
        "use_intended", "evidence_wanted",
    ),
    "info_reply": ("outcome", "answers", "conditions"),
}  # fmt: skip
"""What these tests fill in of a sample, so that a run stays short."""


def short(name: str, lang: str, reference: str) -> Json:
    """A sample cut to what its type demands, its texts in one language."""
    found = wish(name)
    kind = name if name in KEPT else name.rsplit("_", 1)[0]
    made = {
        "/urgency": found["urgency"],
        "/exercise": True,
        "/about": {key: found["about"][key] for key in KEPT["about"]},
        "/body": {key: found["body"][key] for key in KEPT[kind]},
    }
    about = made["/about"]
    about |= {"reference": reference, "source_language": lang}
    about["personal_data"] = {"present": False, "minors": False}
    about["grading"].pop("graded_by", None)
    about["contact"] = {"unit": about["contact"]["unit"], "duty_line": "+856 00 000 000"}
    for part in ("questions", "answers", "offences"):
        if part in made["/body"]:
            wanted = (
                "no",
                "text",
                "data_kind",
                "state",
                "as_of",
                "source_register",
                "code",
                "national_article",
            )
            one = made["/body"][part][0]
            made["/body"][part] = [{key: one[key] for key in wanted if key in one}]
    told: Json = _in_one(copy.deepcopy(made), lang)
    return told


def _in_one(value: Any, lang: str) -> Any:
    """Texts in several languages cut to one."""
    if isinstance(value, dict):
        if value and set(value) <= set(LANGUAGES):
            return {lang: value.get(lang, value.get("en"))}
        return {key: _in_one(one, lang) for key, one in value.items()}
    return [_in_one(one, lang) for one in value] if isinstance(value, list) else value


def leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """(pointer, value) of what stands in a control; a list of words is boxes."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, key if key.startswith("/") else f"{pointer}/{key}")
    elif isinstance(value, list) and not all(isinstance(one, str) for one in value):
        for at, one in enumerate(value):
            yield from leaves(one, f"{pointer}/{at}")
    else:
        yield pointer, value


async def fill(page: Page, wanted: Json) -> None:
    """Put every value into its control; parts that are not there yet are added by their buttons."""
    for pointer, value in leaves(wanted):
        if isinstance(value, list):
            for one in value:
                await tick(page, f"{pointer}={one}")
        else:
            await put(page, pointer, value)
    await saved(page)


async def tick(page: Page, name: str) -> None:
    """Mark a box."""
    box = page.locator(named(name))
    await opened(page, box, name)
    await box.check()


async def put(page: Page, pointer: str, value: Any) -> None:
    """Type, choose or mark one value."""
    control = page.locator(f"{named(pointer)}:not([type=hidden])")
    await opened(page, control, pointer)
    if isinstance(value, bool):
        await page.locator(f"{named(pointer)}[value={str(value).lower()}]").check()
    elif await control.evaluate("one => one.tagName") == "SELECT":
        await control.select_option(str(value))
    elif await control.get_attribute("role") == "combobox":
        await choose(control, str(value))
    else:
        await control.fill(str(value))


async def choose(control: Locator, code: str) -> None:
    """Type a code, take what is found first."""
    await control.fill(code)
    await control.locator("xpath=..").locator("[role=option]").first.wait_for()
    await control.press("ArrowDown")
    await control.press("Enter")


async def opened(page: Page, control: Locator, pointer: str) -> None:
    """Press the buttons that add what the control stands in, the outermost first."""
    steps = pointer.partition("=")[0].split("/")
    for end in range(2, len(steps) + 1):
        if await control.count():
            return
        adding = page.locator(f'#draft button[name=do][value="add {"/".join(steps[:end])}"]')
        if await adding.count():
            before = await page.locator("#draft").evaluate(NAMES)
            await adding.click()
            await page.wait_for_function(f"before => ({NAMES})(draft) !== before", arg=before)
    assert await control.count(), f"nothing in the form takes {pointer}"


NAMES: Final = "form => [...form.elements].map(one => one.name + one.value).join(' ').length + ''"


async def saved(page: Page) -> None:
    """Press the button that keeps what was typed, though it is kept without it too."""
    async with page.expect_navigation():
        await page.locator("#draft button[name=do][value=save]").last.click()


def named(pointer: str) -> str:
    """The selector of a control by its name."""
    return f'#draft [name="{pointer}"]'
