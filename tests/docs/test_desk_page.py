"""The officer's guide names what the page shows, in the page's own words."""

from __future__ import annotations

import re

from saphan.web.rendering.page import NAV
from saphan_schemas.messages import has_text, known_keys, text
from support.rooms import ROOT

PAGE = (ROOT / "docs/desk-page.md").read_text("utf-8")
CELL = re.compile(r"^\| ([^|]+?) \|", re.MULTILINE)
OF_THE_BROWSER = "no browser shows the page"


def cells(heading: str) -> list[str]:
    """The first column of the table that begins so."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return CELL.findall(table.partition("| --- |")[2])


def test_the_rooms_are_those_of_the_menu() -> None:
    assert cells("place") == [text(f"page.ground.nav.{room}") for room in NAV]


def test_what_is_in_bold_stands_on_the_page() -> None:
    shown = [text_of(key) for key in known_keys() if key.startswith("page.")]
    named = [one.rstrip(".") for one in re.findall(r"\*\*([^*]+)\*\*", PAGE)]
    assert len(named) > 4
    assert [one for one in named if not any(one.lower() in said.lower() for said in shown)] == []


def test_what_an_officer_may_see_is_said_so() -> None:
    seen = cells("what you see")
    assert len(seen) > 3
    shown = [text_of(key) for key in known_keys() if key.startswith("page.")]
    for one in seen:
        if one.startswith("`"):
            assert has_text(f"page.fault.{one.strip('`')}"), one
        elif one != OF_THE_BROWSER:
            assert any(said.startswith(one) for said in shown), one


def text_of(key: str) -> str:
    """A text; nothing where it waits for values."""
    try:
        return text(key)
    except KeyError:
        return ""
