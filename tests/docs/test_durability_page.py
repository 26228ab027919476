"""docs/durability.md and docs/drills/broker.md: each promise names tests that exist."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from saphan_broker.cli.main import _parser as broker_parser
from support.rooms import ROOT

DURABILITY = ROOT / "docs/durability.md"
DRILLS = ROOT / "docs/drills/broker.md"
COMMANDS = re.findall(r"^saphan-broker .+$", DRILLS.read_text(encoding="utf-8"), re.MULTILINE)
CONFIGURATIONS = ("SQLite", "without replicas", "WAITAOF", "`WAIT`", "promoted", "--accept-loss")
PLACES = ("a directory", "S3", "keys directory", "Backups")


TEST = re.compile(r"`(\w+/\w+\.py)::(test_\w+)`")


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def rows(text: str) -> list[str]:
    """The rows of all tables, without their heads."""
    return re.findall(r"^\| (?!promised|not promised|drill |---)(.+) \|$", text, re.MULTILINE)


@pytest.mark.parametrize("page", [DURABILITY, DRILLS], ids=lambda page: page.stem)
def test_every_row_names_tests_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [(file, name) for file, name in TEST.findall(text) if name not in functions(file)]
    assert missing == []
    assert len(rows(text)) > 8
    assert [row for row in rows(text) if not TEST.search(row)] == []


def test_the_page_has_every_configuration() -> None:
    headings = re.findall(r"^## (.+)$", DURABILITY.read_text(encoding="utf-8"), re.MULTILINE)
    for words in (*CONFIGURATIONS, *PLACES):
        assert [heading for heading in headings if words in heading], words


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_drills_parses(line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "saphan-broker"
    assert callable(broker_parser(words).parse_strictly(words).run)
