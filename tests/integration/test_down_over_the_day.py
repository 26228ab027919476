"""A node that was down over a bulletin's day: it is gone at the broker, and the line goes on."""

from __future__ import annotations

from pathlib import Path

from saphan_schemas.limits import DAY_MS
from support.bridge import KH, LA, agreed, bridged, eventually, opened, states, wish


async def test_what_was_destroyed_meanwhile_stops_no_line(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge:
        async with bridge.broker_running():
            await bridge.enrol()
            last = bridge.clock() // DAY_MS + 3
            async with bridge.node(LA) as la:
                await agreed(la)
                async with bridge.node(KH) as kh:
                    await opened(kh)
                gone = await la.send(wish(retain_until=last))
                await eventually(lambda: "submitted" in states(la, gone))
        bridge.clock.ahead += 3 * DAY_MS
        bridge.node_clock.ahead += 3 * DAY_MS
        async with bridge.broker_running(), bridge.node(LA) as la:
            query = "SELECT 1 FROM entries WHERE event = 'destroyed'"
            await eventually(lambda: la.db.row(query))
            async with bridge.node(KH) as kh:
                bulletin = await la.send(wish())
                await eventually(lambda: states(la, bulletin) == ["accepted"])
                assert states(kh, gone) == ["expired"]
                assert kh.alarms.standing() == []
