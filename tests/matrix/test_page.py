"""The page of the matrix is what the table says, and the table covers every use case."""

from __future__ import annotations

from collections import Counter

from matrix.every_story import EVERY
from matrix.page import PAGE, page
from matrix.table import ROWS

USE_CASES = {
    *("submit", "consign anew", "hand over", "release", "accept", "read", "expire", "recall"),
    *("hold", "destroy", "rotate", "revoke", "register", "cosign", "copy", "back up"),
}


def test_the_page_is_made_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m matrix.page, in tests/"


def test_every_use_case_has_rows_and_every_row_a_story() -> None:
    assert {row.use_case for row in ROWS} >= USE_CASES
    assert {row.story for row in ROWS} >= set(EVERY)


def test_no_effect_has_two_rows_in_one_story() -> None:
    rows = Counter((row.story, row.effect) for row in ROWS)
    assert [row for row, times in rows.items() if times > 1] == []
