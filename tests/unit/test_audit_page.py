"""An auditor's page: the finding first, coverage beside every number, pictures of real figures."""

from __future__ import annotations

from collections import Counter

import pytest
from saphan.audit.page import audit_page
from saphan.audit.pictures import STEPS
from saphan.pages.blocks import Banner, Page, Picture
from saphan.pages.html import write_html
from saphan.pages.pdf import write_pdf
from saphan_protocol.audit.report import (
    AuditStep,
    CorridorSeen,
    Coverage,
    Finding,
    HeadSeen,
    Report,
)
from saphan_protocol.audit.statistics import DayRow, PairRow, Spread, Statistics
from saphan_schemas.messages import LANGUAGES, text

MADE = 1_780_000_000_000
PAIR = ("la.ospp", "kh.gpo")
WRONG = Finding("evidence", 17, AuditStep.SIGNED, "code_of_it", "what is wrong", "kh.gpo.pack")


def spread(*seconds: int) -> Spread:
    made = Spread()
    for one in seconds:
        made.add(one * 1_000)
    return made


def report(days: int = 3, finding: Finding | None = None) -> Report:
    figures = Statistics(pairs={PAIR: PairRow({}, spread(5), spread(7_200))})
    for day in range(days):
        events = {"submitted": 10, "accepted": 7, "destroyed": 1_000}
        figures.days.append(DayRow(20_600 + day, events, spread(5, 60), spread(7_200), 4, 1))
        figures.lags_by_day[20_600 + day] = spread(1, 2)
    figures.lags["kh.gpo"] = spread(1, 2)
    seen = Coverage(corridors={PAIR: CorridorSeen(18, 20)}, bounded=17)
    seen.heads += [HeadSeen(f"b.example/{name}/1", 9, b"r" * 32, 1, PAIR) for name in "de"]
    seen.logged.update({"submitted": 10, "accepted": 10, "anchor": 3})
    seen.opened.update({"submitted": 10, "accepted": 8})
    return Report(seen, finding, figures)


def drawings(page: Page) -> list[Picture]:
    return [block for block in page.blocks if isinstance(block, Picture)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_shows_what_was_opened_of_what_was_logged(lang: str) -> None:
    page = audit_page(report(), lang, MADE)
    html = write_html(page).decode()
    assert isinstance(page.blocks[0], Banner)
    assert (page.blocks[0].tone, page.blocks[0].title) == (
        "warn",
        text("audit_sheet.good_part", lang),
    )
    for opened, logged in ((18, 20), (8, 10), (10, 10)):
        assert text("audit_sheet.opened_of", lang, opened=opened, logged=logged) in html
    assert text("audit_sheet.closed", lang, count=2) in html
    assert text("audit_sheet.bounded", lang, bounded=17, opened=18) in html
    assert (page.notice is None) == (lang == "en")
    assert b"pdfaid:part>2<" in write_pdf(page)


def test_five_pictures_of_the_days() -> None:
    page = audit_page(report(), "en", MADE)
    assert len(drawings(page)) == 5
    titles = ("volumes", "handover", "answer", "open", "lag")
    html = write_html(page).decode()
    places = [html.index(f"<h2>{text(f'audit_sheet.{name}')}</h2>") for name in titles]
    assert places == sorted(places)
    volumes = drawings(page)[0].drawing
    bars = [mark for mark in volumes.marks if mark.name == "rect" and mark.look["width"] != 12]
    assert len(bars) == 6, "two kinds on three days; destruction is none of them"


def test_a_finding_comes_before_everything() -> None:
    page = audit_page(report(finding=WRONG), "en", MADE)
    first = page.blocks[0]
    assert isinstance(first, Banner)
    assert first.tone == "bad"
    said = " ".join(first.sentences)
    for part in ("evidence", "position 17", "O6", "what is wrong", "code_of_it", "kh.gpo.pack"):
        assert part in said


@pytest.mark.parametrize("left", ["unplaced", "unseen", "heads_beyond"])
def test_what_was_opened_and_not_compared_is_said_and_is_not_green(left: str) -> None:
    whole = Coverage(logged=Counter(accepted=8), opened=Counter(accepted=8), bounded=8)
    page = audit_page(Report(whole), "en", MADE)
    assert isinstance(page.blocks[0], Banner)
    assert page.blocks[0].tone == "good"
    setattr(whole, left, 3)
    page = audit_page(Report(whole), "en", MADE)
    assert isinstance(page.blocks[0], Banner)
    assert page.blocks[0].tone == "warn"
    name = left.removeprefix("heads_")
    assert text(f"audit_sheet.{name}", count="3") in page.blocks[0].sentences


def test_years_are_drawn_in_as_many_steps_as_can_be_seen() -> None:
    page = audit_page(report(days=3 * 365), "en", MADE)
    bars = [mark for mark in drawings(page)[3].drawing.marks if mark.name == "rect"]
    assert len(bars) <= 2 * STEPS + 2
    assert "2026-10" in {mark.said for mark in drawings(page)[3].drawing.marks}
    assert text("audit_sheet.grouped", days=11) in write_html(page).decode()


def test_an_audit_without_packs_has_no_pictures() -> None:
    page = audit_page(Report(Coverage()), "en", MADE)
    assert drawings(page) == []
    assert "0 of 0" not in write_html(page).decode()


def test_what_is_destroyed_due_and_held_is_said_in_numbers() -> None:
    logged = Counter(submitted=1_003, destroyed=1_000)
    seen = Coverage(logged=logged, destruction_waits=2, destruction_held=1, holds_closed=1)
    text = "\n".join(sentence for sentence in banner(Report(seen)))
    assert "destroyed: 1,000." in text
    assert "allowed for it: 2." in text
    assert "held: 1." in text
    assert "in no pack: 1." in text
    assert "destroyed" not in "\n".join(banner(Report(Coverage())))


def banner(report: Report) -> tuple[str, ...]:
    """What stands under the verdict."""
    page = audit_page(report, "en", MADE)
    (found,) = (block for block in page.blocks if isinstance(block, Banner))
    return found.sentences
