"""docs/bad-input.md names tests that exist, codes that exist, and every kind that was asked for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from saphan_schemas import messages
from support.rooms import ROOT

PAGE = (ROOT / "docs/bad-input.md").read_text(encoding="utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| bad input", "| ---"))
]
KINDS = (
    "oversized",
    "truncated",
    "non-canonical",
    "duplicate keys",
    "replayed with other content",
    "wrongly signed",
    "unknown agency",
    "unagreed agency",
    "wrong suite",
    "expired",
    "from the future",
    "unknown schema",
    "wrong digest",
    "nested a million deep",
    "not UTF-8",
    "wrong passphrase",
    "key file readable by others",
    "two nodes on one directory",
    "disk full",
    "port taken",
    "broker unreachable",
    "clock a day off",
    "a receiver stalls",
)


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_row(kind: str) -> None:
    assert any(row[0].startswith(kind) for row in ROWS)


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(\w+/\w+\.py::\w+)`", PAGE))))
def test_every_named_test_exists(named: str) -> None:
    file, _, name = named.partition("::")
    assert name in functions(ROOT / "tests" / file)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} at {row[1]}")
def test_every_row_has_a_code_an_actor_and_a_test(row: tuple[str, ...]) -> None:
    _, _, code, actor, test = row
    for name in re.findall(r"`([a-z_]+)`", code):
        assert messages.has_text(f"error.{name}"), name
    assert code
    assert actor
    assert re.fullmatch(r"`\w+/\w+\.py::\w+`", test)
