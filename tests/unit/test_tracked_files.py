"""What is committed must make sense on any machine: no local paths, no left-over marks."""

from __future__ import annotations

import re

import pytest
from support.rooms import ROOT, tracked_files

# Written so that this file does not match itself.
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(?:work|root|farm)/[a-z.]|/home/[a-z]+/")
OUTSIDE_MATERIAL = re.compile(r"[.]{2}/shared\b|\bshared/(?:reference|vectors|hooks)")
REGISTRIES = re.compile(r"\b(?:test[.])?py[p]i[.]org|python[h]osted[.]org")
LEFT_OVER_MARKS = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b|Not[I]mplementedError")
CONFLICT_MARKS = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)

RULES = {
    "machine path": MACHINE_PATHS,
    "outside material": OUTSIDE_MATERIAL,
    "registry host": REGISTRIES,
    "left-over mark": LEFT_OVER_MARKS,
    "conflict mark": CONFLICT_MARKS,
}

ALLOWED = {
    # the official vectors lie beside the checkout on the machines that have them
    (".ci/run", "outside material"),
}
PICTURES = (".png", ".woff2")
"""Their bytes spell any three letters sooner or later; a path that a program left in one counts."""


@pytest.mark.parametrize("rule", tuple(RULES))
def test_no_tracked_file_contains(rule: str) -> None:
    found = []
    for path in tracked_files():
        name = str(path.relative_to(ROOT))
        text = path.read_bytes().decode("utf-8", errors="replace")
        match = RULES[rule].search(text)
        if rule == "left-over mark" and path.suffix in PICTURES:
            continue
        if match and (name, rule) not in ALLOWED:
            found.append(f"{name}: {match.group()!r}")
    assert found == []


SEEDS = (
    ("machine path", "open('/wo" + "rk/main/x')"),
    ("machine path", "cd /ro" + "ot/project"),
    ("outside material", "see ../sha" + "red/design.md"),
    ("registry host", "--index-url https://py" + "pi.org/simple"),
    ("left-over mark", "# TO" + "DO later"),
    ("conflict mark", "<" * 7 + " HEAD"),
)


@pytest.mark.parametrize(("rule", "text"), SEEDS)
def test_seeded_text_is_caught(rule: str, text: str) -> None:
    assert RULES[rule].search(text)


def test_the_licence_is_the_whole_licence() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "9. Accepting Warranty or Additional Liability." in text
    assert "APPENDIX: How to apply the Apache License to your work." in text
