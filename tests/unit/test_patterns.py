"""Regular expressions that an own type may use: a subset, with one code for each refusal."""

from __future__ import annotations

import re

import jsonschema_rs
import pytest
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.patterns import check_pattern

GOOD = {
    "^$": 0,
    "^a$": 1,
    "^[A-Z]{2}-[A-Z0-9]{2,12}(-[A-Z0-9]{1,6})?$": 22,
    r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,6})?$": 26,
    r"^[^\x00-\x1f\x7f]+$": 1,
    "^(?:ab|cd)$": 4,
    r"^\\\$$": 2,
    "^[a-z-]$": 1,
    "^[!-~]$": 1,
    "^(ab){3,}$": 6,
    "^ສະພານ$": 5,
    r"^[\u0e80-\u0eff ]{1,40}$": 40,
    "^a{1,256}$": 256,
}

BAD = {
    "": "anchor",
    "^": "anchor",
    "a$": "anchor",
    "^a": "anchor",
    "^a|b$": "anchor",
    r"^a\$": "anchor",
    "^a{1,257}$": "large",
    "^(a{1,40}){1,40}$": "large",
    f"^{'a' * 511}$": "large",
    f"^{'(' * 9}a{')' * 9}$": "large",
    "^(a*)*$": "nested",
    "^(a|b)+$": "nested",
    "^(a?b)*$": "nested",
    "^(a{1,2}){3,}$": "nested",
    "^()*$": "nested",
    r"^\d$": "syntax",
    r"^\w\s\b$": "syntax",
    r"^\p{L}$": "syntax",
    r"^(a)\1$": "syntax",
    "^(?=a)$": "syntax",
    "^(?!a)$": "syntax",
    "^(?<=a)$": "syntax",
    "^(?i)a$": "syntax",
    "^(?P<n>a)$": "syntax",
    "^a*?$": "syntax",
    "^a++$": "syntax",
    "^a{1}{2}$": "syntax",
    "^.$": "syntax",
    "^a^$": "syntax",
    "^a$$": "syntax",
    "^(a$": "syntax",
    "^a)$": "syntax",
    "^*a$": "syntax",
    "^a{$": "syntax",
    "^a{,3}$": "syntax",
    "^a{3,2}$": "syntax",
    "^a{0}$": "syntax",
    "^a{99999}$": "syntax",
    "^[]$": "syntax",
    "^[^]$": "syntax",
    "^[a$": "syntax",
    "^[z-a]$": "syntax",
    "^[a-[b]]$": "syntax",
    "^[-a]$": "syntax",
    "^[a--]$": "syntax",
    "^[a&&b]$": "syntax",
    "^[a~~b]$": "syntax",
    "^[[:alpha:]]$": "syntax",
    r"^[\d]$": "syntax",
    r"^\x0$": "syntax",
    r"^\ud800$": "syntax",
    "^a\n$": "syntax",
    "^\U0001f600$": "syntax",
}


@pytest.mark.parametrize("pattern", GOOD)
def test_the_subset_compiles_in_both_engines(pattern: str) -> None:
    assert check_pattern(pattern, "/pattern") == GOOD[pattern]
    re.compile(pattern)
    linear = jsonschema_rs.Draft202012Validator(
        {"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )
    assert not linear.is_valid("\n")


@pytest.mark.parametrize("pattern", BAD)
def test_what_lies_outside_has_its_code_and_place(pattern: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_pattern(pattern, "/body/x/pattern")
    assert refused.value.code == f"schema_pattern_{BAD[pattern]}"
    assert refused.value.field == "/body/x/pattern"


def test_the_largest_that_is_allowed_is_still_built_and_run() -> None:
    dense = "[^\\u0e80-\\u0eff]{1,64}"
    pattern = f"^{dense * 4}$"
    assert check_pattern(pattern, "/pattern") == LIMITS.schema_pattern_positions
    validator = jsonschema_rs.Draft202012Validator(
        {"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )
    assert validator.is_valid("a" * 256)
    assert not validator.is_valid("a" * 60_000)
