"""The recipient's node is killed again and again while it obeys: nothing is said twice, or left."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial

from saphan.node.service import NodeService
from support.bridge import KH, LA, Bridge, agreed, eventually, wish
from support.node_process import kill, process
from support.recalls import row
from support.threads import accepted

COUNT = 18
KILLS = 3


def shown(node: NodeService, bulletin: bytes) -> bool:
    """Whether the log shows the recall."""
    return str(row(node, bulletin)["state"]) != "sending"


async def test_every_recall_is_obeyed_once_whenever_the_node_is_killed(bridge: Bridge) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la:
            await agreed(la)
            async with process(bridge, KH) as running:
                sent = [await accepted(la, wish()) for _ in range(COUNT)]
                for part in range(KILLS):
                    for bulletin in sent[part::KILLS]:
                        await la.recalls.order(bulletin, "error", "keeper")
                    first = sent[part]
                    await eventually(partial(shown, la, first))
                    await kill(bridge, KH, running)
                await eventually(
                    lambda: all(row(la, one)["state"] == "obeyed" for one in sent), seconds=60
                )
                await eventually(
                    lambda: all(row(la, one)["erased"] is not None for one in sent), seconds=60
                )
            for bulletin in sent:
                events = [one["event"] for one in la.bulletins.status(bulletin)["timeline"]]
                assert events.count("obeyed") == events.count("erased") == 1, events
                assert "declined" not in events
    path = bridge.place / KH / "node" / "data" / "node.db"

    def left() -> tuple[int, int]:
        with closing(sqlite3.connect(path)) as db:
            bodies = db.execute("SELECT count(*) FROM bodies").fetchone()[0]
            keys = db.execute("SELECT count(*) FROM bulletins WHERE wrapped IS NOT NULL")
            return bodies, keys.fetchone()[0]

    assert await asyncio.to_thread(left) == (0, 0)
