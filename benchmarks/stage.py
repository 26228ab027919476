"""Where it is measured: one world on SQLite and in Valkey, a fresh copy for each block."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks import engines, ingest
from benchmarks.engines import Engine
from benchmarks.running import say
from benchmarks.world import World, make_world

Peer = Callable[[Path, Path, float], Awaitable[float]]
"""Measures a server that is not ours in a folder: (folder, log, seconds), gives a rate."""


class Stage:
    """A folder on a real disk. What is on it stays as it was made: blocks work on copies."""

    def __init__(self, place: Path, world: World, carried: World) -> None:
        self.place: Final = place
        self.world: Final = world
        self.log: Final = place / "programs.log"
        self._carried: Final = carried
        self._copies = 0

    def sealed(
        self, name: str, senders: tuple[str, ...], frames: int, batch: int, window: int
    ) -> ingest.Prepared:
        """Bulletins of these senders, sealed before anything is measured."""
        folder = self.place / name
        folder.mkdir()
        return ingest.prepare(self.world, senders, folder, frames, batch, window)

    @asynccontextmanager
    async def fresh(self, engine: Engine) -> AsyncIterator[World]:
        """A copy for one block."""
        self._copies += 1
        place = self.place / str(self._copies)
        copy = (self._carried if engine.processes else self.world).copy(place)
        try:
            yield copy
        finally:
            copy.remove()

    async def peer(self, measure: Peer, seconds: float) -> float:
        """What a peer's server does in so many seconds."""
        folder = self.place / "peer"
        try:
            return await measure(folder, self.log, seconds)
        finally:
            shutil.rmtree(folder)


async def make_stage(place: Path, senders: int) -> Stage:
    """A world of so many senders, and the same one carried into Valkey."""
    world = await make_world(place / "world", senders)
    say("copying the world into Valkey")
    carried = world.copy(place / "carried")
    stage = Stage(place, world, carried)
    await engines.carry(carried, stage.log)
    return stage
