"""Measurement 7: bulletins over weak lines; each party has a line of its own to the broker.

The programs are the real ones, with TLS; only where bytes that came twice are counted, the line is
in clear, because a relay reads nothing else.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from saphan import Node

from benchmarks import carried, programs
from benchmarks.bulletin import wish
from benchmarks.programs import Program
from benchmarks.weak_line import Quality, words_of
from benchmarks.world import RECIPIENT, SENDER, World

WEAK: Final = Quality(rate=64_000, delay=0.6, loss=0.02, cut=20, down=1)
"""64 kbit/s each way, 600 ms one way, 2 % of segments lost, cut every 20 s for a second."""
LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class First:
    """Seconds until a first bulletin is accepted between two nodes that know nothing.

    Attributes:
        running: from when both programs run: connections, directory, bulletin.
        bulletin: from when the bulletin is given to the sender's node.
    """

    running: float
    bulletin: float


@dataclass(frozen=True, slots=True)
class Sent:
    """One bulletin: seconds until its sender knows that it is accepted; bytes of both lines."""

    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Carried:
    """An attachment over both lines.

    Attributes:
        twice_up, twice_down: its bytes that arrived more than once at broker and recipient.
        lost: bytes of any kind that were on their way when a line was cut, in all cuts.
    """

    seconds: float
    size: int
    cuts: int
    twice_up: int
    twice_down: int
    lost: int


class Lines:
    """Both parties behind weak lines, their nodes running."""

    def __init__(self, sender: Node, lines: list[Program]) -> None:
        self._sender = sender
        self._lines = lines

    async def bytes(self) -> int:
        """Bytes that have arrived over both lines, both ways."""
        counts = [await line.ask({"do": "count"}) for line in self._lines]
        return sum(one["up"] + one["down"] for one in counts)

    async def lost(self) -> tuple[int, int]:
        """Cuts of both lines so far, and bytes that entered a line and have not arrived."""
        counts = [await line.ask({"do": "count"}) for line in self._lines]
        entered = sum(one["up_entered"] + one["down_entered"] for one in counts)
        arrived = sum(one["up"] + one["down"] for one in counts)
        return sum(one["cuts"] for one in counts), entered - arrived

    async def ready(self) -> None:
        """Wait until the sender's node has the agreement."""
        while not (await self._sender.identity())["agreements"]:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    async def send(self, *attachments: Path) -> float:
        """Send a bulletin; seconds until the sender knows that it is accepted."""
        made, begin = wish(RECIPIENT), time.perf_counter()
        name = await self._sender.send(
            to=RECIPIENT,
            schema=made.schema,
            about=made.about,
            body=made.body,
            exercise=True,
            attachments=attachments,
        )
        while not _accepted(await self._sender.status(name)):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        return time.perf_counter() - begin


def _accepted(status: dict[str, Any]) -> bool:
    return all(one["state"] == "accepted" for one in status["deliveries"])


@asynccontextmanager
async def lines(
    world: World, log: Path, quality: Quality, *, tls: bool = True, record: Path | None = None
) -> AsyncIterator[Lines]:
    """Broker, a line for each party, and both nodes, which run but may not have a session yet."""
    async with AsyncExitStack() as stack:
        at = programs.broker(world.data, world.keys, log, tls=tls)
        _, url = await stack.enter_async_context(at)
        address = urlsplit(url)
        relays, urls = [], {}
        for seed, name in enumerate((RECIPIENT, SENDER)):
            words = [f"{address.hostname}:{address.port}", *words_of(quality), f"--seed={seed}"]
            if record is not None:
                folder = record / name
                await asyncio.to_thread(folder.mkdir, parents=True)
                words.append(f"--record={folder}")
            start = programs.started(f"line of {name}", log, "benchmarks.weak_line", *words)
            relay = await stack.enter_async_context(start)
            port = urlsplit((await relay.hear())["url"]).port
            urls[name] = f"{address.scheme}://{address.hostname}:{port}"
            relays.append(relay)
        for name in (RECIPIENT, SENDER):
            node = programs.node(world.office(name).folder, urls[name], log)
            await stack.enter_async_context(node)
        sender = await stack.enter_async_context(Node(world.office(SENDER).folder))
        yield Lines(sender, relays)


async def first(world: World, log: Path, quality: Quality = WEAK) -> First:
    """Two nodes that have never run, and their first bulletin."""
    async with lines(world, log, quality) as pair:
        begin = time.perf_counter()
        await pair.ready()
        alone = await pair.send()
        return First(time.perf_counter() - begin, alone)


async def several(world: World, log: Path, count: int, quality: Quality = WEAK) -> list[Sent]:
    """Bulletins one after the other, at any time between two cuts."""
    found = []
    async with lines(world, log, quality) as pair:
        await pair.ready()
        await pair.send()
        draw = random.Random(1)
        for _ in range(count):
            await asyncio.sleep(draw.uniform(0, 5))
            before = await pair.bytes()
            seconds = await pair.send()
            found.append(Sent(seconds, await pair.bytes() - before))
    return found


async def attachment(
    world: World, log: Path, size: int, record: Path, quality: Quality = WEAK
) -> Carried:
    """One attachment of `size` bytes; both lines are in clear, so that what came is known."""
    file = record.with_suffix(".pdf")
    data = b"%PDF-1.7\n" + random.Random(size).randbytes(size - 9)
    await asyncio.to_thread(file.write_bytes, data)
    async with lines(world, log, quality, tls=False, record=record) as pair:
        await pair.ready()
        cuts, lost = await pair.lost()
        seconds = await pair.send(file)
        after = await pair.lost()
    up = await asyncio.to_thread(carried.brought_twice, record / SENDER)
    down = await asyncio.to_thread(carried.fetched_twice, record / RECIPIENT)
    return Carried(seconds, size, after[0] - cuts, up, down, after[1] - lost)
