"""Walking through a page: its blocks are typed at the places it names, its files are carried."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from support.terminals import Terminal

STEP = re.compile(
    r"^[^\n]*(?:In|At the) \*\*(?P<place>[^*]+)\*\*[^\n]*:\n\n```sh\n(?P<block>.*?)```"
    r"|^- Carry `(?P<file>[^`]+)` from (?:the )?\*\*(?P<source>[^*]+)\*\* "
    r"to (?:the )?\*\*(?P<to>[^*]+)\*\*(?: as `(?P<name>[^`]+)`)?\.$",
    re.DOTALL | re.MULTILINE,
)


def blocks(text: str) -> list[tuple[str, str]]:
    """(place, commands) of every block that the page has typed."""
    return [(step["place"], step["block"]) for step in STEP.finditer(text) if step["block"]]


def walk(
    text: str, terminals: Mapping[str, Terminal], fit: Callable[[str], str] = str
) -> set[tuple[str, str]]:
    """Do everything the page says, in its order; gives which places files went between.

    Args:
        fit: what a block becomes before it is typed, such as with another port.
    """
    carried = set()
    for step in STEP.finditer(text):
        if step["file"]:
            target = terminals[step["to"]].folder / (step["name"] or Path(step["file"]).name)
            shutil.copy(terminals[step["source"]].folder / step["file"], target)
            carried.add((step["source"], step["to"]))
        else:
            terminals[step["place"]].type(fit(step["block"]))
    return carried
