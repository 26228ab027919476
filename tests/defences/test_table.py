"""Every line of THREAT_MODEL.md has a defence that can be taken out, and what is taken is there."""

from __future__ import annotations

import re

import pytest
from support.rooms import ROOT

from defences.removal import Removal
from defences.table import REMOVALS
from defences.test_taken_out import named

PAGE = (ROOT / "THREAT_MODEL.md").read_text(encoding="utf-8")
PROVEN = {
    cells[0]: set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", cells[2]))
    for cells in (line.strip("| ").split(" | ") for line in PAGE.splitlines())
    if len(cells) > 2 and "`tests/" in cells[2]
}
"""Test names by threat."""


@pytest.mark.parametrize("removal", REMOVALS, ids=named)
def test_what_is_taken_out_is_there_and_its_test_is_named_for_it(removal: Removal) -> None:
    compile(removal.changed(), removal.file, "exec")
    assert removal.test in PROVEN[removal.threat]


def test_every_threat_has_one() -> None:
    assert {removal.threat for removal in REMOVALS} == set(PROVEN)
