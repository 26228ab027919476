"""Khmer spellings that another program folds into one are one for us, too.

Every cluster of our catalogues and labels was typed in each order of what hangs on its base, with
DA for TA below, and with signs that look alike; `khmer_normalize` of khmernormalizer 0.0.4 said
which of them are the same. That program is not needed to run this.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from saphan.folding.searching import aligned, search_key
from saphan.folding.spelling import fold

GROUPS: list[list[str]] = json.loads(
    Path(__file__).with_name("khmer_spellings.json").read_text(encoding="utf-8")
)["groups"]
PLAIN = [
    group for group in GROUPS if not any(set("\u17c9\u17ca\u17bb") & set(one) for one in group)
]


def test_there_are_enough_of_them() -> None:
    assert len(GROUPS) > 400
    assert sum(map(len, GROUPS)) > 900


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0])
def test_what_looks_the_same_has_one_search_key(group: list[str]) -> None:
    assert len({search_key(one) for one in group}) == 1
    assert all(aligned(one)[1] for one in group)


@pytest.mark.parametrize("group", PLAIN, ids=lambda group: group[0])
def test_names_that_look_the_same_are_one_reference(group: list[str]) -> None:
    """But for register shifters, which references keep."""
    assert len({fold(one) for one in group}) == 1
