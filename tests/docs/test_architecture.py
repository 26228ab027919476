"""The architecture page walks through code that exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest
from support.rooms import CONTAINERS, PACKAGES, ROOT

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
CALLED = re.compile(r"`([\w/]+\.py):([\w.]+)`")
PLACE = re.compile(rf"`((?:{'|'.join(CONTAINERS)})/[\w/.]*)`")
FEWEST_STOPS = 40
"""A walk that names fewer has left something out."""


@cache
def defined(file: str) -> frozenset[str]:
    """Functions, classes and methods of a file, methods as Class.method."""
    return frozenset(_names(ast.parse((ROOT / file).read_text(encoding="utf-8")).body, ""))


def _names(body: list[ast.stmt], before: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield before + node.name
        elif isinstance(node, ast.ClassDef):
            yield before + node.name
            yield from _names(node.body, f"{before}{node.name}.")


def test_walk_goes_through_the_rooms() -> None:
    files = {file for file, _ in CALLED.findall(PAGE)}
    assert len(CALLED.findall(PAGE)) >= FEWEST_STOPS
    assert {file.split("/")[0] for file in files} == {"schemas", "protocol", "broker", "clients"}


@pytest.mark.parametrize(("file", "name"), sorted(set(CALLED.findall(PAGE))))
def test_function_on_the_way_exists(file: str, name: str) -> None:
    assert name in defined(file)


@pytest.mark.parametrize("place", sorted(set(PLACE.findall(PAGE))))
def test_named_place_exists(place: str) -> None:
    assert (ROOT / place).exists()


def test_every_package_has_its_room_on_the_page() -> None:
    assert [package for package in PACKAGES if f" {package}<br/>" not in PAGE] == []


def test_missing_function_would_be_noticed() -> None:
    assert "Signer.sign" in defined("broker/saphan_broker/logs/signer.py")
    assert "Signer.forge" not in defined("broker/saphan_broker/logs/signer.py")
