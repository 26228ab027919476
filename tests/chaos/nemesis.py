"""Does what the schedule says, when it says so, and puts everything right again at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from chaos import disks, judging, namespaces
from chaos.line import DOWN, UP, Weather
from chaos.parties import Party, stands_still, tell_all
from chaos.schedule import BROKER, PRIMARY, REPLICA, SEQUENCER, Fault, Schedule, line
from chaos.servers import Replicated
from chaos.story import Story
from chaos.succession import succeed
from chaos.world import World

STEPS: Final = 20
"""A clock that drifts is moved in so many small steps."""
IN_STEP_S: Final = 10.0
"""How long an operator waits for a replica that is to be promoted and does not follow yet."""
HOLDER_S: Final = 60.0
"""How long is looked for somebody who sequences; then the fault is left out, and that is told."""
RESET: Final = 1
BACK: Final = 2
"""Bits of the amount of `hold` and `hold_one_way`: the connection is lost too; which way."""

Act = Callable[[Fault], Coroutine[Any, Any, int]]
"""Does it, puts it right, and gives how often it was felt: 0, and it has not happened."""


class Nemesis:
    """The one who breaks things in a world.

    Args:
        wait: for so many seconds, while something is broken.
    """

    def __init__(
        self,
        world: World,
        story: Story,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._wait = wait
        self._world = world
        self._story = story
        self._taken: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """One fault of a target after the other, also where a machine takes long for each."""
        self._acts: Final[dict[str, Act]] = {
            "kill": self._kill,
            "promote": self._promote,
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
        act = self._acts.get(fault.kind, self._weather)
        both = fault.kind == "promote"
        async with contextlib.AsyncExitStack() as taken:
            for target in (PRIMARY, REPLICA) if both else (fault.target,):
                await taken.enter_async_context(self._taken[target])
            self._story.tell("fault", kind=fault.kind, target=fault.target, amount=fault.amount)
            struck = await act(fault)
        self._story.tell(
            "fault over", kind=fault.kind, target=fault.target, begun=fault.at, struck=int(struck)
        )

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

    async def _kill(self, fault: Fault) -> int:
        if fault.target == SEQUENCER:
            return await self._kill_sequencer()
        if (server := self._server(fault)) is not None:
            struck = await asyncio.to_thread(server.kill, fault.target)
            await self._wait(fault.seconds)
            await asyncio.to_thread(server.servers[fault.target].start)
            return struck
        party = self._party(fault)
        struck = await party.kill()
        await self._wait(fault.seconds)
        party.start()
        return struck

    async def _kill_sequencer(self) -> int:
        """The program that has started it starts another one; which one sequences then is told."""
        pid = await self._sequencer()
        if pid is None:
            return 0
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return 0
        begun = self._story.now
        if (after := await self._sequencer(other_than=pid)) is not None:
            self._story.tell(
                "another sequences", pid=after, after=round(self._story.now - begun, 2)
            )
        return 1

    async def _promote(self, fault: Fault) -> int:
        """The primary dies, an operator makes its replica the primary, and the dead one comes back
        as the replica. Commits wait for the replica in these rounds: it lacks nothing."""
        server = self._server(fault)
        assert server is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IN_STEP_S):
                while not await asyncio.to_thread(server.in_step):  # noqa: ASYNC110 - it is another process's affair
                    await asyncio.sleep(0.1)
        promoted = await asyncio.to_thread(server.promote)
        if promoted:
            self._world.point_at_primary()
            for name in (line(BROKER, PRIMARY), line(REPLICA, PRIMARY)):
                await self._world.lines[name].reset()
        await self._wait(fault.seconds)
        for one in server.servers.values():
            await asyncio.to_thread(one.start)
        return promoted

    async def _stop(self, fault: Fault) -> int:
        pids = await self._stopped(fault)
        tell_all(pids, signal.SIGSTOP)
        await self._wait(fault.seconds)
        struck = sum(map(stands_still, pids))
        tell_all(pids, signal.SIGCONT)
        return struck

    async def _stopped(self, fault: Fault) -> list[int]:
        """Whom a stop concerns."""
        if fault.target == SEQUENCER:
            pid = await self._sequencer()
            return [] if pid is None else [pid]
        return self._pids(fault)

    async def _sequencer(self, other_than: int | None = None) -> int | None:
        """Who sequences now; a broker that is starting is waited for a little."""
        broker = self._world.parties[BROKER]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLDER_S):
                while True:
                    pid = await asyncio.to_thread(self._world.holder)
                    if pid != other_than and pid in broker.pids():  # not one that is dead by now
                        return pid
                    await asyncio.sleep(0.1)
        self._story.tell("nobody sequences")
        return None

    # --- disks ------------------------------------------------------------------------------------

    async def _file_limit(self, fault: Fault) -> int:
        pids = self._pids(fault)
        struck = disks.limit_files(pids, fault.amount)
        await self._wait(fault.seconds)
        disks.limit_files(pids, None)  # who was started meanwhile never was limited
        if (
            server := self._server(fault)
        ) is not None:  # it ends, rather than lose what it was told
            await asyncio.to_thread(server.servers[fault.target].start)
        return struck

    async def _disk_full(self, fault: Fault) -> int:
        folder = self._world.data.parent
        struck = await asyncio.to_thread(disks.fill, folder)
        await self._wait(fault.seconds)
        await asyncio.to_thread(disks.empty, folder)
        return struck

    async def _slow_disk(self, fault: Fault) -> int:
        pids = self._pids(fault)
        if not pids:
            return 0  # it is down already
        slow = disks.SlowDisk(self._world.place / f"{fault.target}.strace")
        await slow.start(pids, fault.amount)
        try:
            await self._wait(fault.seconds)
        finally:
            struck = await slow.stop()
        return struck

    # --- clocks -----------------------------------------------------------------------------------

    async def _clock_step(self, fault: Fault) -> int:
        clock = self._party(fault).clock
        clock.set_ahead(fault.amount)
        await self._wait(fault.seconds)
        struck = len(self._pids(fault))  # whoever runs looks at the clock all the time
        clock.set_ahead(0)
        return struck

    async def _clock_drift(self, fault: Fault) -> int:
        clock = self._party(fault).clock
        for step in range(1, STEPS + 1):
            clock.set_ahead(fault.amount * step // STEPS)
            await self._wait(fault.seconds / STEPS)
        struck = len(self._pids(fault))
        clock.set_ahead(0)
        return struck

    # --- lines ------------------------------------------------------------------------------------

    async def _weather(self, fault: Fault) -> int:
        one = self._world.lines[fault.target]
        weather = weather_of(fault)
        one.be(weather)
        if weather.refuses:
            await one.reset()
        await self._wait(fault.seconds)
        one.be(Weather())
        if weather.held and fault.amount & RESET:
            await one.reset()  # what was held never arrives: a way on the path has forgotten it
        return weather.struck

    async def _unplug(self, fault: Fault) -> int:
        plug = namespaces.plug
        await asyncio.to_thread(plug, self._world.place, fault.target, plugged=False)
        await self._wait(fault.seconds)
        struck = not await asyncio.to_thread(namespaces.plugged, self._world.place, fault.target)
        await asyncio.to_thread(plug, self._world.place, fault.target, plugged=True)
        return struck

    # --- the broker's folder ----------------------------------------------------------------------

    async def _lose_data(self, fault: Fault) -> int:
        """Everything below --data is deleted while the broker runs; then an operator comes.

        The oracle keeps links to the files: what the broker still writes into those that it has
        open is in them too. Nobody else gets them.
        """
        await asyncio.to_thread(_link, self._world.data, self._world.lost_data)
        there = list(self._world.data.iterdir())
        for found in there:
            await asyncio.to_thread(_delete, found)
        struck = sum(not one.exists() for one in there)
        await self._wait(fault.seconds)
        await self._party(fault).kill()
        await judging.export_broker(self._world, self._world.lost_data, self._world.lost_log)
        await succeed(self._world)
        self._party(fault).start()
        return struck

    # --- inside -----------------------------------------------------------------------------------

    def _party(self, fault: Fault) -> Party:
        return self._world.parties[fault.target]

    def _server(self, fault: Fault) -> Replicated | None:
        """Valkey's programs, if it is one of them that is meant."""
        return self._world.server if fault.target in (PRIMARY, REPLICA) else None

    def _pids(self, fault: Fault) -> list[int]:
        """Processes of the target that run now."""
        server = self._server(fault)
        return self._party(fault).pids() if server is None else server.pids(fault.target)


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
