"""docs/drills/broker-operator-changes.md; and the old operator, who has kept a copy."""

from __future__ import annotations

import shutil

from saphan_protocol.invitation import parse_invitation
from support.drill_pages import (
    OPERATOR,
    PHNOM_PENH,
    RUN_BROKER,
    RUN_NODE,
    VIENTIANE,
    Open,
    free_port,
)

NEW = "new operator"


def test_the_page_moves_the_broker_and_a_copy_left_behind_gets_no_session(open_town: Open) -> None:
    town = open_town(NEW, "old copy")
    for name in ("data", "keys"):
        source, places = town.folder(OPERATOR) / name, shutil.ignore_patterns("*.sock")
        shutil.copytree(source, town.folder("old copy") / name, ignore=places)
    port = free_port()
    town.walk("broker-operator-changes.md", lambda block: block.replace("8471", str(port)))
    assert list(town.folder(OPERATOR).glob("*.tar")) == []
    assert "kh.gpo: Accepted" in town.terminals[VIENTIANE].shown
    assert "value: 5012" in town.terminals[PHNOM_PENH].shown
    before, after = (
        parse_invitation((town.folder(place) / "bridge.json").read_bytes())
        for place in (OPERATOR, NEW)
    )
    assert (before.pins, before.tls == after.tls) == (after.pins, False)
    # The old operator has kept a copy and the old address; a node is led there again.
    town.terminals["old copy"].type(RUN_BROKER.format(port=town.port))
    invitation = town.folder(OPERATOR) / "bridge.json"
    stop = "kill %1 && wait %1"
    town.terminals[VIENTIANE].type(f"{stop}\nsaphan agency pin {invitation} --dir agency")
    town.terminals[VIENTIANE].type(RUN_NODE)
    town.line(VIENTIANE, "store_behind_node")
