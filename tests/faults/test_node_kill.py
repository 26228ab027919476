"""Nodes are killed with SIGKILL in the middle of work: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import Any

from saphan import Node
from saphan.local_api import LocalNode
from saphan_schemas.errors import Unavailable
from support.bridge import KH, LA, Bridge, eventually, wish
from support.node_process import kill, process

BULLETINS = 120
OPEN = "SELECT 1 FROM deliveries WHERE state != 'accepted'"


async def send_all(bridge: Bridge, ids: list[str]) -> None:
    """A case system that sends again whatever was not answered with an id."""
    one = wish()
    while len(ids) < BULLETINS:
        with contextlib.suppress(Unavailable):
            async with Node(bridge.place / LA) as node:
                while len(ids) < BULLETINS:
                    ids.append(
                        await node.send(to=KH, schema=one.schema, about=one.about, body=one.body)
                    )
        await asyncio.sleep(0.05)


async def may_send(bridge: Bridge) -> None:
    """The sender's new process has heard of the agreement."""
    node = LocalNode(bridge.place / LA / "node")
    async with asyncio.timeout(60):
        while True:
            identity = await asyncio.to_thread(node.get, "/v1/identity")
            if identity["agreements"]:
                return
            await asyncio.sleep(0.05)


async def sent(bridge: Bridge) -> list[dict[str, Any]]:
    """What the sender's node knows of its own bulletins."""
    node = LocalNode(bridge.place / LA / "node")
    found = await asyncio.to_thread(node.get, "/v1/bulletins?limit=500")
    rows: list[dict[str, Any]] = found["bulletins"]
    return rows


async def test_killed_nodes_lose_nothing_and_show_nothing_twice(bridge: Bridge) -> None:
    """Timeline: both nodes run; the recipient is killed, the sender is killed, both again, while a
    case system goes on sending; in the end every answered id is accepted, and is there once."""
    ids: list[str] = []
    async with bridge.broker_running():
        await bridge.enrol()
        async with process(bridge, KH) as kh, process(bridge, LA) as la:
            await may_send(bridge)
            sending = asyncio.create_task(send_all(bridge, ids))
            for share, who, running in ((5, KH, kh), (4, LA, la), (3, KH, kh), (2, LA, la)):
                enough = BULLETINS // share
                await eventually(lambda: len(ids) >= enough, 60)  # noqa: B023
                await kill(bridge, who, running)
            await sending
            with contextlib.closing(sqlite3.connect(bridge.place / LA / "node/data/node.db")) as db:
                await eventually(lambda: not db.execute(OPEN).fetchall(), 60)
            known = [row["id"] for row in await sent(bridge)]
            async with Node(bridge.place / KH) as node:
                inbox = [bulletin.id async for bulletin in node.inbox(follow=False)]
    # A bulletin kept just before a kill may lack its answer: it is sent all the same, and is new.
    assert set(ids) <= set(known)
    assert sorted(inbox) == sorted(known)
    assert len(set(inbox)) == len(inbox)
