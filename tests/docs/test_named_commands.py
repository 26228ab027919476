"""A hint that names a command names one that exists."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator

from saphan.cli.main import COMMANDS, _parser
from saphan_schemas.messages import LANGUAGES, _catalogue
from support.rooms import PACKAGES, modules

NAMED = re.compile(r"(?<![\w./-])saphan ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*))?")
PROSE = frozenset({"import"})
"""`from saphan import Node` is no command."""


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def texts() -> Iterator[tuple[str, str]]:
    """(where, text) of every string in the sources and in the catalogue."""
    for package in PACKAGES:
        for name, path in modules(package).items():
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield f"{name}:{node.lineno}", node.value
    for lang in LANGUAGES:
        for key in _catalogue(lang):
            yield f"{lang}: {key}", _catalogue(lang)[key]


def test_every_command_that_a_text_names_exists() -> None:
    groups = {name: subcommands(subcommands(_parser([name]))[name]) for name, _ in COMMANDS}
    wrong, seen = [], 0
    for where, words in texts():
        for name, second in NAMED.findall(words):
            if name in PROSE:
                continue
            seen += 1
            if name not in groups or (groups[name] and second and second not in groups[name]):
                wrong.append(f"{where}: saphan {name} {second}")
    assert seen > 20
    assert wrong == []
