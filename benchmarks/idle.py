"""Measurement 9: what a node costs that has nothing to do, while other agencies are busy.

Real time, with TLS, through a relay that counts what passes. Heads that are told once in 45 minutes
may not fall into so short a time: they are added as the tests of the session count them.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from saphan import Node
from saphan_schemas.limits import DAY_MS, LIMITS

from benchmarks import programs
from benchmarks.attachment import accepted
from benchmarks.bulletin import wish
from benchmarks.world import RECIPIENT, SENDER, World, small_senders

BUSY_SECONDS: Final = 5.0
"""Between two bulletins of the others."""
SETTLE_SECONDS: Final = 30.0
"""A session that begins is told the newest heads; that is no idle line yet."""
DAY_SECONDS: Final = DAY_MS / 1000
HEAD_BYTES: Final = 8_000
"""A head of each log and the cosignatures: tests/integration/test_idle_cost.py holds it to that."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Bytes of TLS records, both ways.

    Attributes:
        seconds, bytes: as measured; bulletins: of the others meanwhile.
        day: bytes of a day: the measured ones, and those of the heads.
    """

    seconds: float
    bytes: int
    bulletins: int

    @property
    def day(self) -> float:
        """Bytes of a day on which the line does not break."""
        heads = DAY_MS / LIMITS.head_quiet_ms * HEAD_BYTES
        return self.bytes / self.seconds * DAY_SECONDS + heads


async def measure(world: World, log: Path, seconds: float, settle: float = SETTLE_SECONDS) -> Idle:
    """An agency with an open line and nothing to say; the world has one small sender at least."""
    (idle,) = small_senders(1)
    async with AsyncExitStack() as stack:
        at = programs.broker(world.data, world.keys, log, tls=True)
        _, url = await stack.enter_async_context(at)
        address = urlsplit(url)
        words = ("benchmarks.weak_line", f"{address.hostname}:{address.port}")
        relay = await stack.enter_async_context(programs.started("relay", log, *words))
        port = urlsplit((await relay.hear())["url"]).port
        through = f"{address.scheme}://{address.hostname}:{port}"
        for name, way in ((idle, through), (RECIPIENT, url), (SENDER, url)):
            node = programs.node(world.office(name).folder, way, log)
            await stack.enter_async_context(node)
        sender = await stack.enter_async_context(Node(world.office(SENDER).folder))
        await asyncio.sleep(settle)
        before = await relay.ask({"do": "count"})
        sent = await _busy(sender, seconds)
        after = await relay.ask({"do": "count"})
        passed = sum(after[way] - before[way] for way in ("up", "down"))
    return Idle(seconds, passed, sent)


async def _busy(sender: Node, seconds: float) -> int:
    """Send a bulletin now and then for so long; how many."""
    made, sent = wish(RECIPIENT), 0
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0:
        bulletin = await sender.send(
            to=RECIPIENT, schema=made.schema, about=made.about, body=made.body, exercise=True
        )
        await accepted(sender, bulletin)
        sent += 1
        await asyncio.sleep(min(left, BUSY_SECONDS))
    return sent
