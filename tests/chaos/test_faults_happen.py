"""Each fault that is counted was felt by a real process; one that found nobody is not counted."""

from __future__ import annotations

import asyncio
import errno
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chaos import disks
from chaos.nemesis import Nemesis
from chaos.parties import Party, stands_still
from chaos.schedule import BROKER, Fault, Schedule
from chaos.story import Story
from chaos.world import World

WRITES = """
import os, sys, time
with open(sys.argv[1], "wb", buffering=0) as file:
    while True:
        try:
            file.write(b"x" * 1000)
            os.fsync(file.fileno())
            said = "ok"
        except OSError as error:
            said = str(error.errno)
        with open(sys.argv[1] + ".said", "w") as told:
            told.write(f"{said} {time.time_ns()}")
        time.sleep(0.01)
"""
"""Writes for ever, and keeps in a file how the last write went, and the time that it saw."""


async def at_once(_seconds: float) -> None:
    """It is over as soon as it is done."""


class Bench:
    """A nemesis with one party, which writes."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.story = Story(place / "story.jsonl")
        self.file = place / "written"
        command: list[str | Path] = [sys.executable, "-c", WRITES, self.file]
        self.party = Party(BROKER, lambda: command, place, self.story)

    def said(self) -> list[str]:
        """(how the last write went, when); none, in the middle of being written."""
        told = self.file.with_name("written.said")
        return said if told.exists() and len(said := told.read_text().split()) == 2 else ["", "0"]

    def ahead(self) -> bool:
        """Whether the process has another time than this one."""
        return int(self.said()[1]) > time.time_ns() + 10_000_000_000

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():  # noqa: ASYNC110 - the process tells nobody
                await asyncio.sleep(0.01)

    async def break_(
        self, kind: str, amount: int = 0, seen: Callable[[], bool] | None = None
    ) -> int:
        """Do it until it is seen from outside; how often it was felt."""

        async def wait(_seconds: float) -> None:
            assert seen is not None
            await self.until(seen)

        world = SimpleNamespace(parties={BROKER: self.party}, server=None, place=self.place)
        nemesis = Nemesis(cast("World", world), self.story, at_once if seen is None else wait)
        fault = Fault(0.0, kind, BROKER, 0.5, amount)
        await nemesis.run(Schedule(1, 1, "sqlite", 1.0, 0, (fault,)))
        struck: int = self.story.all("fault over")[-1]["struck"]
        return struck


@asynccontextmanager
async def bench(place: Path) -> AsyncIterator[Bench]:
    made = Bench(place)
    made.party.start()
    try:
        # It may have written before this loop has heard that it was started.
        await made.until(lambda: made.said()[0] == "ok" and made.party.pids() != [])
        yield made
    finally:
        await made.party.stop()
        made.story.close()


async def test_a_killed_process_is_dead_and_another_one_comes(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        (pid,) = made.party.pids()
        assert await made.break_("kill") == 1
        await made.until(lambda: made.party.pids() not in ([], [pid]))


async def test_a_stopped_process_stands_still_and_goes_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        (pid,) = made.party.pids()
        assert await made.break_("stop", 0, lambda: stands_still(pid)) == 1
        await made.until(lambda: not stands_still(pid))


async def test_a_file_may_not_grow_and_the_process_lives(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        pids = made.party.pids()
        too_large = str(errno.EFBIG)
        assert await made.break_("file_limit", 1, lambda: made.said()[0] == too_large) == 1
        await made.until(lambda: made.said()[0] == "ok")
        assert made.party.pids() == pids


@pytest.mark.parametrize("kind", ["clock_step", "clock_leap", "clock_drift"])
async def test_a_clock_that_is_set_is_what_the_process_sees(kind: str, tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        assert await made.break_(kind, 900_000, made.ahead) == 1
        await made.until(lambda: not made.ahead())


@pytest.mark.skipif(not disks.may_trace(), reason="strace is not here, or may not trace")
async def test_a_slow_disk_holds_calls_back(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        traced = tmp_path / f"{BROKER}.strace"

        def held() -> bool:
            return traced.exists() and "(DELAYED)" in traced.read_text()

        assert await made.break_("slow_disk", 20, held) > 0


@pytest.mark.skipif(not disks.may_mount(), reason="mounting needs root")
def test_a_full_disk_takes_nothing_more(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    disks.small_disk(folder)
    try:
        assert disks.fill(folder)
        with pytest.raises(OSError, match="No space left"):
            (folder / "more").write_bytes(b"x")
        disks.empty(folder)
        (folder / "more").write_bytes(b"x")
    finally:
        disks.unmount(folder)


@pytest.mark.parametrize(
    "kind", ["kill", "stop", "file_limit", "slow_disk", "clock_step", "clock_drift"]
)
async def test_what_finds_nobody_has_not_happened(kind: str, tmp_path: Path) -> None:
    made = Bench(tmp_path)
    made.party.start = lambda: None  # type: ignore[method-assign]
    assert await made.break_(kind, 20) == 0
    made.story.close()
