"""THREAT_MODEL.md names tests that exist, and one at least for each threat."""

from __future__ import annotations

import ast
import re

import pytest
from support.rooms import ROOT

PAGE = (ROOT / "THREAT_MODEL.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))
THE_EIGHTEEN = 18


def rows(section: str) -> list[list[str]]:
    """Cells of the table under a heading."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_exists(named: str) -> None:
    path, _, function = named.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not function or (function in tests and function.startswith("test_"))


def test_every_threat_has_a_defence_and_a_test() -> None:
    found = rows("The eighteen")
    assert len(found) == THE_EIGHTEEN
    for threat, defence, proven, *_ in (*found, *rows("Beyond them")):
        assert threat
        assert defence
        assert "`tests/" in proven, threat
