"""The page on agencies' types says what the code does: keywords, bounds, codes, its sample."""

from __future__ import annotations

import ast
import json
import re

import pytest
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.own_types import bundle_source
from saphan_schemas.patterns import check_pattern
from saphan_schemas.profile import open_bundle
from saphan_schemas.profile_keywords import KEYWORDS, LARGEST, LONGEST
from support.rooms import ROOT

PAGE = (ROOT / "schemas/spec/types.md").read_text(encoding="utf-8")
MODULES = ("growth", "own_types", "patterns", "profile", "profile_keywords", "profile_rules")
ELSEWHERE = frozenset(("schema_before", "schema_namespace"))
"""Codes of the page that the ceremony and the log give, not these modules."""
BOUNDS = {
    "longest bundle": LIMITS.schema_bytes,
    "nodes, every reference written out": LIMITS.schema_nodes,
    "nodes in nodes, references counted": LIMITS.schema_depth,
    "nodes that one value meets": LIMITS.schema_meets,
    "codes in one enumeration": LIMITS.schema_codes,
    "characters of one pattern": LIMITS.schema_pattern_chars,
    "positions of one pattern": LIMITS.schema_pattern_positions,
    "positions of all patterns that one text meets": LIMITS.schema_patterns_positions,
    "size of all patterns of a bundle": LIMITS.schema_patterns_size,
    "rules in a bundle": LIMITS.schema_rules,
    "values and characters that all rules touch": LIMITS.schema_rule_work,
    "longest text, longest list that a schema may allow": LONGEST,
}


def rows(title: str) -> list[list[str]]:
    """Cells of the table under a heading."""
    (section,) = re.findall(rf"(?ms)^##+ {title}\n(.*?)(?=^##|\Z)", PAGE)
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_sample_is_a_source_that_can_be_registered() -> None:
    (sample,) = re.findall(r"(?ms)^```json\n(.*?)^```$", PAGE)
    name, data = bundle_source(sample.encode())
    bundle = open_bundle(name, data)
    assert bundle["rules"][-1] == json.loads(sample)["rules"][0]


def test_the_bounds_are_those_of_the_code() -> None:
    said = {cells[0]: cells[1] for cells in rows("Parameters")}
    for name, bound in BOUNDS.items():
        assert int(said.pop(name).split()[0].replace(",", "")) == bound, name
    assert said == {"largest integer": "2^53 - 1"}
    assert LARGEST == 2**53 - 1


def test_the_keywords_are_those_of_the_code() -> None:
    said = [word for cells in rows("Keywords") for word in re.findall(r"`([^`]+)`", cells[0])]
    assert sorted(said) == sorted(KEYWORDS)


def codes_of(text: str) -> set[str]:
    return set(re.findall(r"\b(?:schema_[a-z_]+|rule_malformed)\b", text))


def test_every_code_of_these_modules_is_said() -> None:
    raised: set[str] = set()
    for module in MODULES:
        path = ROOT / "schemas/saphan_schemas" / f"{module}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                raised |= {node.value} & codes_of(node.value)
    said = {f"schema_{word}" if "_" not in word else word for word in codes_of(PAGE)}
    assert raised <= said
    assert said - raised - ELSEWHERE <= {"rule_malformed"}


@pytest.mark.parametrize("atom", (".", r"\d", r"\w", r"\s", r"\b", "(?=a)", r"(a)\1", "a*?", "a++"))
def test_what_the_page_refuses_in_patterns_is_refused(atom: str) -> None:
    with pytest.raises(InvalidInput, match="schema_pattern_syntax"):
        check_pattern(f"^{atom}$", "")
