"""Measurements 3 and 4: seal, submit, hand over, release, open, archive, accept, receipt.

Three real processes on this machine: the broker and the nodes of two agencies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from saphan import Node
from saphan.api_answer import SOCKET_NAME, TOKEN_NAME
from saphan.private import read_private
from saphan_schemas.errors import Unavailable

from benchmarks import programs
from benchmarks.bulletin import wish
from benchmarks.world import RECIPIENT, SENDER, World

PER_SECOND: Final = 50
WARM_SECONDS: Final = 0.5
"""First bulletins of the latency block that are not counted."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Accepted receipts per second at the sender, and processor time per bulletin in us."""

    rate: float
    broker_us: float
    sender_us: float
    recipient_us: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the moment a bulletin was due until its receipt was heard of."""

    p50: float
    p99: float
    samples: int


async def throughput(world: World, count: int, log: Path) -> Throughput:
    """Send `count` bulletins as fast as the sender's node takes them."""
    async with AsyncExitStack() as stack:
        broker, url = await stack.enter_async_context(programs.broker(world.data, world.keys, log))
        recipient = await stack.enter_async_context(
            programs.node(world.office(RECIPIENT).folder, url, log)
        )
        folder = world.office(SENDER).folder
        sender = await stack.enter_async_context(
            programs.started("sender", log, "benchmarks.sending_node", folder, url)
        )
        await sender.hear()
        await sender.ask({"do": "send", "count": max(1, count // 20)})
        parties = (broker, sender, recipient)
        before = [party.cpu_seconds() for party in parties]
        told = await sender.ask({"do": "send", "count": count})
        used = [party.cpu_seconds() - was for party, was in zip(parties, before, strict=True)]
        return Throughput(count / told["seconds"], *(one / count * 1e6 for one in used))


async def latency(world: World, count: int, log: Path, per_second: int = PER_SECOND) -> Latency:
    """Bulletins through the local HTTP API, so many a second, receipts from its event stream."""
    async with AsyncExitStack() as stack:
        _, url = await stack.enter_async_context(programs.broker(world.data, world.keys, log))
        for name in (RECIPIENT, SENDER):
            await stack.enter_async_context(programs.node(world.office(name).folder, url, log))
        folder = world.office(SENDER).folder
        node = await stack.enter_async_context(Node(folder))
        await _agreed(node)
        events = await stack.enter_async_context(_events(folder))
        heard: dict[str, float] = {}
        listening = asyncio.create_task(_listen(events, heard, count))
        due = await _offer(node, count, per_second)
        async with asyncio.timeout(60):
            await listening
    warm = int(WARM_SECONDS * per_second)
    times = sorted((heard[name] - at) * 1000 for name, at in due[warm:])
    return Latency(quantile(times, 0.5), quantile(times, 0.99), len(times))


async def _offer(node: Node, count: int, per_second: int) -> list[tuple[str, float]]:
    """Open loop: each bulletin is sent when it is due, whatever became of those before.

    Returns:
        (bulletin id, when it was due), in order.
    """
    made = wish(RECIPIENT)
    begin = time.perf_counter() + 0.1

    async def one(number: int) -> tuple[str, float]:
        due = begin + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        while True:
            try:
                name = await node.send(
                    to=RECIPIENT,
                    schema=made.schema,
                    about=made.about,
                    body=made.body,
                    exercise=True,
                )
            except Unavailable as busy:  # it waits, as any program would, and its clock goes on
                await asyncio.sleep(busy.retry_after_ms / 1000)
            else:
                return name, due

    return list(await asyncio.gather(*(one(number) for number in range(count))))


def _events(folder: Path) -> _Events:
    return _Events(folder)


class _Events:
    """The event stream of a node's local API."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "node"

    async def __aenter__(self) -> aiohttp.ClientResponse:
        token = read_private(self._folder / TOKEN_NAME, 1024, "api-token").decode().strip()
        self._http = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self._folder / SOCKET_NAME)),
            headers={"Authorization": f"Bearer {token}"},
        )
        timeout = aiohttp.ClientTimeout(total=None)
        self._response = await self._http.get("http://node/v1/events", timeout=timeout)
        return self._response

    async def __aexit__(self, *_: object) -> None:
        self._response.close()
        await self._http.close()


async def _listen(events: aiohttp.ClientResponse, heard: dict[str, float], count: int) -> None:
    async for line in events.content:
        if not line.startswith(b"data:"):
            continue
        event: dict[str, Any] = msgspec.json.decode(line[5:])
        if event.get("event") == "accepted":
            heard[event["id"]] = time.perf_counter()
            if len(heard) == count:
                return


async def _agreed(node: Node) -> None:
    """Wait until the sender's node has an agreement."""
    async with asyncio.timeout(60):
        while True:
            identity = await node.identity()
            if identity["agreements"]:
                return
            await asyncio.sleep(0.05)


def quantile(ordered: Sequence[float], q: float) -> float:
    """The value below which a share `q` of sorted values lies (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
