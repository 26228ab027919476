"""After the last fault: everybody comes back by themselves, and nothing promised stays open."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Final

from chaos.load import Load
from chaos.schedule import DESKS
from chaos.world import World

LOOK_S: Final = 0.2


async def settle(world: World, load: Load, patience: float) -> tuple[float, list[str]]:
    """Wait until nothing is open any more.

    Args:
        patience: seconds in which nothing that was open is closed, until it is given up. A busy
            machine takes longer for everything, but something always moves.

    Returns:
        (seconds that it took, what was still open when patience ended; nothing: all has settled).
    """
    begun = moved = time.monotonic()
    open_ = await still_open(world, load)
    while open_ and time.monotonic() - moved < patience:
        await asyncio.sleep(LOOK_S)
        before, open_ = open_, await still_open(world, load)
        if open_ != before:
            moved = time.monotonic()
    return time.monotonic() - begun, open_


async def still_open(world: World, load: Load) -> list[str]:
    """What somebody still owes somebody."""
    found = [f"{one.key} has no answer of its node" for one in load.pushed if not one.id]
    found += [
        f"{one.key} ({one.id[:16]}) to {to} has no outcome at its sender"
        for one in load.pushed
        for to in one.to
        if one.id and to not in one.outcomes
    ]
    shown = {(one.reader, one.bulletin) for one in load.shown}
    listed = world.listed()
    for one in load.pushed:
        for to, (state, _) in one.outcomes.items():
            if state != "accepted":
                continue
            if (to, one.id) not in shown:
                found.append(f"{one.key} ({one.id[:16]}) was not shown to the system of {to}")
            desk = f"desk:{to}"
            if desk in DESKS and (desk, one.id) not in listed:
                found.append(f"{one.key} ({one.id[:16]}) was not opened at the desk of {to}")
    if world.server is not None and not await asyncio.to_thread(world.server.in_step):
        found.append("the replica does not follow its primary")
    return found


def states(load: Load) -> dict[str, int]:
    """How many deliveries have which outcome at their sender."""
    return dict(Counter(state for one in load.pushed for state, _ in one.outcomes.values()))
