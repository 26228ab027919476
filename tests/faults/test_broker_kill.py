"""The broker is killed with SIGKILL while bulletins are under way: nothing is lost, or twice."""

from __future__ import annotations

import asyncio
import json
import sys

from support.bridge import KH, LA, Bridge, agreed, eventually, opened, states, wish

ROUNDS = 3
EACH = 40


async def start(bridge: Bridge, listen: str) -> asyncio.subprocess.Process:
    """`saphan-broker run`; the bridge's address becomes the process's."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "saphan_broker", "run",
        "--data", str(bridge.place / "data"), "--keys", str(bridge.place / "keys"),
        "--listen", listen, "--plain", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    bridge.url = json.loads(await process.stdout.readline())["url"]
    return process


async def test_a_killed_broker_loses_nothing(bridge: Bridge) -> None:
    """Timeline: bulletins flow; the broker dies in the middle; more are taken meanwhile; it starts
    again at the same address, hears a node, signs, and goes on; this several times."""
    async with bridge.broker_running():
        await bridge.enrol()
    broker = await start(bridge, "127.0.0.1:0")
    address = bridge.url.removeprefix("http://")
    async with bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await opened(kh)
        sent: list[bytes] = []
        for _ in range(ROUNDS):
            sent += await asyncio.gather(*(la.send(wish()) for _ in range(EACH)))
            before = sent[-EACH]
            await eventually(lambda: states(la, before) != ["queued"])  # noqa: B023
            broker.kill()
            await broker.wait()
            sent += await asyncio.gather(*(la.send(wish()) for _ in range(EACH)))
            broker = await start(bridge, address)
        await eventually(lambda: all(states(la, one) == ["accepted"] for one in sent), 60)
        inbox = [row["id"] for row in kh.bulletins.inbox(0, 500)]
        assert sorted(inbox) == sorted(one.hex() for one in sent)
        refused = "SELECT event, code FROM statements WHERE state = 'refused'"
        assert kh.db.rows(refused) == la.db.rows(refused) == []
        # Every corridor entry is there, in its order: a gap would have stopped the nodes.
        numbers = "SELECT number FROM corridors WHERE recipient = ?"
        # A node's own statements come a little later than those of others.
        whole = (3 * len(sent),)
        await eventually(lambda: la.db.row(numbers, (KH,)) == kh.db.row(numbers, (KH,)) == whole)
    broker.terminate()
    assert await broker.wait() == 0
