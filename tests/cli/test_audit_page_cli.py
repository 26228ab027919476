"""`saphan audit verify --page --pdf`: an auditor's page, as a real command writes it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from saphan_schemas.messages import text
from support.agency import Agency
from support.ceremony import NOW
from support.command import saphan
from support.log_folders import write_logbook
from support.logbook import Logbook

LA, KH = "la.ospp", "kh.gpo"


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    book.deliver(LA, KH)
    return tuple(write_logbook(book, tmp_path))


def test_html_and_pdf_are_written_in_the_language_of_the_run(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    page, pdf = tmp_path / "page.html", tmp_path / "page.pdf"
    asked = ("--page", str(page), "--pdf", str(pdf))
    saphan("--lang", "km", "audit", "verify", *words, *asked)
    html = page.read_text(encoding="utf-8")
    assert text("audit_sheet.good", "km") in html
    assert html.count("<svg ") == 4, "nobody cosigned: there is no lag to draw"
    assert pdf.read_bytes().startswith(b"%PDF-1.7")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (page, pdf)] == [0o600] * 2


def test_a_page_that_exists_is_refused_before_the_work(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    ran = saphan("audit", "verify", *words, "--page", str(page), status=5)
    assert "file_exists" in ran.err
    assert page.read_text() == "mine"
