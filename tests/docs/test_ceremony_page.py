"""The page of the root ceremony works as it stands there: five machines, files carried by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan.office import Office
from saphan_protocol.directory import Directory, operation_leaf
from saphan_schemas.records import Role
from support import walked
from support.rooms import ROOT
from support.terminals import Terminal
from support.walked import blocks, walk

PAGE = ROOT / "docs/ceremony.md"
OFFICE = "Vientiane"
HOLDERS = ("director", "deputy", "archive", "successor")
WORDS = re.compile(r"^    ((?:[a-z]+ ){3}[a-z]+)\r?$", re.MULTILINE)
ANSWERS = {
    r"root key[^\n]*: ": "ferry lantern rice seven drums",
    r"key of (?:khamla|sokha)[^\n]*: ": "lotus ladder copper nine boats",
    r"Type yes to go on: ": "yes",
}


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[dict[str, Terminal]]:
    places = {place: tmp_path / place for place in (OFFICE, *HOLDERS)}
    for folder in places.values():
        folder.mkdir()
    with walked.terminals(places, ANSWERS) as made:
        yield made


def test_the_page_leads_from_three_roots_to_a_replaced_one(terminals: dict[str, Terminal]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    walk(text, terminals)
    assert text.count("```sh") == len(blocks(text))
    office = Office(terminals[OFFICE].folder / "agency")
    directory = Directory()
    for signed in office.history():
        directory.apply(operation_leaf(signed))
    assert directory.version("la.ospp")[0] == 3
    assert [key.handle for key in directory.keys("la.ospp", Role.OFFICER)] == ["khamla", "sokha"]
    roots = {key.key_id for key in directory.keys("la.ospp", Role.ROOT)}
    assert roots == set(office.read_agency().root_ids)
    record = (terminals[OFFICE].folder / "record.html").read_text(encoding="utf-8")
    for name, shown in ((name, terminals[name].shown) for name in HOLDERS[:3]):
        # What is on the paper is what each holder saw when the root was made.
        own = "\n".join(WORDS.findall(shown)[:5])
        assert f"<strong>{name}</strong>" in record
        assert own in record
    assert "ferry" not in "".join(terminal.shown for terminal in terminals.values())
