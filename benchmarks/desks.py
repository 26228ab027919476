"""Measurement 10: officers' desks at one node: from the command to the inbox, and many at once."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from saphan import Node
from saphan.desk.desk import open_desk
from saphan.desk.folder import DeskFolder
from saphan.desk.inbox import Inbox
from saphan.desk.inviting import invite
from saphan.desk.line import connected
from saphan.desk.start import start_desk
from saphan.keyring import enrol_request
from saphan.keys.keyfiles import DEFAULT_COST, Argon2Cost
from saphan.node.config import system_clock
from saphan.officer_request import parse_request
from saphan_broker.broker import open_broker

from benchmarks import programs
from benchmarks.bulletin import wish
from benchmarks.programs import Program
from benchmarks.weak_line import Quality, words_of
from benchmarks.world import CHEAP, RECIPIENT, SECRET, SENDER, World

PATIENCE_SECONDS: Final = 120.0
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of `saphan inbox --desk`: the first time, with the whole list; and again."""

    first: float
    again: float


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many desks at one node.

    Attributes:
        opened: seconds until all have logged in and have the list.
        told: seconds from sending a bulletin until every desk has it in its list.
        memory: bytes that the node takes more with all of them connected.
    """

    opened: float
    told: float
    memory: int


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def make_desks(
    world: World, port: int, count: int, cost: Argon2Cost = CHEAP
) -> list[DeskFolder]:
    """Desks of so many officers of the recipient, enrolled; no node may run in the world."""
    folders = [DeskFolder(world.place / f"desk{number:02d}") for number in range(count)]
    broker = await open_broker(world.data, world.keys)
    try:
        await broker.start(override="set-up of a measurement")
        for number, folder in enumerate(folders):
            operation = await asyncio.to_thread(_enrol, world, port, folder, number, cost)
            await broker.admit_operation(operation)
    finally:
        await broker.stop()
    return folders


def _enrol(world: World, port: int, folder: DeskFolder, number: int, cost: Argon2Cost) -> bytes:
    office, now = world.office(RECIPIENT), system_clock()
    invitation = invite(office, f"127.0.0.1:{port}", now)
    handle = f"desk{number:02d}"
    made = start_desk(folder, invitation, SECRET, now=now, handle=handle, cost=cost)
    assert made.request is not None
    request = parse_request(made.request.read_bytes())
    return enrol_request(office, request, SECRET).operation.read_bytes()


@asynccontextmanager
async def running(world: World, port: int, log: Path) -> AsyncIterator[tuple[Node, Program]]:
    """Broker and both nodes; the sender's API and the program of the node with the desks."""
    async with AsyncExitStack() as stack:
        _, url = await stack.enter_async_context(programs.broker(world.data, world.keys, log))
        here = programs.node(
            world.office(RECIPIENT).folder, url, log, "--desks", f"127.0.0.1:{port}"
        )
        office = await stack.enter_async_context(here)
        await stack.enter_async_context(programs.node(world.office(SENDER).folder, url, log))
        sender = await stack.enter_async_context(Node(world.office(SENDER).folder))
        while not (await sender.identity())["agreements"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        yield sender, office


async def send(sender: Node, count: int) -> None:
    """Send bulletins and wait until all are accepted."""
    made = wish(RECIPIENT)
    names = [
        await sender.send(
            to=RECIPIENT, schema=made.schema, about=made.about, body=made.body, exercise=True
        )
        for _ in range(count)
    ]
    for name in names:
        while (await sender.status(name))["deliveries"][0]["state"] != "accepted":  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def start(
    world: World, log: Path, listed: int, times: int, quality: Quality | None = None
) -> Start:
    """The command of one officer, with `listed` bulletins in the inbox, over a line or without.

    Args:
        times: how often it is given again; the median counts.
    """
    port = free_port()
    (folder,) = await make_desks(world, port, 1, DEFAULT_COST)
    secret = world.place / "passphrase"
    await asyncio.to_thread(_write_secret, secret)
    async with AsyncExitStack() as stack:
        sender, _ = await stack.enter_async_context(running(world, port, log))
        await send(sender, listed)
        if quality is not None:
            words = (f"127.0.0.1:{port}", *words_of(quality))
            line = programs.started("line of the desk", log, "benchmarks.weak_line", *words)
            relay = await stack.enter_async_context(line)
            address = urlsplit((await relay.hear())["url"]).netloc
            folder.write(replace(folder.read(), address=address))
        first = await asyncio.to_thread(_inbox, folder, secret, listed)
        again = [await asyncio.to_thread(_inbox, folder, secret, listed) for _ in range(times)]
    return Start(first, median(again))


def _write_secret(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(SECRET.reveal())


def _inbox(folder: DeskFolder, secret: Path, listed: int) -> float:
    """Seconds until the list is there; a command whose line was cut is given again."""
    command = [sys.executable, "-m", "saphan", "inbox", "--desk", str(folder.folder), "--json"]
    command += ["--passphrase-file", str(secret)]
    begin, why = time.perf_counter(), ""
    for _ in range(TRIES):
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        said = json.loads(ended.stdout)
        if said["online"] and len(said["bulletins"]) == listed:
            return time.perf_counter() - begin
        why = ended.stderr
    raise RuntimeError(f"the desk has no inbox: {why}")


async def crowd(world: World, log: Path, count: int, listed: int) -> Crowd:
    """So many desks at once, with `listed` bulletins in the inbox; then one more comes."""
    port = free_port()
    folders = await make_desks(world, port, count)
    async with AsyncExitStack() as stack:
        sender, office = await stack.enter_async_context(running(world, port, log))
        await send(sender, listed)
        before, begin = office.memory()[0], time.perf_counter()
        opened = [asyncio.Event() for _ in folders]
        desks = [
            asyncio.create_task(_desk(folder, event, listed))
            for folder, event in zip(folders, opened, strict=True)
        ]
        async with asyncio.timeout(PATIENCE_SECONDS):
            waiting = asyncio.create_task(_all(opened))
            await asyncio.wait({waiting, *desks}, return_when=asyncio.FIRST_COMPLETED)
            for desk in desks:
                if desk.done():
                    desk.result()  # why it has ended before anything came
            seconds, memory = time.perf_counter() - begin, office.memory()[0] - before
            begin = time.perf_counter()
            await send(sender, 1)
            ends = await asyncio.gather(*desks)
    return Crowd(seconds, max(ends) - begin, memory)


async def _all(events: list[asyncio.Event]) -> float:
    for event in events:
        await event.wait()
    return time.perf_counter()


async def _desk(folder: DeskFolder, opened: asyncio.Event, listed: int) -> float:
    """One desk: the list, then the next bulletin; when it had that."""
    opening = open_desk(folder, SECRET, system_clock)
    desk = await asyncio.to_thread(opening.__enter__)
    try:
        async with connected(desk.me, desk.key, desk.clock) as line:
            inbox = Inbox(desk)
            rows = await inbox.pull(line)
            if len(rows) != listed:
                raise RuntimeError(f"{len(rows)} of {listed} bulletins are shown to a desk")
            opened.set()
            while not await inbox.pull(line):
                await line.news()
            return time.perf_counter()
    finally:
        await asyncio.to_thread(opening.__exit__, None, None, None)
