"""Does what the schedule says, when it says so, and puts everything right again at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections import defaultdict
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from chaos import disks, judging, namespaces
from chaos.line import DOWN, UP, Weather
from chaos.parties import Party
from chaos.schedule import PRIMARY, REPLICA, SEQUENCER, Fault, Schedule
from chaos.story import Story
from chaos.succession import succeed
from chaos.world import World

STEPS: Final = 20
"""A clock that drifts is moved in so many small steps."""
HOLDER_S: Final = 3.0
"""How long is looked for somebody who sequences; then the fault is left out, and that is told."""
RESET: Final = 1
BACK: Final = 2
"""Bits of the amount of `hold` and `hold_one_way`: the connection is lost too; which way."""

Act = Callable[[Fault], Coroutine[Any, Any, None]]


class Nemesis:
    """The one who breaks things in a world."""

    def __init__(self, world: World, story: Story) -> None:
        self._world = world
        self._story = story
        self._ended: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Who has ended a party starts it again; nobody else does meanwhile."""
        self._acts: Final[dict[str, Act]] = {
            "kill": self._kill,
            "stop": self._stop,
            "file_limit": self._file_limit,
            "disk_full": self._disk_full,
            "slow_disk": self._slow_disk,
            "clock_step": self._clock_step,
            "clock_leap": self._clock_step,
            "clock_drift": self._clock_drift,
            "unplug": self._unplug,
            "lose_data": self._lose_data,
        }

    async def run(self, schedule: Schedule) -> None:
        """Every fault at its time; all are over when this returns."""
        async with asyncio.TaskGroup() as group:
            for fault in schedule.faults:
                await asyncio.sleep(max(0.0, fault.at - self._story.now))
                group.create_task(self._do(fault))

    async def _do(self, fault: Fault) -> None:
        self._story.tell("fault", kind=fault.kind, target=fault.target, amount=fault.amount)
        act = self._acts.get(fault.kind, self._weather)
        await act(fault)
        self._story.tell("fault over", kind=fault.kind, target=fault.target, begun=fault.at)

    async def heal(self) -> None:
        """Everything runs, on perfect lines, at the right time, with room on every disk."""
        for one in self._world.lines.values():
            one.be(Weather())
        for party in self._world.parties.values():
            party.resume()
            party.clock.set_ahead(0)
            disks.limit_files(party.pids(), None)
            party.start()
        if self._world.server is not None:
            for server in self._world.server.servers.values():
                server.resume()
            await asyncio.to_thread(self._world.server.start)
        for party in self._world.parties.values():
            await party.up()

    # --- processes --------------------------------------------------------------------------------

    async def _kill(self, fault: Fault) -> None:
        if fault.target in (PRIMARY, REPLICA):
            assert self._world.server is not None
            server = self._world.server.servers[fault.target]
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(fault.seconds)
            await asyncio.to_thread(server.start)
        elif fault.target == SEQUENCER:
            pid = await self._sequencer()
            if pid is not None:  # the program that has started it starts another one
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        else:
            party = self._party(fault)
            async with self._ended[fault.target]:
                await party.kill()
                await asyncio.sleep(fault.seconds)
                party.start()

    async def _stop(self, fault: Fault) -> None:
        if fault.target in (PRIMARY, REPLICA):
            assert self._world.server is not None
            server = self._world.server.servers[fault.target]
            server.pause()
            await asyncio.sleep(fault.seconds)
            server.resume()
        elif fault.target == SEQUENCER:
            pid = await self._sequencer()
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    await asyncio.sleep(fault.seconds)
                    os.kill(pid, signal.SIGCONT)
        else:
            party = self._party(fault)
            party.pause()
            await asyncio.sleep(fault.seconds)
            party.resume()

    async def _sequencer(self) -> int | None:
        """Who sequences now; a broker that is starting is waited for a little."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLDER_S):
                while (pid := await asyncio.to_thread(self._world.holder)) is None:  # noqa: ASYNC110 - it lives in other processes
                    await asyncio.sleep(0.1)
                return pid
        self._story.tell("nobody sequences")
        return None

    # --- disks ------------------------------------------------------------------------------------

    async def _file_limit(self, fault: Fault) -> None:
        pids = self._pids(fault)
        disks.limit_files(pids, fault.amount)
        await asyncio.sleep(fault.seconds)
        disks.limit_files(pids, None)  # who was started meanwhile never was limited

    async def _disk_full(self, fault: Fault) -> None:
        folder = self._world.data.parent
        await asyncio.to_thread(disks.fill, folder)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(disks.empty, folder)

    async def _slow_disk(self, fault: Fault) -> None:
        pids = self._pids(fault)
        if not pids:
            return  # it is down already
        slow = disks.SlowDisk()
        await slow.start(pids, fault.amount)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            await slow.stop()

    # --- clocks -----------------------------------------------------------------------------------

    async def _clock_step(self, fault: Fault) -> None:
        clock = self._party(fault).clock
        clock.set_ahead(fault.amount)
        await asyncio.sleep(fault.seconds)
        clock.set_ahead(0)

    async def _clock_drift(self, fault: Fault) -> None:
        clock = self._party(fault).clock
        for step in range(1, STEPS + 1):
            clock.set_ahead(fault.amount * step // STEPS)
            await asyncio.sleep(fault.seconds / STEPS)
        clock.set_ahead(0)

    # --- lines ------------------------------------------------------------------------------------

    async def _weather(self, fault: Fault) -> None:
        line = self._world.lines[fault.target]
        weather = weather_of(fault)
        line.be(weather)
        if weather.refuses:
            await line.reset()
        await asyncio.sleep(fault.seconds)
        line.be(Weather())
        if weather.held and fault.amount & RESET:
            await line.reset()  # what was held never arrives: a way on the path has forgotten it

    async def _unplug(self, fault: Fault) -> None:
        plug = namespaces.plug
        await asyncio.to_thread(plug, self._world.place, fault.target, plugged=False)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(plug, self._world.place, fault.target, plugged=True)

    # --- the broker's folder ----------------------------------------------------------------------

    async def _lose_data(self, fault: Fault) -> None:
        """Everything below --data is deleted while the broker runs; then an operator comes.

        The oracle keeps links to the files: what the broker still writes into those that it has
        open is in them too. Nobody else gets them.
        """
        async with self._ended[fault.target]:
            await asyncio.to_thread(_link, self._world.data, self._world.lost_data)
            for found in self._world.data.iterdir():
                await asyncio.to_thread(_delete, found)
            await asyncio.sleep(fault.seconds)
            await self._party(fault).kill()
            await judging.export_broker(self._world, self._world.lost_data, self._world.lost_log)
            await succeed(self._world)
            self._party(fault).start()

    # --- inside -----------------------------------------------------------------------------------

    def _party(self, fault: Fault) -> Party:
        return self._world.parties[fault.target]

    def _pids(self, fault: Fault) -> list[int]:
        """Processes of the target that run now."""
        if fault.target != PRIMARY:
            return self._party(fault).pids()
        assert self._world.server is not None
        process = self._world.server.servers[PRIMARY].process
        return [] if process is None or process.poll() is not None else [process.pid]


def _link(data: Path, to: Path) -> None:
    def sockets(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if (Path(folder) / name).is_socket()]

    shutil.copytree(data, to, copy_function=os.link, ignore=sockets)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)  # what runs may still make files in it
    else:
        path.unlink(missing_ok=True)


def weather_of(fault: Fault) -> Weather:
    """How a line is during a fault; each kind is one of these."""
    match fault.kind:
        case "cut":
            return Weather(cut_after=fault.amount)
        case "drop":
            return Weather(refuses=True)
        case "hold":
            return Weather(held=frozenset({UP, DOWN}))
        case "hold_one_way":
            return Weather(held=frozenset({DOWN if fault.amount & BACK else UP}))
        case "delay":
            return Weather(delay_s=fault.amount / 1000)
        case "throttle":
            return Weather(bytes_per_s=fault.amount)
        case "repeat":
            return Weather(repeat_after=fault.amount)
        case other:
            raise ValueError(f"nobody knows how to do {other!r}")
