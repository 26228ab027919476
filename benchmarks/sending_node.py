"""A sender's node that makes its own bulletins: `python -m benchmarks.sending_node FOLDER URL`.

The whole node service of the product, with the line to the broker and its store; only the local
HTTP API is left out: wishes go straight to the function that the API calls. Commands on standard
input, one JSON object a line: {"do": "send", "count": N}; the answer comes once the accepted
receipt of every one of them is durable in this node's store.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from saphan.compose import Wish
from saphan.interpreter import serve_for_long
from saphan.node.config import NodeConfig
from saphan.node.service import NodeService, running

from benchmarks.bulletin import wish
from benchmarks.world import RECIPIENT

AT_ONCE: Final = 256
"""Bulletins that wait for their id at one time: below the node's queue, above its batch."""
LOOK_SECONDS: Final = 0.02
PATIENCE_SECONDS: Final = 120.0


async def send(service: NodeService, count: int, made: Wish) -> dict[str, Any]:
    """Send `count` bulletins and wait for all accepted receipts.

    The clock runs from the first submission until the store shows the last receipt.
    """
    before = accepted(service)
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with room:
            await service.send(made)

    begin = time.perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(one() for _ in range(count)))
        submitted = time.perf_counter() - begin
        await until(lambda: accepted(service) - before >= count)
    seconds = time.perf_counter() - begin
    return {"count": count, "seconds": seconds, "submitted_seconds": submitted}


def accepted(service: NodeService) -> int:
    """Deliveries whose accepted receipt is durable here."""
    found = service.db.row("SELECT count(*) FROM deliveries WHERE state = 'accepted'")
    return 0 if found is None else int(found[0])


async def ready(service: NodeService) -> None:
    """Wait until the line is open and the agreement replayed."""
    directory = service.logs.directory
    async with asyncio.timeout(PATIENCE_SECONDS):
        await until(lambda: service.line.state.state == "open")
        await until(lambda: any(directory.agreements(service.agency, RECIPIENT)))


async def until(true: Callable[[], bool]) -> None:
    """Look again and again; nothing tells of a store's rows."""
    while not await asyncio.to_thread(true):  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)


async def main(folder: Path, url: str) -> None:
    """Serve commands until the input ends."""
    loop = asyncio.get_running_loop()
    made = wish(RECIPIENT)
    async with running(NodeConfig(folder=folder, broker=url)) as service:
        await ready(service)
        print(json.dumps({"ready": service.agency}), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            answer = await send(service, json.loads(line)["count"], made)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve_for_long()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
