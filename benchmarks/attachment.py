"""Measurement 8: one large attachment from node to node, and what it takes of each party's memory.

Everything is on this machine and in clear, so that programs are measured and not a line.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from saphan import Node

from benchmarks import programs
from benchmarks.bulletin import wish
from benchmarks.programs import Program
from benchmarks.world import RECIPIENT, SENDER, World

LOOK_SECONDS: Final = 0.02
PARTIES: Final = ("broker", "sender's node", "recipient's node")


@dataclass(frozen=True, slots=True)
class Large:
    """One attachment.

    Attributes:
        taken: seconds until the sender's node has answered with an id: all of it sealed, durable.
        accepted: seconds until the sender knows that it is accepted, from the call on.
        saved: seconds in which the recipient's API gives it in clear.
        memory: for each party the most bytes above what it took when it was idle.
    """

    size: int
    taken: float
    accepted: float
    saved: float
    memory: dict[str, int]


async def measure(world: World, log: Path, size: int) -> Large:
    """Send `size` bytes as a PDF; a small bulletin goes before, so that everything is loaded."""
    async with AsyncExitStack() as stack:
        broker, url = await stack.enter_async_context(programs.broker(world.data, world.keys, log))
        nodes, apis = {}, {}
        for name in (RECIPIENT, SENDER):
            folder = world.office(name).folder
            nodes[name] = await stack.enter_async_context(programs.node(folder, url, log))
            apis[name] = await stack.enter_async_context(Node(folder))
        sender, recipient = apis[SENDER], apis[RECIPIENT]
        while not (await sender.identity())["agreements"]:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        small = await asyncio.to_thread(_pdf, world.place / "small.pdf", 64 * 1024)
        await accepted(sender, await _send(sender, small))
        large = await asyncio.to_thread(_pdf, world.place / "large.pdf", size)
        parties = dict(zip(PARTIES, (broker, nodes[SENDER], nodes[RECIPIENT]), strict=True))
        before = {name: _settled(party) for name, party in parties.items()}
        begin = time.perf_counter()
        bulletin = await _send(sender, large)
        taken = time.perf_counter() - begin
        await accepted(sender, bulletin)
        done = time.perf_counter() - begin
        saved = await _saved(recipient, bulletin, world.place / "saved.pdf", large)
        peaks = {name: party.memory()[1] - before[name] for name, party in parties.items()}
    return Large(size, taken, done, saved, peaks)


def _settled(party: Program) -> int:
    """What it takes now; from here on its peak is counted anew."""
    Path(f"/proc/{party.process.pid}/clear_refs").write_text("5")
    return party.memory()[0]


def _pdf(path: Path, size: int) -> Path:
    path.write_bytes(b"%PDF-1.7\n" + random.Random(size).randbytes(size - 9))
    return path


async def _send(sender: Node, file: Path) -> str:
    made = wish(RECIPIENT)
    return await sender.send(
        to=RECIPIENT,
        schema=made.schema,
        about=made.about,
        body=made.body,
        exercise=True,
        attachments=[file],
    )


async def accepted(sender: Node, bulletin: str) -> None:
    """Wait until the sender knows that every recipient has accepted it."""

    def done(status: dict[str, Any]) -> bool:
        return all(one["state"] == "accepted" for one in status["deliveries"])

    while not done(await sender.status(bulletin)):  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)


async def _saved(recipient: Node, bulletin: str, out: Path, large: Path) -> float:
    """A system reads the bulletin and saves its attachment."""
    async for read in recipient.inbox(follow=False):
        if read.id == bulletin:
            break
    begin = time.perf_counter()
    path = await recipient.save(bulletin, 1, out)
    seconds = time.perf_counter() - begin
    if await asyncio.to_thread(path.read_bytes) != await asyncio.to_thread(large.read_bytes):
        raise RuntimeError("another attachment came out than went in")
    return seconds
