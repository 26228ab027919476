"""What is declared, what is pinned and what is imported agree."""

from __future__ import annotations

import ast
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.rooms import PACKAGES, ROOT, modules
from support.source_rules import imported_modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
OF_EXTRAS = {
    "obstore": "saphan_broker.objects",
    "pkcs11": "saphan.keys.token_",
    "typst": "saphan.pages.pdf",
}
"""Packages of an extra, and how the only modules begin that import them."""
IMPORT_NAMES = {"jsonschema-rs": "jsonschema_rs"}


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def declared() -> list[Requirement]:
    texts = [
        *PROJECT["project"]["dependencies"],
        *(text for texts in EXTRAS.values() for text in texts if not text.startswith("saphan[")),
        *PROJECT["build-system"]["requires"],
    ]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_declared_range_holds_its_pin(requirement: Requirement) -> None:
    version = pinned()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)
    assert requirement.specifier, "a range is needed: an unbounded requirement does not repeat"


def test_packages_import_what_is_declared_and_nothing_else() -> None:
    imported = {
        name.split(".")[0]
        for package in PACKAGES
        for module, path in modules(package).items()
        for _line, name in imported_modules(ast.parse(path.read_text(encoding="utf-8")))
        if not module.startswith(OF_EXTRAS.get(name.split(".")[0], "-"))
    }
    names = [Requirement(text).name for text in PROJECT["project"]["dependencies"]]
    foreign = imported - set(sys.stdlib_module_names) - set(PACKAGES)
    assert foreign == {IMPORT_NAMES.get(name, name) for name in names}
