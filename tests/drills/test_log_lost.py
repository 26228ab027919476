"""docs/drills/log-lost.md: the broker's data is deleted while bulletins are on their way."""

from __future__ import annotations

import shutil
from functools import partial

from support.drill_pages import OPERATOR, PHNOM_PENH, SECTIONS, VIENTIANE, Open, Town, until
from support.rooms import ROOT
from support.walked import blocks, walk

PAGE = (ROOT / "docs/drills/log-lost.md").read_text(encoding="utf-8")
PORT = "8470"
TO_KH = "saphan send figures.json --to kh.gpo --dir agency"
TO_LA = "saphan send figures.json --to la.ospp --dir agency"


def test_from_the_disk_is_gone_to_all_bulletins_have_arrived(open_town: Open) -> None:
    town = open_town()
    town.terminals[VIENTIANE].type(TO_KH + " --wait")
    town.terminals[PHNOM_PENH].type(TO_LA + " --wait")
    town.terminals[OPERATOR].type("kill -9 %1\nwait %1 || true")
    shutil.rmtree(town.folder(OPERATOR) / "data")
    for place, letter in ((VIENTIANE, TO_KH), (PHNOM_PENH, TO_LA)):
        town.terminals[place].type(letter)
    walked(town)
    for place in (VIENTIANE, PHNOM_PENH):
        sender = PHNOM_PENH if place == VIENTIANE else VIENTIANE
        sent = sorted(row["id"] for row in town.node(sender).get("/v1/bulletins")["bulletins"])
        until(partial(received, town, place, sent), partial(words, town))
    said = town.terminals[OPERATOR].shown
    assert "it follows bridge.example/evidence/1" in said
    assert "one of them is the one that is named" in said
    assert said.count("Nothing is wrong in what was checked.") == 2


def walked(town: Town) -> None:
    """The page, with the town's own port."""
    assert PAGE.count("```sh") == len(blocks(PAGE)) == 4
    assert all(f"\n## {section}\n" in PAGE for section in SECTIONS)
    walk(PAGE.replace(PORT, str(town.port)), town.terminals)


def received(town: Town, place: str, sent: list[str]) -> bool:
    """Whether all of it stands in the inbox there, each once."""
    return sorted(row["id"] for row in town.node(place).get("/v1/inbox")["bulletins"]) == sent


def words(town: Town) -> str:
    return "\n".join(town.words(place) for place in town.terminals)
