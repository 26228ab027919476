"""Walking through a page: its blocks are typed at the places it names, its files are carried.

Each place is a shell in a folder, with its person at hand.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.command import typed
from support.terminals import Terminal

ANSWERS: Final = {
    # What opens the keys of a bridge (support.bridge.SECRET).
    r"assphrase [^\n]*: ": "open sesame of a test",
    r"Type yes to go on: ": "yes",
}

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


@contextmanager
def terminals(
    places: Mapping[str, Path], answers: Mapping[str, str] = ANSWERS
) -> Iterator[dict[str, Terminal]]:
    """A shell in each folder, in which `saphan` is this checkout's; the folders exist.

    Args:
        answers: what people type, by the end of the question.
    """
    env = typed(next(iter(places.values())) / ".commands")
    made: dict[str, Terminal] = {}
    try:
        for place, folder in places.items():
            made[place] = Terminal(folder, env, answers)
        yield made
    finally:
        for terminal in made.values():
            terminal.close()
