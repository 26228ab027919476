"""The rooms keep their walls: one import direction, pure inner packages, small files."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest
from support import source_rules
from support.rooms import CONTAINERS, PACKAGES, PURE, ROOT, modules, python_files

EVERY_PACKAGE = pytest.mark.parametrize("package", tuple(PACKAGES))

VAGUE_NAMES = frozenset(
    ("util", "utils", "helper", "helpers", "manager", "managers", "misc", "common")
)

IMPORT_EACH = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print("imported", len(sys.argv) - 1)
"""


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@EVERY_PACKAGE
def test_imports_point_one_way(package: str) -> None:
    found = [
        f"{shown(path)}:{sentence}"
        for path in modules(package).values()
        for sentence in source_rules.wrong_directions(package, parse(path))
    ]
    assert found == []


ACCEPTED_IMPURITIES = {
    # a lock, no thread: callers have threads, and msgspec must not be shown a type by two at once
    "schemas/saphan_schemas/decoders.py": "imports threading",
    # loads the primitives that a cryptography library may lack, so that the program can say so
    "protocol/saphan_protocol/suite.py": "imports importlib.import_module",
}


@pytest.mark.parametrize("package", PURE)
def test_inner_packages_have_no_clock_randomness_or_io(package: str) -> None:
    found = [
        f"{shown(path)}:{sentence}"
        for path in modules(package).values()
        for sentence in source_rules.impurities(package, parse(path))
        if sentence.partition(": ")[2] != ACCEPTED_IMPURITIES.get(shown(path))
    ]
    assert found == []


def import_graph(package: str) -> dict[str, set[str]]:
    """Each module of a package, and those of its modules that it imports when it is loaded."""
    files = modules(package)
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        used = set(source_rules.imported_at_start(parse(path)))
        # `from a.b import c` names the module a.b.c or something inside the module a.b
        loaded = {
            used_name if used_name in files else used_name.rpartition(".")[0] for used_name in used
        }
        graph[name] = {other for other in loaded if other in files and other != name}
    return graph


@EVERY_PACKAGE
def test_modules_of_a_package_import_each_other_without_cycles(package: str) -> None:
    order = tuple(graphlib.TopologicalSorter(import_graph(package)).static_order())
    assert set(order) == set(modules(package))


@pytest.mark.parametrize("room", [*PACKAGES, "saphan.node"])
def test_folders_stand_on_floors(room: str) -> None:
    """A folder imports only what stands below it: between folders there is no way back up."""

    def floor(module: str) -> str:
        return module.removeprefix(f"{room}.").partition(".")[0]

    floors: dict[str, set[str]] = {}
    for name, used in import_graph(room.partition(".")[0]).items():
        if name.startswith(f"{room}."):
            below = {floor(other) for other in used if other.startswith(f"{room}.")}
            floors.setdefault(floor(name), set()).update(below - {floor(name)})
    order = tuple(graphlib.TopologicalSorter(floors).static_order())
    assert set(order) == set(floors)


@EVERY_PACKAGE
def test_every_module_imports_without_warnings(package: str) -> None:
    """In whatever order: there are no cycles."""
    names = [name for name in modules(package) if not name.endswith("__main__")]
    command = [sys.executable, "-W", "error", "-c", IMPORT_EACH, *names]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, f"imported {len(names)}\n"), result.stderr


def test_files_and_functions_stay_small() -> None:
    found = [
        f"{shown(path)}:{sentence}"
        for path in python_files()
        for sentence in source_rules.oversized(path.read_text(encoding="utf-8"), parse(path))
    ]
    assert found == []


def test_containers_are_not_packages() -> None:
    assert [name for name in CONTAINERS if (ROOT / name / "__init__.py").exists()] == []


@EVERY_PACKAGE
def test_package_roots_hold_exports_only_and_are_typed(package: str) -> None:
    inits = [path for path in modules(package).values() if path.name == "__init__.py"]
    assert PACKAGES[package] / "__init__.py" in inits
    assert (PACKAGES[package] / "py.typed").is_file()
    found = [
        f"{shown(path)}:{sentence}"
        for path in inits
        for sentence in source_rules.not_an_export(parse(path))
    ]
    assert found == []


def test_files_are_named_for_their_concept() -> None:
    named = [path for path in python_files() if VAGUE_NAMES & set(path.stem.split("_"))]
    assert [shown(path) for path in named] == []


# --- the rules themselves catch what they are for -------------------------------------------------

WRONG_DIRECTIONS = (
    ("saphan_schemas", "from saphan_protocol.identity import pae"),
    ("saphan_protocol", "import saphan_broker.sequencing.sequencer"),
    ("saphan_broker", "def late():\n    from saphan import Node"),
    ("saphan_broker", "import importlib\nimportlib.import_module('saphan.node')"),
    ("saphan", "from saphan_broker.cli import main"),
    ("saphan", "from . import node"),
    ("saphan", "from support.rooms import ROOT"),
)

IMPURITIES = (
    ("saphan_protocol", "import time\nnow = time.time()"),
    ("saphan_protocol", "from os import urandom"),
    ("saphan_protocol", "import secrets"),
    ("saphan_protocol", "import datetime\nnow = datetime.datetime.now(datetime.UTC)"),
    ("saphan_protocol", "def key(kind):\n    return kind.generate()"),
    ("saphan_protocol", "def load(path):\n    return path.read_bytes()"),
    ("saphan_protocol", "from importlib.resources import files"),
    ("saphan_schemas", "text = open('x').read()"),
    ("saphan_schemas", "from pathlib import Path"),
    ("saphan_schemas", "import urllib.request"),
)


@pytest.mark.parametrize(("package", "source"), WRONG_DIRECTIONS)
def test_seeded_import_against_the_direction_is_caught(package: str, source: str) -> None:
    assert len(list(source_rules.wrong_directions(package, ast.parse(source)))) == 1


@pytest.mark.parametrize(("package", "source"), IMPURITIES)
def test_seeded_impurity_is_caught(package: str, source: str) -> None:
    assert list(source_rules.impurities(package, ast.parse(source))) != []


def test_pure_code_is_let_through() -> None:
    source = (
        "import hashlib\nfrom datetime import UTC, datetime\nfrom urllib.parse import quote\n"
        "from saphan_schemas.codec import encode\n"
        "def day(now: int) -> str:\n    return datetime.fromtimestamp(now, UTC).isoformat()\n"
    )
    tree = ast.parse(source)
    assert list(source_rules.wrong_directions("saphan_protocol", tree)) == []
    assert list(source_rules.impurities("saphan_protocol", tree)) == []


def test_package_data_may_be_read_by_the_schemas() -> None:
    source = "from importlib.resources import files\nfiles('saphan_schemas').read_text()"
    assert list(source_rules.impurities("saphan_schemas", ast.parse(source))) == []


def test_seeded_sizes_are_caught() -> None:
    long_function = "def work():\n" + "    x = 1\n" * source_rules.MAX_FUNCTION_LINES
    long_file = "x = 1\n" * (source_rules.MAX_FILE_LINES + 1)
    for text in (long_function, long_file):
        assert len(list(source_rules.oversized(text, ast.parse(text)))) == 1


def test_seeded_logic_in_a_package_root_is_caught() -> None:
    source = '"""Doc."""\nfrom x import Y as Y\n\ndef work():\n    return 1\n'
    assert list(source_rules.not_an_export(ast.parse(source))) == ["4: FunctionDef in __init__.py"]
