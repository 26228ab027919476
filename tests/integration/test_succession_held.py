"""The disk is gone while a bulletin of an own type is held: both are so in the next log."""

from __future__ import annotations

import asyncio
from pathlib import Path

from saphan.node.holding.rows import is_held
from saphan.node.rows.places import place_of
from saphan.node.service import NodeService
from support.bridge import KH, LA, agreed, bridged, eventually, opened, states
from support.hold_files import hold_file
from support.lost_log import lose, succeed
from support.own_bridge import has_it, register, report, rules
from support.own_types import bundle


def holds(node: NodeService, bulletin: bytes) -> list[tuple[int, str]]:
    """(number of the log, event) of what the logs show of its holds."""
    rows = node.db.rows(
        "SELECT idx, event FROM entries WHERE bulletin = ? AND event IN ('held', 'released')"
        " ORDER BY idx",
        (bulletin,),
    )
    return [(place_of(place).log, event) for place, event in rows]


async def test_a_held_bulletin_of_an_own_type_is_held_and_released_in_the_log_that_follows(
    tmp_path: Path,
) -> None:
    """Timeline: one is in the log, its recipient away and without the type; its sender holds it;
    the disk is gone. The successor has leaves alone: type, agreement and hold are brought again."""
    async with bridged(tmp_path) as bridge:
        async with bridge.broker_running():
            await bridge.enrol(rules=rules())
            async with bridge.node(LA) as la:
                await agreed(la)
                await register(bridge, la, bundle())
                await eventually(lambda: has_it(la))
                bulletin = await la.send(report())
                await eventually(lambda: states(la, bulletin) == ["submitted"])
                held = hold_file(bridge, LA, ids=(bulletin,), told=False)
                await la.holds.take(held.package, held.terms, held.salt)
                await eventually(lambda: holds(la, bulletin) == [(1, "held")], 60)
        await asyncio.to_thread(lose, bridge)
        await succeed(bridge, LA, KH)
        async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
            await eventually(lambda: states(la, bulletin) == ["accepted"], 60)
            assert has_it(kh)
            await eventually(lambda: holds(la, bulletin) == [(1, "held"), (2, "held")], 60)
            assert is_held(la.db, bulletin)
            over = hold_file(bridge, LA, number=2, release=held.name, ids=(bulletin,), told=False)
            await opened(la)
            await la.holds.take(over.package, over.terms, over.salt)
            await eventually(lambda: holds(la, bulletin)[-1] == (2, "released"), 60)
            assert holds(la, bulletin) == [(1, "held"), (2, "held"), (2, "released")]
