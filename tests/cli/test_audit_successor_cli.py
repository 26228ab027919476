"""`saphan audit verify` of a log that follows a lost one: on the command line, in the result file,
on the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from saphan_protocol.pins import format_pins
from saphan_schemas.messages import LANGUAGES, text
from support.agency import Agency
from support.audits import KH, LA
from support.ceremony import NOW
from support.command import saphan
from support.log_folders import put, write_log, write_logbook
from support.logbook import Logbook
from support.successors import cut, succeed


@pytest.fixture
def lost() -> Logbook:
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    book.deliver(LA, KH)
    book.show_head()
    return book


def written(book: Logbook, folder: Path) -> list[str]:
    """The logs of a book, its pack and its pins: words for `verify`."""
    words = write_logbook(book, folder)
    put(folder / "pins.json", format_pins(book.pins))
    return words


def left_of(lost: Logbook, size: int, folder: Path) -> list[str]:
    """The first leaves of a lost log, and the directory beside it."""
    lost.sign()
    write_log(lost.directory, folder / "directory")
    write_log(cut(lost, size), folder / "evidence")
    return ["--old", str(folder)]


def test_the_gap_is_said_in_numbers_and_written_down(lost: Logbook, tmp_path: Path) -> None:
    written(lost, tmp_path / "first")
    book = succeed(lost)
    book.deliver(LA, KH)
    words = [*written(book, tmp_path / "second"), *left_of(lost, 3, tmp_path / "left")]
    words += ["--old-pack", str(tmp_path / "first/0.pack")]
    result, page = tmp_path / "result.json", tmp_path / "page.html"
    shown = saphan("audit", "verify", *words, "--result", str(result), "--page", str(page)).out
    root = lost.evidence.root().hex()
    assert "it follows bridge.test/evidence/1, of which 5 leaves are known to have been" in shown
    assert f"(root {root})" in shown
    assert "of that log 3 leaves are here; 2 that were signed are not: that is the gap" in shown
    assert "signed heads of that log compared: 2; one of them is the one that is named" in shown
    found = json.loads(result.read_bytes())["coverage"]["evidence"]["successor"]
    assert found["head"]["size"] == 3
    del found["head"]
    assert found == {
        "origin": "bridge.test/evidence/1", "size": 5, "root": root, "gap": 2,
        "heads_compared": 2, "named_head_signed": True, "larger_head_claimed": 0,
    }  # fmt: skip
    html = page.read_text(encoding="utf-8")
    assert text("audit_sheet.successor_gap", here="3", gap="2") in html
    assert text("audit_sheet.good_part") in html, "a gap is not green"


def test_alone_it_says_what_was_not_compared(lost: Logbook, tmp_path: Path) -> None:
    book = succeed(lost)
    book.deliver(LA, KH)
    words, page = written(book, tmp_path), tmp_path / "page.html"
    ran = saphan("audit", "verify", *words, "--page", str(page))
    assert "nothing of that log was given to compare" in ran.out
    assert text("audit_sheet.good") in page.read_text(encoding="utf-8")
    found = saphan("audit", "verify", *words, "--json").json["coverage"]["evidence"]["successor"]
    assert (found["head"], found["gap"], found["heads_compared"]) == (None, None, 0)


def test_the_first_log_says_nothing_of_one_before_it(lost: Logbook, tmp_path: Path) -> None:
    words = written(lost, tmp_path)
    assert "follows" not in saphan("audit", "verify", *words).out
    evidence = saphan("audit", "verify", *words, "--json").json["coverage"]["evidence"]
    assert evidence["successor"] is None
    ran = saphan("audit", "verify", *words, *left_of(lost, 3, tmp_path / "left"), status=2)
    assert ran.code == "log_first"


def test_a_successor_that_names_too_little_is_named_with_its_proof(
    lost: Logbook, tmp_path: Path
) -> None:
    written(lost, tmp_path / "first")
    book = succeed(lost, 4, lost.evidence.root(4))
    words = written(book, tmp_path / "second")
    ran = saphan("audit", "verify", *words, "--old-pack", str(tmp_path / "first/0.pack"), status=3)
    assert text("error.successor_behind") in ran.out
    assert "Evidence log, leaf 0, step L3" in ran.out
    assert "Shown by the record pack 0.pack" in ran.out


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_says_it_in_every_language(lost: Logbook, tmp_path: Path, lang: str) -> None:
    words = [*written(succeed(lost), tmp_path / "new"), *left_of(lost, 5, tmp_path / "left")]
    page = tmp_path / "page.html"
    saphan("--lang", lang, "audit", "verify", *words, "--page", str(page))
    html = page.read_text(encoding="utf-8")
    assert text("audit_sheet.successor_whole", lang, here="5") in html
    assert f"<h2>{text('audit_sheet.before', lang)}</h2>" in html
