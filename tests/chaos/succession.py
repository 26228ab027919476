"""The operator whose broker has lost its store: `saphan-broker succeed`, then it runs again."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.world import World

PATIENCE_S = 300.0


async def succeed(world: World) -> None:
    """Open the successor log, with every agency's report.

    Raises:
        RuntimeError: the program has ended otherwise; with its last words.
    """
    words = [*world.broker_program("succeed"), "--listen", "127.0.0.1:0", "--plain", "--yes"]
    world.story.tell("succession begins")
    party = world.parties["broker"]
    with party.log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *map(str, words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=party.clock.environment(),
        )
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in process.stdout:
                said = json.loads(line)
                world.story.tell("succession", said=said)
                if "url" in said:
                    world.point_at_broker(said["url"])
            code = await process.wait()
    if code != 0:
        raise RuntimeError(f"`saphan-broker succeed` has ended with {code}; see {party.log}")
    world.story.tell("succession done")
