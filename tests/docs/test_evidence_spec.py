"""schemas/spec/evidence.md names every step, every code and every gap of the check."""

from __future__ import annotations

import ast
import re

from saphan_protocol.bundle.reading import ORDER
from saphan_protocol.bundle.report import GAPS, UNPROVEN, BundleStep
from saphan_schemas.bundles import BUNDLE_FORMAT, SPECIFICATION
from saphan_schemas.limits import KIB, LIMITS
from support.rooms import ROOT

PAGE = (ROOT / "schemas/spec/evidence.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_]+)`", PAGE))


def raised() -> set[str]:
    """Codes that the check's own modules raise."""
    found: set[str] = set()
    for path in (ROOT / "protocol/saphan_protocol/bundle").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name, code = getattr(node.func, "id", ""), node.args[0]
            if name in ("InvalidInput", "Refused") and isinstance(code, ast.Constant):
                found.add(str(code.value))
    return found


def test_every_step_has_one_row() -> None:
    rows = re.findall(r"^\| (V\d+) \|", PAGE, re.MULTILINE)
    assert rows == [step.value for step in BundleStep]


def test_every_code_is_named() -> None:
    assert len(raised()) > 20
    elsewhere = {"issuer_wrong", "key_foreign"}  # receipts.md, admission.md
    assert raised() - elsewhere <= NAMED


def test_every_gap_and_every_line_is_named() -> None:
    assert NAMED >= GAPS
    table = PAGE[PAGE.index("## 6.") : PAGE.index("## Limits")]
    assert {code for code in UNPROVEN if f"`{code}`" in table} == set(UNPROVEN)


def test_items_and_limits_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (\d+) [a-z]+ \|", PAGE, re.MULTILINE)
    assert rows == [str(number) for number in range(1, len(ORDER) + 3)]
    assert f"`{BUNDLE_FORMAT}`" in PAGE
    assert SPECIFICATION == "evidence.md 1"
    assert f"{LIMITS.bundle_entries:,} at most" in PAGE
    assert f"{LIMITS.bundle_leaves:,} leaves at most" in PAGE
    assert f"{LIMITS.bundle_packages} at most" in PAGE
    assert f"{LIMITS.bundle_notes - 1} at most" in PAGE
    assert f"1 to {LIMITS.part_bytes:,} sealed bytes" in PAGE
    assert f"{LIMITS.note_bytes // KIB} KiB" in PAGE
