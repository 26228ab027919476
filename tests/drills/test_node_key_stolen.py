"""docs/drills/node-key-stolen.md, and what the thief can do before and after."""

from __future__ import annotations

import shutil

from support.drill_pages import PHNOM_PENH, VIENTIANE, Open


def test_the_page_locks_the_thief_out(open_town: Open) -> None:
    town = open_town("thief")
    shutil.copytree(
        town.folder(VIENTIANE) / "agency",
        town.folder("thief") / "agency",
        ignore=shutil.ignore_patterns("api.sock"),
    )
    town.walk("node-key-stolen.md")
    assert "kh.gpo: Accepted" in town.terminals[VIENTIANE].shown
    assert "Value: 5012" in town.terminals[PHNOM_PENH].shown
    town.terminals["thief"].type("saphan node run --dir agency >> node.log 2>&1 &")
    town.line("thief", "key_revoked")
    assert all(row["logged"] for row in town.node(PHNOM_PENH).get("/v1/bound")["bound"])
    alarms = town.node(VIENTIANE).get("/v1/identity")["alarms"]
    assert [alarm["code"] for alarm in alarms] == []
