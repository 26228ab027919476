"""An officer who watches the inbox goes on watching when the node is started again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.bridge import KH, LA, agreed, bridged, opened, wish
from support.command import environment, saphan_command


async def test_watching_survives_a_node_that_starts_again(tmp_path: Path) -> None:
    async with bridged(tmp_path) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node_with_api(LA) as la:
            await agreed(la)
            async with bridge.node_with_api(KH) as kh:
                await opened(kh)
                watching = await asyncio.create_subprocess_exec(
                    *saphan_command("inbox", "--watch", "--json", "--dir", bridge.place / KH),
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    env=environment(),
                )
                assert watching.stdout is not None
                assert watching.stderr is not None
                first = await la.send(wish())
                async with asyncio.timeout(30):
                    assert first.hex().encode() in await watching.stdout.readline()
            async with asyncio.timeout(30):
                assert b"waiting for it" in await watching.stderr.readline()
            async with bridge.node_with_api(KH):
                second = await la.send(wish())
                async with asyncio.timeout(30):
                    assert second.hex().encode() in await watching.stdout.readline()
            watching.terminate()
            await watching.wait()
