"""docs/drills/node-disk-lost.md: a disk dies some bulletins after its last backup."""

from __future__ import annotations

import shutil

from saphan.backup.custodians import make_custodian
from support.bridge import CHEAP, SECRET
from support.drill_pages import PHNOM_PENH, VIENTIANE, Open, Town, until

CUSTODIANS = ("dara", "mali", "noy")
BACKUP = (
    "saphan node backup --dir agency --data la.data --keys la.keys"
    " --custodians dara.pub,mali.pub,noy.pub --quorum 2"
)
LETTER = "saphan send figures.json --to la.ospp --dir agency"


def last_night(town: Town) -> None:
    """Custodians have made their keys, and the backup was made."""
    for name in CUSTODIANS:
        _, public, _ = make_custodian(town.folder(name), name, SECRET, CHEAP)
        shutil.copy(public, town.folder(VIENTIANE))
    medium = town.folder(VIENTIANE) / "medium"
    medium.mkdir()
    shutil.move(town.folder(VIENTIANE) / "agency/root/root.key", medium)
    town.terminals[VIENTIANE].type(BACKUP)


def test_the_page_brings_the_node_back(open_town: Open) -> None:
    town = open_town(*CUSTODIANS)
    town.terminals[PHNOM_PENH].type(LETTER + " --wait")
    last_night(town)
    town.terminals[PHNOM_PENH].type(LETTER + " --wait")
    town.terminals[VIENTIANE].type("kill -9 %1\nwait %1 || true\nrm -r agency")
    town.terminals[PHNOM_PENH].type(LETTER)
    town.walk("node-disk-lost.md")
    assert "kh.gpo: Accepted" in town.terminals[VIENTIANE].shown
    until(lambda: len(inbox(town)) == 3, lambda: town.words(VIENTIANE))
    assert len(set(inbox(town))) == 3
    alarms = town.node(VIENTIANE).get("/v1/identity")["alarms"]
    assert alarms == []
    sent = town.node(PHNOM_PENH).get("/v1/bulletins")["bulletins"]
    assert sorted(inbox(town)) == sorted(row["id"] for row in sent)


def inbox(town: Town) -> list[str]:
    """What Vientiane has received."""
    return [row["id"] for row in town.node(VIENTIANE).get("/v1/inbox")["bulletins"]]
