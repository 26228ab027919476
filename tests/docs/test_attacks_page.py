"""docs/attacks.md has a row for each attack that is tested, and no other."""

from __future__ import annotations

import re

from support.rooms import ROOT

PAGE = (ROOT / "docs/attacks.md").read_text(encoding="utf-8")


def test_every_attack_has_one_row_and_every_row_its_test() -> None:
    named = re.findall(r"\(\.\./tests/attacks/(\w+\.py)\) \|$", PAGE, re.MULTILINE)
    tests = sorted(path.name for path in (ROOT / "tests/attacks").glob("test_*.py"))
    assert sorted(named) == tests
