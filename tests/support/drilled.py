"""A drill's page, walked through between real nodes: each place a shell, each person at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.command import typed
from support.terminals import Terminal

ANSWERS: Final = {
    # What opens the keys of a bridge (support.bridge.SECRET).
    r"(?:root|order) key[^\n]*: ": "open sesame of a test",
    r"key of (?:bounmy|sokha|order)[^\n]*: ": "open sesame of a test",
    r"Type yes to go on: ": "yes",
}


@contextmanager
def terminals(
    places: Mapping[str, Path], answers: Mapping[str, str], **variables: str
) -> Iterator[dict[str, Terminal]]:
    """A shell in each folder, in which `saphan` is this checkout's; the folders exist.

    Args:
        answers: what people type, by the end of the question; those of `ANSWERS` too.
    """
    env = typed(next(iter(places.values())) / ".commands", **variables)
    made: dict[str, Terminal] = {}
    try:
        for place, folder in places.items():
            made[place] = Terminal(folder, env, {**ANSWERS, **answers})
        yield made
    finally:
        for terminal in made.values():
            terminal.close()
