"""The page for new offices works as it stands there: every command, every file that is carried."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import walked
from support.rooms import ROOT
from support.servers import free_port
from support.terminals import Terminal
from support.walked import blocks, walk

PAGE = ROOT / "docs/getting-started.md"
PLACES = ("broker's operator", "Vientiane", "Phnom Penh")
COMMAND = re.compile(r"^saphan ", re.MULTILINE)
ANSWERS = {
    r"root key[^\n]*: ": "ferry lantern rice seven drums",
    r"key of (?:khamla|sokha)[^\n]*: ": "lotus ladder copper nine boats",
    r"Type yes to go on: ": "yes",
}


@pytest.fixture
def terminals() -> Iterator[dict[str, Terminal]]:
    """Three places; Unix sockets have short names only, and pytest's folders have long ones."""
    top = Path("/tmp") / f"g{os.getpid()}"
    places = {place: top / str(number) for number, place in enumerate(PLACES)}
    for folder in places.values():
        folder.mkdir(parents=True)
    try:
        with walked.terminals(places, ANSWERS) as made:
            yield made
    finally:
        shutil.rmtree(top)


def test_the_page_leads_from_nothing_to_a_bulletin_that_was_read(
    terminals: dict[str, Terminal],
) -> None:
    """Only the port is another one: 8470 may be taken on a machine that runs a broker."""
    text, port = PAGE.read_text(encoding="utf-8"), str(free_port())
    shutil.copy(ROOT / "demo/figures.json", terminals["Vientiane"].folder)
    typed = dict.fromkeys(PLACES, 0)
    for place, block in blocks(text):
        typed[place] += len(COMMAND.findall(block))
    carried = walk(text, terminals, lambda block: block.replace("8470", port))
    shown = {place: terminal.shown for place, terminal in terminals.items()}
    assert "kh.gpo: Accepted" in shown["Vientiane"]
    assert "EXERCISE" in shown["Phnom Penh"]
    assert "Value: 5012" in shown["Phnom Penh"]
    assert "ferry" not in "".join(shown.values())
    # What the page promises: four commands an office, one file each way with the operator.
    assert (typed["Vientiane"], typed["Phnom Penh"]) == (4, 4)
    operator = PLACES[0]
    assert carried == {
        *((operator, place) for place in PLACES[1:]),
        *((place, operator) for place in PLACES[1:]),
        ("Vientiane", "Phnom Penh"),
    }
    assert text.count("```sh") == len(blocks(text))
