"""The parent of several broker processes on one machine: starts them, replaces them, ends them.

The first process starts alone: it finds what is wrong with keys, server or port, and says it once;
the others follow when it is ready. A process that dies is started again, after a pause that grows
while it keeps dying. Told to stop, the parent ends those who only serve first, then the one that
sequences, so that what they were asked is still logged.

Lines between parent and child:

    child's stdout    one JSON object a line: {"event": "ready", ...}, {"event": "role", ...}
    child's stdin     ends when the parent is gone, however it went: then the child stops too
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Any, Final

from saphan_schemas.limits import LIMITS, SECOND_MS

_log = logging.getLogger("saphan.broker")

STEADY_S: Final = 30.0
"""A process that has lived so long is not one that keeps dying."""
STOP_S: Final = 2 * LIMITS.shutdown_ms / SECOND_MS
"""For sessions, and for what is queued; then it is killed."""
LINE_BYTES: Final = 64 * 1024

Ready = Callable[[Sequence[dict[str, Any]]], None]


class Child:
    """One place among the processes, and whoever has it now."""

    def __init__(self, number: int, command: Sequence[str], keep: Sequence[int]) -> None:
        self.number: Final = number
        self.holder = False
        self.ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._command: Final = tuple(command)
        self._keep: Final = tuple(keep)
        self._process: asyncio.subprocess.Process | None = None
        self._told: signal.Signals | None = None
        self._serves = False
        self._hung_up = False

    async def live(self) -> int:
        """Run one process to its end; its exit status, negative for a signal."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
            pass_fds=self._keep,
            process_group=0,  # an interrupt typed at the terminal is the parent's to pass on
        )
        self._process = process
        if self._told is not None:  # while it was being made
            self.tell(self._told)
        try:
            await self._listen(process)
            return await process.wait()
        finally:
            self.holder = self._serves = False
            self._process = None

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict):
                    self._hear(said)

    def _hear(self, said: dict[str, Any]) -> None:
        if said.get("event") == "role":
            self.holder = said.get("role") == "holder"
        elif said.get("event") == "ready":
            self._serves = True
            if not self.ready.done():
                self.ready.set_result(said)
            if self._hung_up:
                self.hang_up()

    def hang_up(self) -> None:
        """Let it read its files again; one that is starting would die of the signal: later."""
        self._hung_up = not self._serves
        if self._serves and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGHUP)

    def tell(self, number: signal.Signals) -> None:
        """Send a signal that ends it, now or as soon as it is there."""
        self._told = number
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


class Supervisor:
    """Keeps `count` processes running until `stop`.

    Args:
        command: gives the command line of a process by its number, from 1.
        keep: descriptors that the processes hold open as long as any of them lives.
        patience: seconds until a process that was told to end is killed.
    """

    def __init__(
        self,
        count: int,
        command: Callable[[int], Sequence[str]],
        keep: Sequence[int] = (),
        *,
        patience: float = STOP_S,
    ) -> None:
        self._patience: Final = patience
        self._children: Final = [Child(n, command(n), keep) for n in range(1, count + 1)]
        self._tasks: dict[int, asyncio.Task[int]] = {}
        self._told: Final = asyncio.Event()

    def stop(self) -> None:
        """End every process cleanly; `run` then returns."""
        self._told.set()

    def hang_up(self) -> None:
        """Every process reads its files again."""
        for child in self._children:
            child.hang_up()

    async def run(self, ready: Ready) -> int:
        """Start, keep and at last end the processes; the exit status of the program.

        Args:
            ready: called once, with what each process has said, when all of them serve.
        """
        try:
            said = []
            for group in (self._children[:1], self._children[1:]):
                for child in group:
                    self._tasks[child.number] = asyncio.create_task(self._keep(child))
                for child in group:
                    status = await self._started(child)
                    if status is not None:
                        return status
                    said.append(child.ready.result())
            ready(said)
            await self._told.wait()
            _log.info("told to stop: ending %d processes", len(self._children))
        finally:
            clean = await self._end()
        return 0 if clean else 1

    async def _started(self, child: Child) -> int | None:
        """None when it serves; else the exit status with which the whole program ends."""
        told = asyncio.create_task(self._told.wait())
        task = self._tasks[child.number]
        try:
            await asyncio.wait((child.ready, task, told), return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
        if child.ready.done():
            return None
        return task.result() if task.done() else 0

    async def _keep(self, child: Child) -> int:
        """Live again and again; returns when told to stop, or when it never came to serve."""
        pause = LIMITS.backoff_min_ms / SECOND_MS
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            status, how = await self._life(child)
            if self._told.is_set() or not child.ready.done():
                return status
            if loop.time() - begun >= STEADY_S:
                pause = LIMITS.backoff_min_ms / SECOND_MS
            _log.error(
                "process %d has ended %s; it starts again in %.1f s", child.number, how, pause
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._told.wait()
                return status
            pause = min(2 * pause, LIMITS.backoff_max_ms / SECOND_MS)

    async def _life(self, child: Child) -> tuple[int, str]:
        """Exit status of one process, and how it ended."""
        try:
            status = await child.live()
        except OSError as error:
            if not child.ready.done():
                raise
            return 1, f"before it began: {error}"  # no memory: there may be some later
        if status < 0:
            return status, f"by signal {-status} ({signal.strsignal(-status)})"
        return status, f"with status {status}"

    async def _end(self) -> bool:
        """Whoever only serves first, then the one that sequences; whether nobody was killed."""
        self._told.set()
        clean = True
        for last in (False, True):
            group = [child for child in self._children if last or not child.holder]
            clean = await self._end_group(group) and clean
        return clean

    async def _end_group(self, children: Sequence[Child]) -> bool:
        tasks = {
            child: self._tasks[child.number] for child in children if child.number in self._tasks
        }
        if not tasks:
            return True
        for child in tasks:
            child.tell(signal.SIGTERM)
        _done, late = await asyncio.wait(tasks.values(), timeout=self._patience)
        for child, task in tasks.items():
            if task in late:
                _log.error("process %d does not stop and is killed", child.number)
                child.tell(signal.SIGKILL)
        await asyncio.wait(tasks.values())
        return not late
