"""docs/drills/laptop-stolen.md, as it stands there: real nodes, real desks, a thief who looks."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from saphan.desk.inbox import Inbox
from support.bridge import KH, eventually, states, wish
from support.desks import desk_bridge, on_line, ready_bridge
from support.rooms import ROOT
from support.terminals import Terminal
from support.walked import blocks, terminals, walk

PAGE = (ROOT / "docs/drills/laptop-stolen.md").read_text(encoding="utf-8")


async def test_the_thief_is_shut_out_and_the_officer_works_on() -> None:
    async with ready_bridge() as bridge, desk_bridge(bridge) as world:
        stolen = await world.desk("dao")
        sent = await world.la.send(wish())
        await eventually(lambda: states(world.la, sent) == ["accepted"])
        async with on_line(stolen, bridge) as (desk, line):
            await Inbox(desk).pull(line)
            await Inbox(desk).read(line, sent)
            key = desk.key.key_id
        real = {"09d8c1f03aa1b2c4": key.hex()[:16], "node.kh-gpo.example:8472": world.address}
        shown = await asyncio.to_thread(walked, bridge.place, stolen.folder, real)
        assert world.revoked(key)
        info = [one for one in world.kh.logs.directory.all_keys(KH) if one.handle == "dao"]
        assert [one.revoked is None for one in info] == [False, True]
    assert "(key_revoked)" in shown["laptop"].shown
    assert "refused, as it should be" in shown["laptop"].shown
    assert sent.hex()[:16] in shown["new laptop"].shown
    assert sent.hex()[:16] not in shown["laptop"].shown
    assert sent.hex()[:16] in shown["Phnom Penh"].shown  # step 2: what dao was shown and read


def walked(place: Path, stolen: Path, real: Mapping[str, str]) -> dict[str, Terminal]:
    """The page, with what is real in place of its examples; blocking."""
    assert PAGE.count("```sh") == len(blocks(PAGE))
    places = {"Phnom Penh": place}
    for name in ("laptop", "new laptop"):
        places[name] = place / name.replace(" ", "-")
        places[name].mkdir()
    shutil.copytree(stolen, places["laptop"] / "desk")
    with terminals(places) as made:
        walk(PAGE, made, lambda block: fitted(block, real))
        return made


def fitted(block: str, real: Mapping[str, str]) -> str:
    for example, found in real.items():
        block = block.replace(example, found)
    return block
