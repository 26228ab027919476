"""Measurement 5: bytes on the wire, counted by a TCP relay between each node and the broker.

Everything above TCP counts: WebSocket frames, requests, feed, heads, cosignatures, pings.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from benchmarks import programs
from benchmarks.programs import Program
from benchmarks.world import RECIPIENT, SENDER, World

DIRECTIONS: Final = (
    "sender to broker",
    "broker to sender",
    "recipient to broker",
    "broker to recipient",
)


@dataclass(slots=True)
class Relay:
    """Passes bytes on and counts them; `up` is from the node to the broker."""

    url: str = ""
    up: int = 0
    down: int = 0


@asynccontextmanager
async def relay(url: str) -> AsyncIterator[Relay]:
    """A relay to the broker at `url`, on a port of its own."""
    address = urlsplit(url)
    relayed = Relay()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(address.hostname, address.port)

        def upwards(size: int) -> None:
            relayed.up += size

        def downwards(size: int) -> None:
            relayed.down += size

        await asyncio.gather(_pass(reader, back, upwards), _pass(there, writer, downwards))

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        relayed.url = f"http://{host}:{port}"
        yield relayed


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[int], None]
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            count(len(data))
            writer.write(data)
            await writer.drain()
    writer.close()


async def measure(
    world: World, log: Path, batches: Sequence[int], times: int, quiet_s: float
) -> list[dict[str, float]]:
    """Bytes per bulletin in each of DIRECTIONS, for each number of bulletins sent at once.

    Args:
        quiet_s: without a byte for so long, everything about a bulletin has been said; heads that
            bring nothing else follow within 1 s.
    """
    async with contextlib.AsyncExitStack() as stack:
        _, url = await stack.enter_async_context(programs.broker(world.data, world.keys, log))
        here = await stack.enter_async_context(relay(url))
        there = await stack.enter_async_context(relay(url))
        recipient = world.office(RECIPIENT).folder
        await stack.enter_async_context(programs.node(recipient, there.url, log))
        folder = world.office(SENDER).folder
        sender = await stack.enter_async_context(
            programs.started("sender", log, "benchmarks.sending_node", folder, here.url)
        )
        await sender.hear()
        found = []
        for batch in batches:
            runs = [await _once(sender, (here, there), batch, quiet_s) for _ in range(times)]
            found.append(dict(zip(DIRECTIONS, map(median, zip(*runs, strict=True)), strict=True)))
        return found


async def _once(
    sender: Program, relays: tuple[Relay, Relay], batch: int, quiet_s: float
) -> tuple[float, ...]:
    await _quiet(relays, quiet_s)
    before = _counts(relays)
    await sender.ask({"do": "send", "count": batch})
    await _quiet(relays, quiet_s)
    return tuple((b - a) / batch for a, b in zip(before, _counts(relays), strict=True))


async def _quiet(relays: tuple[Relay, Relay], seconds: float) -> None:
    """Wait until nothing has passed for so long."""
    last = _counts(relays)
    while True:
        await asyncio.sleep(seconds)
        now = _counts(relays)
        if now == last:
            return
        last = now


def _counts(relays: tuple[Relay, Relay]) -> tuple[int, ...]:
    return tuple(count for one in relays for count in (one.up, one.down))
