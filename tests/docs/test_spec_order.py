"""Every page of the specification has the same sections in the same order, and normative words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.rooms import ROOT

PAGES = tuple(sorted((ROOT / "schemas" / "spec").glob("*.md")))
ORDER = (
    "Sample",
    "Conventions",
    "Parameters",
    "Format",
    "Semantics",
    "Limits",
    "Security considerations",
)
LAST = "Vectors"
"""The one section that may follow."""


def sections(text: str) -> list[str]:
    """Titles of the sections, without their numbers; one title may name two of them."""
    prose = re.sub(r"(?ms)^```.*?^```$", "", text)
    titles = re.findall(r"(?m)^## (?:\d+\. )?(.+)$", prose)
    return [part.capitalize() for title in titles for part in title.split(" and ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_sections_in_their_order(page: Path) -> None:
    found = sections(page.read_text(encoding="utf-8"))
    assert found[: len(ORDER)] == list(ORDER)
    assert found[len(ORDER) :] in ([], [LAST])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_its_version_and_what_its_words_mean(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "Status: version 1." in text
    assert "BCP 14" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_section_is_empty(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for title, body in re.findall(r"(?ms)^(## [^\n]+)\n(.*?)(?=^## |\Z)", text):
        assert len(body.strip()) > 40, f"{page.name}: {title}"


def test_pages_are_found() -> None:
    assert len(PAGES) >= 19
