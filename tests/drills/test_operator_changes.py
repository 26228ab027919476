"""docs/drills/operator-changes.md, as it stands there: two houses, one broker, two nodes."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from support.bridge import KH, LA, Bridge, agreed, eventually, states, wish
from support.desks import ready_bridge
from support.rooms import ROOT
from support.servers import free_port
from support.terminals import Terminal
from support.walked import blocks, terminals, walk

PAGE = (ROOT / "docs/drills/operator-changes.md").read_text(encoding="utf-8")


async def test_the_logs_go_on_at_another_house() -> None:
    async with ready_bridge() as bridge:
        async with bridge.broker_running() as broker, bridge.node(LA) as la:
            async with bridge.node(KH) as kh:
                await agreed(la)
                await agreed(kh)
                done = await la.send(wish())
                await eventually(lambda: states(la, done) == ["accepted"])
            on_its_way = await la.send(wish())
            await eventually(lambda: states(la, on_its_way) == ["submitted"])
            origin, size = bridge.pins.evidence.origin, broker.state.evidence.tree.size
        shown = await asyncio.to_thread(walked, bridge)
        old = bridge.place / "old-operator"
        assert [path.name for path in old.iterdir() if path.name in ("data", "keys")] == []
        # A node keeps only heads that it has seen to continue those before.
        for agency in (LA, KH):
            assert await asyncio.to_thread(newest, bridge.place / agency / "node", origin) > size
    received = [line for line in shown["Phnom Penh"].shown.splitlines() if "la.ospp" in line]
    assert any(on_its_way.hex()[:16] in line for line in received)
    assert len(received) >= 3


def newest(node: Path, origin: str) -> int:
    """Size of the newest head of a log that a node has verified; blocking."""
    with closing(sqlite3.connect(node / "data" / "node.db")) as db:
        (size,) = db.execute("SELECT max(size) FROM heads WHERE origin = ?", (origin,)).fetchone()
    return int(size)


def walked(bridge: Bridge) -> dict[str, Terminal]:
    """The page, on a free port; blocking."""
    assert PAGE.count("```sh") == len(blocks(PAGE))
    place = bridge.place
    places = {name: place / name.replace(" ", "-") for name in ("old operator", "new operator")}
    for folder in places.values():
        folder.mkdir()
    for part in ("data", "keys"):
        (place / part).rename(places["old operator"] / part)
    for name, agency in (("Vientiane", LA), ("Phnom Penh", KH)):
        places[name] = place / f"at-{agency}"
        places[name].mkdir()
        (places[name] / agency).symlink_to(place / agency)
        shutil.copy(ROOT / "demo/figures.json", places[name])
    port = str(free_port())
    with terminals(places) as made:
        walk(PAGE, made, lambda block: block.replace("8470", port))
        return made
