"""docs/operating.md and docs/drills/restore.md: commands that parse, drills that are tests."""

from __future__ import annotations

import ast
import re
import shlex

import pytest
from saphan.cli.main import _parser as saphan_parser
from saphan_broker.cli.main import _parser as broker_parser
from saphan_schemas import messages
from support.rooms import ROOT

OPERATING = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
DRILLS = (ROOT / "docs/drills/restore.md").read_text(encoding="utf-8")
DRILL_TESTS = "tests/integration/test_restore_drills.py"
PARSE = {
    "saphan": lambda words: saphan_parser(words).parse_strictly(words),
    "saphan-broker": lambda words: broker_parser(words).parse_strictly(words),
}
COMMANDS = [
    line.strip()
    for block in re.findall(r"```sh\n(.*?)```", OPERATING, re.DOTALL)
    for line in block.splitlines()
    if line.strip().startswith("saphan")
]


def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_parses(line: str) -> None:
    program, *words = shlex.split(line)
    assert callable(PARSE[program](words).run)


def test_the_page_has_the_commands_of_a_keepers_life() -> None:
    for command in ("node doctor", "node backup", "node restore", "custodian open", "keys add"):
        assert any(command in line for line in COMMANDS), command


def test_every_drill_is_a_test_and_every_drill_test_has_a_row() -> None:
    tests = {name for name in functions(DRILL_TESTS) if name.startswith("test_")}
    assert set(re.findall(r"`(test_\w+)`", DRILLS)) == tests
    for file, name in re.findall(r"`(\w+/\w+\.py)::(\w+)`", DRILLS):
        assert name in functions(f"tests/{file}")


def test_every_code_that_the_page_explains_exists() -> None:
    codes = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", OPERATING, re.MULTILINE)
    named = {code for cell in codes for code in re.findall(r"`(\w+)`", cell)}
    assert {"clock_skew", "witness_key_needed"} <= named
    assert [code for code in named if not messages.has_text(f"error.{code}")] == []
