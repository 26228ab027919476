"""docs/drills/partner-suspended.md, as it stands there, between two real nodes."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

from saphan.node.service import NodeService
from saphan_protocol.agreement import Agreed
from saphan_schemas.records import Role
from support.bridge import KH, LA, agreed, eventually, states, wish
from support.desks import ready_bridge
from support.rooms import ROOT
from support.terminals import Terminal
from support.walked import blocks, terminals, walk

PAGE = (ROOT / "docs/drills/partner-suspended.md").read_text(encoding="utf-8")


async def test_nothing_new_passes_until_it_is_taken_back() -> None:
    async with ready_bridge() as bridge:
        async with bridge.broker_running(), bridge.node_with_api(LA) as la:
            await agreed(la)
            (agreement,) = la.logs.directory.agreements_of(LA)
            parts = parts_of_page(agreement)
            async with bridge.node(KH) as kh:
                await asyncio.to_thread(walked, bridge.place, parts[0])
                await eventually(lambda: list(kh.logs.directory.keys(LA, Role.ORDER)))
                await agreed(kh)
            on_its_way = await la.send(wish())
            await eventually(lambda: states(la, on_its_way) == ["submitted"])
        async with bridge.node_with_api(LA) as la, bridge.node_with_api(KH) as kh:
            shown = await asyncio.to_thread(walked, bridge.place, parts[1])
            assert on_its_way.hex()[:16] in shown["Vientiane"].shown  # named as on its way
            assert logged(la) == logged(kh) == [False]
            async with bridge.broker_running():
                await eventually(lambda: states(la, on_its_way) == ["accepted"])
                await eventually(lambda: logged(la) == logged(kh) == [True])
                shown = await asyncio.to_thread(walked, bridge.place, parts[2])
                rows = la.db.rows("SELECT id FROM bulletins WHERE sender = ? ORDER BY seq", (LA,))
                assert len(rows) == 2
                await eventually(lambda: states(la, rows[1][0]) == ["accepted"])
    for place in shown.values():
        assert "(agreement_suspended)" in place.shown
        assert "refused, as it should be" in place.shown
    assert "suspended by la.ospp" in shown["Phnom Penh"].shown


def logged(node: NodeService) -> list[bool]:
    """Whether the log has the orders that this node is bound by."""
    return [row["logged"] for row in node.watching.bound.listed()]


def parts_of_page(agreement: Agreed) -> list[str]:
    """Before the night, while the broker is off, and after; what is real in place of examples."""
    page = PAGE.replace("la-kh-2026", agreement.text.reference)
    page = page.replace("5d0e7a91c3b2f486", agreement.name.hex()[:16])
    parts = re.split(r"^## (?:What to do|How you know)", page, flags=re.MULTILINE)
    assert len(parts) == 3
    return parts


def walked(place: Path, part: str) -> dict[str, Terminal]:
    """A part of the page, at both places; blocking."""
    assert part.count("```sh") == len(blocks(part))
    places = {"Vientiane": place, "Phnom Penh": place / "phnom-penh"}
    places["Phnom Penh"].mkdir(exist_ok=True)
    if not (places["Phnom Penh"] / KH).exists():
        (places["Phnom Penh"] / KH).symlink_to(place / KH)
    for folder in places.values():
        shutil.copy(ROOT / "demo/figures.json", folder)
    with terminals(places) as made:
        walk(part, made)
        return made
