"""A world sees what is wrong in it, so that the oracle is asked about it."""

from __future__ import annotations

import asyncio

import pytest
from saphan_broker.keys import load_log_keys
from support.bridge import states, wish
from support.oracle import Fault

from matrix.running import plainly, prepared
from matrix.stories import DELIVER
from matrix.world import World, on_sqlite


async def fork(world: World) -> None:
    """The broker signs another history, and keeps it to itself."""
    keys = await asyncio.to_thread(load_log_keys, world.bridge.place / "keys", "evidence")
    world.effects.heads.add(keys.sign_head(1, bytes(32), world.bridge.clock() // 1000).note)


async def list_again(world: World) -> None:
    """The recipient's node lists a bulletin as new that its case system has seen."""
    await world.settled()
    with world.kh.db.transaction() as tx:
        tx.execute("UPDATE bulletins SET arrived = arrived + 1000")


async def send_twice(world: World) -> None:
    """A request whose sender was told nothing is done."""
    bulletin = await world.la.send(wish())
    await world.until(lambda: states(world.la, bulletin) == ["accepted"])


async def test_what_goes_wrong_in_a_world_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    effects = prepared(monkeypatch)
    async with on_sqlite(effects) as world:
        await plainly(world, DELIVER, 1)
        for plant in (send_twice, list_again, fork):
            await plant(world)
        found = {finding.fault for finding in await world.judged()}
        assert found == {Fault.UNASKED, Fault.SHOWN_TWICE, Fault.TWO_ROOTS}
