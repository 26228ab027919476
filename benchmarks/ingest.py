"""Measurements 1, 2 and 6: bulletins into one broker process, and the memory it then has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from saphan.node.config import system_clock

from benchmarks import programs
from benchmarks.bulletin import Sealer
from benchmarks.ingest_client import write_frames
from benchmarks.world import RECIPIENT, SENDER, World

BATCH: Final = 64
WINDOW: Final = 12
"""Frames in flight of the one sender of measurement 1, below its session's limit of 64."""
SMALL_WINDOW: Final = 8
"""Frames of one bulletin in flight of each sender of measurement 2."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """One run: bulletins/s, and what the broker used for each."""

    rate: float
    broker_us: float
    memory: int
    peak: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """Sealed bulletins on disk: the senders' names and a file of frames for each."""

    senders: tuple[str, ...]
    files: tuple[Path, ...]
    window: int
    warm: int


def prepare(
    world: World, senders: tuple[str, ...], folder: Path, frames: int, batch: int, window: int
) -> Prepared:
    """Seal `frames` frames of `batch` bulletins for every sender."""
    now = system_clock()
    files = []
    for name in senders:
        sealer = Sealer.of(world.office(name), world.office(RECIPIENT), now)
        files.append(folder / f"{name}-{batch}.frames")
        write_frames(files[-1], sealer.frames(frames, batch, now))
    warm = max(1, frames * len(senders) // 10)
    return Prepared(senders, tuple(files), window, warm)


async def ingest(world: World, prepared: Prepared, log: Path) -> Ingested:
    """Push prepared bulletins into a broker with an empty store."""
    command = {
        "do": "push",
        "offices": [str(world.office(name).folder) for name in prepared.senders],
        "files": [str(path) for path in prepared.files],
        "window": prepared.window,
        "warm": prepared.warm,
    }
    return await _run(world, command, log)


async def fill(world: World, bulletins: int, log: Path) -> Ingested:
    """Seal and push bulletins in one go, for the broker's memory; the rate is the sealer's."""
    command = {
        "do": "stream",
        "offices": [str(world.office(SENDER).folder)],
        "recipient": str(world.office(RECIPIENT).folder),
        "frames": -(-bulletins // BATCH),
        "batch": BATCH,
        "window": WINDOW,
        "warm": 0,
    }
    return await _run(world, command, log)


async def _run(world: World, command: dict[str, Any], log: Path) -> Ingested:
    async with (
        programs.broker(world.data, world.keys, log) as (broker, url),
        programs.started("client", log, "benchmarks.ingest_client") as client,
    ):
        return await measured(broker, client, command | {"url": url})


async def measured(
    broker: programs.Program, client: programs.Program, command: dict[str, Any]
) -> Ingested:
    """One command of the client that pushes, and what the broker used for it.

    Raises:
        RuntimeError: a bulletin was refused.
    """
    known = await client.ask(command | {"do": "know"})
    before = broker.cpu_seconds()
    told = await client.ask(command | known)
    used = broker.cpu_seconds() - before
    if told["refused"]:
        raise RuntimeError(f"{told['refused']} bulletins were refused: {told['codes']}")
    memory, peak = broker.memory()
    return Ingested(told["rate"], used / told["accepted"] * 1e6, memory, peak, told["accepted"])
